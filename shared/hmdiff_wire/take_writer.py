"""Writing a take while the frames finish: flat memory, and a kill at any moment loses at most one chunk."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import HmdiffError
from .take_disk import (
    chunk_end,
    chunk_path,
    count_frames,
    count_vertices,
    disk_errors,
    read_state,
    remove_others,
    write_state,
)
from .take_format import (
    BODY_FILE,
    CHUNKS,
    MANIFEST,
    MOTION_FIELDS,
    ROW_FIELDS,
    TRACKS,
    VERSION_FILE,
    VERSIONS,
    Manifest,
    PersonFrame,
    RunStatus,
    TakeHeader,
    chunk_name,
    columns_of,
    file_sha256,
    read_manifest,
    replace,
    save_array,
    write_manifest,
)
from .take_pack import PackedRow, block, pack_row, padded_betas

CHUNK_FRAMES = 32
BUFFER_BYTES = 32 << 20


class TakeWriter:
    """The one writer of a take. Make it with ``create`` or ``resume``; leave it with ``finish``."""

    def __init__(self, folder: Path, manifest: Manifest, chunk_frames: int) -> None:
        self.folder = folder
        self._manifest = manifest
        self._chunk_frames = chunk_frames
        self._frames: list[tuple[int, float, float]] = []
        self._rows: list[PackedRow] = []
        self._bytes = 0
        self._last_time = -np.inf
        self._state: Mapping[str, Any] | None = None

    @classmethod
    def create(
        cls,
        folder: Path,
        header: TakeHeader,
        body_file: Path,
        *,
        overwrite: bool = False,
        chunk_frames: int = CHUNK_FRAMES,
    ) -> TakeWriter:
        """Start a take; the body file is copied into it and its checksum put into the header.

        Errors: ``take.exists`` (unless ``overwrite``, which removes the old take, its versions and nothing else
        in the folder), ``take.not_writable``, ``disk.full``, and those of ``load_body``.
        """
        folder, body_file = Path(folder), Path(body_file)
        n_vertices = count_vertices(body_file)
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if (folder / MANIFEST).exists() and not overwrite:
                raise HmdiffError(
                    "take.exists", f"{folder} already holds a take.", "Choose another folder, or allow to replace it."
                )
            for name in (MANIFEST, BODY_FILE, VERSION_FILE):
                (folder / name).unlink(missing_ok=True)
            shutil.rmtree(folder / VERSIONS, ignore_errors=True)
            for name in (CHUNKS, TRACKS):
                if (folder / name).exists():
                    shutil.rmtree(folder / name)
                (folder / name).mkdir()
            shutil.copyfile(body_file, folder / (BODY_FILE + ".tmp"))
            replace(folder / (BODY_FILE + ".tmp"), folder / BODY_FILE)
            header = with_changes(header, body_sha256=file_sha256(folder / BODY_FILE))
            manifest = Manifest(header, "running", 0, 0, 0, n_vertices)
            write_manifest(folder, manifest)
        return cls(folder, manifest, chunk_frames)

    @classmethod
    def resume(cls, folder: Path, *, chunk_frames: int = CHUNK_FRAMES) -> TakeWriter:
        """Go on with a take after any kill: what the last chunk left half-written is dropped, see ``next_frame`` and
        ``state``.

        Smoothed tracks stay; set them again once their people's later frames are written. Errors as ``read_manifest``,
        and ``take.not_writable``, ``disk.full``.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        n_chunks, ends = manifest.n_chunks, None
        while n_chunks and (ends := chunk_end(folder, n_chunks - 1)) is None:
            n_chunks -= 1
        n_frames = count_frames(folder, n_chunks)
        next_frame, last_time = (0, -np.inf) if ends is None else (ends[0] + 1, ends[1])
        status: RunStatus = "complete" if manifest.status == "complete" and n_chunks == manifest.n_chunks else "running"
        manifest = with_changes(manifest, n_chunks=n_chunks, n_frames=n_frames, next_frame=next_frame, status=status)
        keep_chunks = {chunk_name(number) for number in range(n_chunks)}
        with disk_errors(folder):
            write_manifest(folder, manifest)
            remove_others(folder / CHUNKS, keep_chunks)
            remove_others(folder / TRACKS, set(manifest.tracks.values()))
        writer = cls(folder, manifest, chunk_frames)
        writer._last_time = last_time
        writer._state = read_state(folder, n_chunks - 1)
        return writer

    @property
    def header(self) -> TakeHeader:
        return self._manifest.header

    @property
    def status(self) -> RunStatus:
        return self._manifest.status

    @property
    def next_frame(self) -> int:
        """First frame index not yet given (on disk or in the buffer); 0 for a take without frames."""
        return self._frames[-1][0] + 1 if self._frames else self._manifest.next_frame

    @property
    def n_frames(self) -> int:
        """Frames given so far, on disk or in the buffer."""
        return self._manifest.n_frames + len(self._frames)

    @property
    def state(self) -> Mapping[str, Any] | None:
        """What was given with the frame before ``next_frame``, to go on from there; None where that is not known."""
        return self._state

    @property
    def buffered_bytes(self) -> int:
        return self._bytes

    def write_frame(
        self, frame_index: int, time: float, focal: float, rows: Sequence[PersonFrame],
        state: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Add a frame: indices and times (seconds) must rise, else ValueError; ``rows`` may be empty.

        state: anything JSON can hold that whoever resumes the take after this frame needs, see ``state``.
        """
        if frame_index < self.next_frame or time <= self._last_time or not np.isfinite((time, focal)).all():
            raise ValueError(f"frame {frame_index} at {time} s does not follow frame {self.next_frame - 1}")
        if len({row.track_id for row in rows}) != len(rows):
            raise ValueError(f"frame {frame_index} has a track twice")
        place, counts = len(self._frames), (self.header.n_hypotheses, self._manifest.n_vertices)
        packed = [pack_row(row, place, *counts) for row in rows]
        self._frames.append((frame_index, time, focal))
        self._last_time = time
        self._state = state
        for row in packed:
            self._rows.append(row)
            arrays = (row.values, row.hypotheses, row.vertex_std, row.vertices)
            self._bytes += sum(array.nbytes for array in arrays if array is not None)
        if len(self._frames) >= self._chunk_frames or self._bytes >= BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Put what is buffered on disk as one chunk and announce it in the manifest."""
        if not self._frames:
            return
        number = self._manifest.n_chunks
        target = chunk_path(self.folder, number)
        temporary = target.with_name(target.name + ".tmp")
        with disk_errors(self.folder):
            if temporary.exists():
                shutil.rmtree(temporary)
            temporary.mkdir(parents=True)
            try:
                for name, array in self._chunk_arrays().items():
                    save_array(temporary / f"{name}.npy", array)
                write_state(temporary, self._state)
                replace(temporary, target)
            except OSError:
                shutil.rmtree(temporary, ignore_errors=True)  # on a full disk its room is needed
                raise
        frames = self._manifest.n_frames + len(self._frames)
        self._announce(n_chunks=number + 1, n_frames=frames, next_frame=self.next_frame, status="running")
        self._frames, self._rows, self._bytes = [], [], 0

    def set_track(
        self, track_id: int, betas: NDArray[Any], frames: NDArray[Any], pose: NDArray[Any], transl: NDArray[Any],
        joints: NDArray[Any], joints_2d: NDArray[Any],
    ) -> None:  # fmt: skip
        """Store a track's smoothed motion beside the raw rows, replacing an earlier one.

        betas (10,), frames (n,) rising frame indices, pose (n,72), transl (n,3), joints (n,24,3), joints_2d (n,24,2).
        Frames without a raw row count as ``held``.
        """
        indices = np.asarray(frames, np.int64).reshape(-1)
        if (np.diff(indices) <= 0).any() or (indices < 0).any():
            raise ValueError("frame indices of a track must rise")
        values = {"pose": pose, "transl": transl, "joints": joints, "joints_2d": joints_2d}
        motion = np.concatenate(
            [
                block(values[name], (len(indices), *shape), name).reshape(len(indices), -1)
                for name, shape in MOTION_FIELDS.items()
            ],
            axis=1,
        )
        if not np.isfinite(motion).all():
            raise ValueError(f"the motion of track {track_id} holds numbers that are not finite")
        before = self._manifest.tracks.get(track_id)
        name = f"{track_id}_{int(before.rpartition('_')[2]) + 1 if before else 0}"
        folder = self.folder / TRACKS / name
        with disk_errors(self.folder):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
            save_array(folder / "frames.npy", indices.astype("<i4"))
            save_array(folder / "betas.npy", padded_betas(betas))
            save_array(folder / "motion.npy", motion.astype("<f4"))
        self._announce(tracks={**self._manifest.tracks, track_id: name})
        if before:
            shutil.rmtree(self.folder / TRACKS / before, ignore_errors=True)

    def set_up(self, up: Sequence[float] | NDArray[Any], source: str) -> None:
        """Store world-up in camera axes (made a unit vector) and where it came from."""
        vector = np.asarray(up, np.float64).reshape(3)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length < 1e-6:
            raise ValueError(f"up vector {up}")
        x, y, z = (float(value) for value in vector / length)
        self._announce(header=with_changes(self.header, up=(x, y, z), up_source=source))

    def finish(self, status: RunStatus = "complete", message: str = "") -> None:
        """Write what is left and say how the run ended: ``complete``, ``cancelled`` or ``failed`` (with a sentence)."""
        self.flush()
        self._announce(status=status, message=message)

    def _announce(self, **changes: Any) -> None:
        self._manifest = with_changes(self._manifest, **changes)
        with disk_errors(self.folder):
            write_manifest(self.folder, self._manifest)

    def _chunk_arrays(self) -> dict[str, NDArray[Any]]:
        rows, width = self._rows, columns_of(ROW_FIELDS)[1]
        arrays: dict[str, NDArray[Any]] = {
            "frames": np.array(self._frames, "<f8").reshape(-1, 3),
            "index": np.array([row.index for row in rows], "<i4").reshape(-1, 4),
            "rows": np.array([row.values for row in rows], "<f4").reshape(-1, width),
        }
        if rows:
            arrays["vertex_std"] = np.stack([row.vertex_std for row in rows]).astype("<f2", copy=False)
        if rows and self.header.n_hypotheses:
            arrays["hypotheses"] = np.stack([row.hypotheses for row in rows]).astype("<f4", copy=False)
        if any(row.vertices is not None for row in rows):
            missing = np.full((self._manifest.n_vertices, 3), np.nan, np.float32)
            given = [missing if row.vertices is None else row.vertices for row in rows]
            arrays["vertices"] = np.stack(given).astype("<f4", copy=False)
        return arrays
