"""A take as arrays (P people, F frames, N hypotheses), read from disk only as far as it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .body import BodyData, load_body, skin
from .take_format import (
    BODY_FILE,
    HELD,
    HYPOTHESIS_FIELDS,
    MOTION_FIELDS,
    ROW_FIELDS,
    STATUS_NAMES,
    TRACKS,
    Manifest,
    RunStatus,
    Shape,
    TakeHeader,
    columns_of,
    damaged,
    file_sha256,
    read_manifest,
)  # fmt: skip
from .take_index import TakeIndex, read_index, read_motion
from .take_rows import ChunkFiles, LazyRows

Array = NDArray[np.float32]
Frames = int | slice | Sequence[int] | NDArray[np.integer]
SKIN_SLICE = 64


class Take:
    """What ``read_take`` gives. Float arrays are NaN where a person has no row or the row no such value.

    Attributes: folder; header; run_status (``running`` while it grows); message; raw (raw rows instead of smoothed
    motion); track_ids (P,) int32; times (F,) float64 seconds from the clip's first frame; frame_indices (F,) int32;
    focal (F,) pixels; valid (P,F) bool; status (P,F) uint8, indices into ``status_names``; smoothed (P,F) bool.
    Positions along F are 0..F-1; ``frame_indices`` tells the frame of the clip each one is.
    """

    status_names = STATUS_NAMES

    def __init__(
        self, folder: Path, manifest: Manifest, index: TakeIndex, motion: dict[int, tuple[Array, Array]], raw: bool
    ) -> None:
        self.folder = folder
        self.raw = raw
        self.header: TakeHeader = manifest.header
        self.run_status: RunStatus = manifest.status
        self.message = manifest.message
        self.n_vertices = manifest.n_vertices
        self.track_ids = index.track_ids
        self.times = index.times
        self.frame_indices = index.frame_indices
        self.focal = index.focal
        self.smoothed: NDArray[np.bool_] = index.motion_at >= 0
        present = index.chunk_of >= 0
        self.status: NDArray[np.uint8] = np.where(self.smoothed & ~present, np.uint8(HELD), index.status)
        self.valid: NDArray[np.bool_] = self.smoothed | (present & index.usable)
        self._index = index
        self._motion = motion
        self._files = ChunkFiles(folder, index.n_rows)

    @property
    def n_people(self) -> int:
        return len(self.track_ids)

    @property
    def n_frames(self) -> int:
        return len(self.times)

    @property
    def n_hypotheses(self) -> int:
        return self.header.n_hypotheses

    @property
    def center(self) -> tuple[float, float]:
        """Principal point in pixels: the middle of the upright image."""
        return self.header.width / 2, self.header.height / 2

    @cached_property
    def body(self) -> BodyData:
        """The body the take was made with, from its own folder. Errors as ``load_body``, and ``take.damaged``."""
        path = self.folder / BODY_FILE
        if path.is_file() and file_sha256(path) != self.header.body_sha256:
            raise damaged(self.folder, f"{BODY_FILE} is not the file its manifest names")
        return load_body(path)

    def read(self, name: str, person: int, frames: Frames = slice(None)) -> Array:
        """One field of one person -> (n, ...) float32 without touching the rest of the disk.

        name: a key of ROW_FIELDS (``betas`` are those of the row, or of the smoothed track), ``hypotheses_pose``,
        ``hypotheses_transl``, ``hypotheses_joints``, ``hypotheses_score``, ``vertex_std`` or ``vertices``.
        person: 0..P-1; frames: positions 0..F-1.
        """
        at = self._positions(frames)
        chunks, rows = self._index.chunk_of[person, at], self._index.row_of[person, at]
        if name in ("vertex_std", "vertices"):
            tail: Shape = (self.n_vertices,) if name == "vertex_std" else (self.n_vertices, 3)
            return self._files.gather(name, chunks, rows, None, tail)
        kind, _, part = name.partition("_")
        if kind == "hypotheses":
            shape = HYPOTHESIS_FIELDS[part]
            columns = columns_of(HYPOTHESIS_FIELDS)[0][part]
            return self._files.gather("hypotheses", chunks, rows, columns, (self.n_hypotheses, *shape))
        values = self._files.gather("rows", chunks, rows, columns_of(ROW_FIELDS)[0][name], ROW_FIELDS[name])
        moved = self._index.motion_at[person, at]
        has = moved >= 0
        if has.any():
            betas, motion = self._motion[person]
            if name == "betas":
                values[has] = betas
            elif name in MOTION_FIELDS:
                first, end = columns_of(MOTION_FIELDS)[0][name]
                values[has] = motion[moved[has], first:end].reshape(-1, *MOTION_FIELDS[name])
        return values

    def decode(self, person: int, frames: Frames = slice(None), hypothesis: int | None = None) -> Array:
        """Skin the body -> vertices (n,V,3), metres, camera space; NaN where there is no pose.

        hypothesis: 0..N-1 for that sample, with the person's own shape; None for the estimate.
        """
        at = self._positions(frames)
        betas = self.read("betas", person, at)
        if hypothesis is None:
            pose, transl = self.read("pose", person, at), self.read("transl", person, at)
        else:
            if not 0 <= hypothesis < self.n_hypotheses:
                raise IndexError(f"hypothesis {hypothesis} of {self.n_hypotheses}")
            pose = self.read("hypotheses_pose", person, at)[:, hypothesis]
            transl = self.read("hypotheses_transl", person, at)[:, hypothesis]
        out = np.full((len(at), self.body.n_vertices, 3), np.nan, np.float32)
        known = np.flatnonzero(np.isfinite(pose).all(1) & np.isfinite(transl).all(1) & np.isfinite(betas).all(1))
        if not len(known):
            return out
        changes = np.flatnonzero((np.diff(betas[known], axis=0) != 0).any(1)) + 1
        for same_shape in np.split(known, changes):
            for first in range(0, len(same_shape), SKIN_SLICE):
                part = same_shape[first : first + SKIN_SLICE]
                out[part] = skin(self.body, betas[part[0]], pose[part], transl[part])[0]
        return out

    @cached_property
    def betas(self) -> Array:
        """(P,10): the smoothed track's one shape, or the median over the rows where a track has none."""
        out = np.zeros((self.n_people, ROW_FIELDS["betas"][0]), np.float32)
        for person in range(self.n_people):
            if person in self._motion:
                out[person] = self._motion[person][0]
            elif self.valid[person].any():
                out[person] = np.median(self.read("betas", person, np.flatnonzero(self.valid[person])), axis=0)
        return out

    @cached_property
    def pose(self) -> Array:
        """(P,F,72) axis-angle, global_orient first."""
        return self._all("pose")

    @property
    def global_orient(self) -> Array:
        """(P,F,3) axis-angle, body space to camera space."""
        return self.pose[..., :3]

    @property
    def body_pose(self) -> Array:
        """(P,F,69) axis-angle of the 23 joints below the root."""
        return self.pose[..., 3:]

    @cached_property
    def transl(self) -> Array:
        """(P,F,3) metres, camera space."""
        return self._all("transl")

    @cached_property
    def joints(self) -> Array:
        """(P,F,24,3) metres, camera space."""
        return self._all("joints")

    @cached_property
    def joints_2d(self) -> Array:
        """(P,F,24,2) pixels."""
        return self._all("joints_2d")

    @cached_property
    def landmarks_2d(self) -> Array:
        """(P,F,33,3) x, y in pixels and confidence, as detected."""
        return self._all("landmarks_2d")

    @cached_property
    def boxes(self) -> Array:
        """(P,F,4) x0, y0, x1, y1 pixels."""
        return self._all("box")

    @cached_property
    def hypotheses_pose(self) -> Array:
        """(P,F,N,72); read single people or frames with ``read`` when the take is long."""
        return self._all("hypotheses_pose")

    @cached_property
    def hypotheses_transl(self) -> Array:
        """(P,F,N,3)."""
        return self._all("hypotheses_transl")

    @cached_property
    def hypotheses_joints(self) -> Array:
        """(P,F,N,24,3)."""
        return self._all("hypotheses_joints")

    @cached_property
    def hypotheses_score(self) -> Array:
        """(P,F,N)."""
        return self._all("hypotheses_score")

    @property
    def vertex_std(self) -> LazyRows:
        """(P,F,V) metres, on disk until indexed."""
        return LazyRows(
            lambda person, at: self.read("vertex_std", person, at), self.n_people, self.n_frames, (self.n_vertices,)
        )

    @property
    def vertices(self) -> LazyRows:
        """(P,F,V,3) raw model vertices where the run kept them (NaN elsewhere; ``decode`` gives the body), on disk."""
        return LazyRows(
            lambda person, at: self.read("vertices", person, at), self.n_people, self.n_frames, (self.n_vertices, 3)
        )

    @cached_property
    def has_vertices(self) -> bool:
        return any(self._files.has("vertices", number) for number in range(len(self._index.n_rows)))

    def _positions(self, frames: Frames) -> NDArray[np.int64]:
        return np.atleast_1d(np.arange(self.n_frames)[frames])

    def _all(self, name: str) -> Array:
        people = [self.read(name, person) for person in range(self.n_people)]
        if people:
            return np.stack(people)
        kind, _, part = name.partition("_")
        tail = (self.n_hypotheses, *HYPOTHESIS_FIELDS[part]) if kind == "hypotheses" else ROW_FIELDS[name]
        return np.zeros((0, self.n_frames, *tail), np.float32)


def read_take(folder: Path, raw: bool = False) -> Take:
    """Open a take, finished or still growing; raw leaves the smoothed motion aside.

    Errors: ``take.not_found``, ``take.foreign``, ``take.newer``, ``take.damaged``.
    """
    folder = Path(folder)
    for attempt in range(3):
        manifest = read_manifest(folder)
        names = {} if raw else manifest.tracks
        if attempt == 2 or all((folder / TRACKS / name / "motion.npy").is_file() for name in names.values()):
            break  # else the writer replaced a track between our two looks
    motions = {track: read_motion(folder, name) for track, name in names.items()}
    index = read_index(folder, manifest, {track: frames for track, (frames, _, _) in motions.items()})
    person_of = {int(track): person for person, track in enumerate(index.track_ids)}
    by_person = {person_of[track]: (betas, motion) for track, (_, betas, motion) in motions.items()}
    return Take(folder, manifest, index, by_person, raw)
