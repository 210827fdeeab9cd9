"""A take as one .npz with the names of the public format, written piece by piece."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from .files import written_whole

SLICE = 64


def export_npz(take: Take, path: Path, with_vertices: bool = False) -> None:
    """Write P people, F frames, N hypotheses; float32 but for whole numbers and flags, NaN where there is no value.

    track_ids (P,), times (F,) s, focal (F,) px, valid (P,F) bool, faces (T,3), boxes (P,F,4), joints (P,F,24,3) camera
    frame, joints_2d (P,F,24,2) px, global_orient (P,F,3), body_pose (P,F,69), betas (P,10), transl (P,F,3),
    hypotheses_joints (P,F,N,24,3), hypotheses_pose (P,F,N,72), vertex_std (P,F,V); with_vertices adds
    vertices (P,F,V,3), skinned.
    Memory stays flat in the clip's length. Errors: ``output.not_writable``.
    """
    path = Path(path)
    people_frames = (take.n_people, take.n_frames)
    streamed: dict[str, tuple[tuple[int, ...], Iterable[NDArray[Any]]]] = {
        name: ((*people_frames, *tail), _slices(take, stored, first, end))
        for name, stored, tail, first, end in (
            ("boxes", "box", (4,), None, None),
            ("joints", "joints", (24, 3), None, None),
            ("joints_2d", "joints_2d", (24, 2), None, None),
            ("global_orient", "pose", (3,), 0, 3),
            ("body_pose", "pose", (69,), 3, 72),
            ("transl", "transl", (3,), None, None),
            ("hypotheses_joints", "hypotheses_joints", (take.n_hypotheses, 24, 3), None, None),
            ("hypotheses_pose", "hypotheses_pose", (take.n_hypotheses, 72), None, None),
            ("vertex_std", "vertex_std", (take.n_vertices,), None, None),
        )
    }
    if with_vertices:
        streamed["vertices"] = ((*people_frames, take.n_vertices, 3), _decoded(take))
    whole: dict[str, NDArray[Any]] = {
        "track_ids": take.track_ids.astype("<i4"), "times": take.times.astype("<f4"), "focal": take.focal.astype("<f4"),
        "valid": take.valid, "faces": take.body.faces.astype("<i4"), "betas": take.betas.astype("<f4"),
    }  # fmt: skip
    with (
        written_whole(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        for name, array in whole.items():
            _write(archive, name, array.shape, array.dtype, [array])
        for name, (shape, parts) in streamed.items():
            _write(archive, name, shape, np.dtype("<f4"), parts)


def _frame_slices(take: Take) -> Iterator[tuple[int, slice]]:
    for person in range(take.n_people):
        for first in range(0, take.n_frames, SLICE):
            yield person, slice(first, min(first + SLICE, take.n_frames))


def _slices(take: Take, name: str, first: int | None, end: int | None) -> Iterator[NDArray[Any]]:
    for person, frames in _frame_slices(take):
        values = take.read(name, person, frames)
        yield values if first is None else values[:, first:end]


def _decoded(take: Take) -> Iterator[NDArray[Any]]:
    for person, frames in _frame_slices(take):
        yield take.decode(person, frames)


def _write(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], parts: Iterable[NDArray[Any]]
) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(entry, header)
        for part in parts:
            entry.write(np.ascontiguousarray(part, dtype).data if part.size else b"")
