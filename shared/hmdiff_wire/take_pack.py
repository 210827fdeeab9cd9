"""One person's frame packed into the columns of a take, with every shape checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .take_format import (
    ABSENT,
    HYPOTHESIS_FIELDS,
    N_BETAS,
    ROW_FIELDS,
    STATUS_CODE,
    PersonFrame,
    Shape,
    columns_of,
    size_of,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class PackedRow:
    """A person's row as it goes to disk; index: frame position in the chunk, track id, status, usable."""

    index: tuple[int, int, int, int]
    values: NDArray[np.float32]
    hypotheses: NDArray[np.float32]
    vertex_std: NDArray[np.float16]
    vertices: NDArray[np.float32] | None


def pack_row(row: PersonFrame, place: int, n_hypotheses: int, n_vertices: int) -> PackedRow:
    """place: of the frame in its chunk. ValueError where a shape, status or track id is wrong; copies what it keeps."""
    code = STATUS_CODE.get(row.status, ABSENT)
    if code == ABSENT or row.track_id < 0:
        raise ValueError(f"a row of track {row.track_id} cannot be {row.status!r}")
    parts = []
    for name, shape in ROW_FIELDS.items():
        value = getattr(row, name)
        parts.append((padded_betas(value) if name == "betas" else block(value, shape, name)).reshape(-1))
    values = np.concatenate(parts)
    columns, _ = columns_of(ROW_FIELDS)
    usable = np.isfinite(values[columns["betas"][0] : columns["joints"][1]]).all()
    std = np.asarray(row.vertex_std, np.float16).reshape(-1)
    if not len(std):
        std = np.full(n_vertices, np.nan, np.float16)
    return PackedRow(
        index=(place, int(row.track_id), code, int(usable)),
        values=values,
        hypotheses=_pack_hypotheses(row, n_hypotheses),
        vertex_std=block(std, (n_vertices,), "vertex_std", np.float16).copy(),
        vertices=None if row.vertices is None else block(row.vertices, (n_vertices, 3), "vertices").copy(),
    )


def _pack_hypotheses(row: PersonFrame, n_hypotheses: int) -> NDArray[np.float32]:
    columns, width = columns_of(HYPOTHESIS_FIELDS)
    packed = np.full((n_hypotheses, width), np.nan, np.float32)
    count = len(row.hypotheses_pose)
    if count > n_hypotheses:
        raise ValueError(f"{count} hypotheses where the header says {n_hypotheses}")
    for name, shape in HYPOTHESIS_FIELDS.items():
        values = block(getattr(row, f"hypotheses_{name}"), (count, *shape), f"hypotheses_{name}")
        packed[:count, slice(*columns[name])] = values.reshape(count, size_of(shape))
    return packed


def block(value: NDArray[Any], shape: Shape, name: str, dtype: Any = np.float32) -> NDArray[Any]:
    """value as ``dtype`` in ``shape``; only flat and nested may stand for each other, so no (3,24) passes as (24,3)."""
    array = np.asarray(value, dtype)
    if array.size == size_of(shape) and 1 in (array.ndim, len(shape)):
        array = array.reshape(shape)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    return array


def padded_betas(value: NDArray[Any]) -> NDArray[np.float32]:
    """Bodies with fewer shape directions are padded with zeros -> (10,)."""
    betas = np.zeros(N_BETAS, np.float32)
    given = np.asarray(value, np.float32).reshape(-1)
    if len(given) > N_BETAS:
        raise ValueError(f"{len(given)} betas, at most {N_BETAS}")
    betas[: len(given)] = given
    return betas
