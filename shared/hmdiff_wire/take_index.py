"""Where every (person, frame) of a take lies on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .take_format import (
    CHUNKS,
    MOTION_FIELDS,
    N_BETAS,
    STATUS_NAMES,
    TRACKS,
    Manifest,
    chunk_name,
    columns_of,
    damaged,
    load_array,
)

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TakeIndex:
    """P tracks, F frames, C chunks.

    track_ids (P,); times (F,) s; frame_indices (F,); focal (F,) px; chunk_of, row_of (P,F) place of the row, -1
    where there is none; status (P,F); usable (P,F) the row has a finite pose; motion_at (P,F) row of the smoothed
    motion or -1; n_rows (C,).
    """

    track_ids: NDArray[np.int32]
    times: NDArray[np.float64]
    frame_indices: NDArray[np.int32]
    focal: Array
    chunk_of: NDArray[np.int64]
    row_of: NDArray[np.int64]
    status: NDArray[np.uint8]
    usable: NDArray[np.bool_]
    motion_at: NDArray[np.int64]
    n_rows: NDArray[np.int64]


def read_index(folder: Path, manifest: Manifest, motion_frames: dict[int, NDArray[np.int64]]) -> TakeIndex:
    """motion_frames: {track_id: frame indices of its smoothed motion}. Errors: ``take.damaged``."""
    frames, rows, n_rows = [np.zeros((0, 3))], [np.zeros((0, 6), np.int64)], []
    first = 0
    for number in range(manifest.n_chunks):
        chunk_frames, index = (_load(folder, number, name, width) for name, width in (("frames", 3), ("index", 4)))
        if len(index) and (index[:, 0].min() < 0 or index[:, 0].max() >= len(chunk_frames)):
            raise damaged(folder, f"chunk {number}: a row points outside its chunk")
        if len(index) and (index[:, 2].min() < 0 or index[:, 2].max() >= len(STATUS_NAMES)):
            raise damaged(folder, f"chunk {number}: unknown status")
        place = np.stack([np.full(len(index), number), np.arange(len(index))], axis=1)
        rows.append(np.concatenate([place, index], axis=1).astype(np.int64))
        rows[-1][:, 2] += first
        frames.append(chunk_frames)
        n_rows.append(len(index))
        first += len(chunk_frames)
    all_frames, all_rows = np.concatenate(frames), np.concatenate(rows)
    if not np.isfinite(all_frames).all() or (np.diff(all_frames[:, 0]) <= 0).any():
        raise damaged(folder, "frame indices do not rise")

    track_ids = np.array(sorted({*all_rows[:, 3].tolist(), *motion_frames}), np.int32)
    shape = (len(track_ids), len(all_frames))
    chunk_of, row_of, motion_at = (np.full(shape, -1, np.int64) for _ in range(3))
    status, usable = np.zeros(shape, np.uint8), np.zeros(shape, bool)
    where = (np.searchsorted(track_ids, all_rows[:, 3]), all_rows[:, 2])
    chunk_of[where], row_of[where], status[where], usable[where] = (
        all_rows[:, 0],
        all_rows[:, 1],
        all_rows[:, 4],
        all_rows[:, 5] != 0,
    )
    indices = all_frames[:, 0].astype(np.int32)
    for track, known in motion_frames.items():
        # A killed run may have smoothed frames whose rows never reached the disk.
        common, positions, rows_of_motion = np.intersect1d(indices, known, assume_unique=True, return_indices=True)
        if len(common):
            motion_at[np.searchsorted(track_ids, track), positions] = rows_of_motion
    return TakeIndex(
        track_ids, all_frames[:, 1], indices, all_frames[:, 2].astype(np.float32),
        chunk_of, row_of, status, usable, motion_at, np.array(n_rows, np.int64),
    )  # fmt: skip


def read_motion(folder: Path, name: str) -> tuple[NDArray[np.int64], Array, Array]:
    """A smoothed track -> frame indices (n,), betas (10,), packed motion (n, width). Errors: ``take.damaged``."""
    width = columns_of(MOTION_FIELDS)[1]
    track = folder / TRACKS / name
    try:
        frames, betas, motion = (load_array(track / f"{part}.npy") for part in ("frames", "betas", "motion"))
    except (OSError, ValueError, EOFError) as error:
        raise damaged(folder, f"track {name}: {error!r}") from error
    if betas.shape != (N_BETAS,) or motion.shape != (len(frames), width) or (np.diff(frames) <= 0).any():
        raise damaged(folder, f"track {name}: shapes {frames.shape} {betas.shape} {motion.shape}")
    return frames.astype(np.int64), betas.astype(np.float32), motion.astype(np.float32)


def _load(folder: Path, number: int, name: str, width: int) -> NDArray[Any]:
    path = folder / CHUNKS / chunk_name(number) / f"{name}.npy"
    try:
        array = load_array(path)
    except (OSError, ValueError, EOFError) as error:
        raise damaged(folder, f"{path}: {error!r}") from error
    if array.ndim != 2 or array.shape[1] != width:
        raise damaged(folder, f"{path} has shape {array.shape}")
    return array
