"""Rows of a take as the arrays of a FrameResult, and back from the disk for a client that missed some."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
from hmdiff_wire.take import PersonFrame, Take
from hmdiff_wire.take_format import ABSENT, HYPOTHESIS_FIELDS, ROW_FIELDS, STATUS_CODE, STATUS_NAMES
from numpy.typing import NDArray

_FROM_DISK = [one.name for one in fields(PersonFrame) if one.name not in ("track_id", "status", "vertices")]


def frame_arrays(rows: list[PersonFrame], vertices: bool = False) -> dict[str, NDArray[Any]]:
    """Rows of one frame as the arrays of FrameResult: P people first, hypotheses (P, N, ...), vertex_std (P, V),
    and, where they are asked for, vertices (P, V, 3).
    """
    count = max((len(row.hypotheses_score) for row in rows), default=0)
    spread = max((len(row.vertex_std) for row in rows), default=0)
    arrays: dict[str, NDArray[Any]] = {
        "track_id": np.array([row.track_id for row in rows], "<i4"),
        "status": np.array([STATUS_CODE[row.status] for row in rows], "|u1"),
        "vertex_std": _stacked([row.vertex_std for row in rows], (spread,)),
    }
    if vertices:
        arrays["vertices"] = np.stack([row.vertices for row in rows if row.vertices is not None]).astype("<f4")
    for name, shape in ROW_FIELDS.items():
        arrays[name] = _stacked([getattr(row, name) for row in rows], shape)
    for name, shape in HYPOTHESIS_FIELDS.items():
        arrays[f"hypotheses_{name}"] = _stacked([getattr(row, f"hypotheses_{name}") for row in rows], (count, *shape))
    return arrays


def stored_frames(take: Take, first: int, last: int) -> Iterator[tuple[int, float, dict[str, NDArray[Any]]]]:
    """(index, seconds, arrays as ``frame_arrays`` gave them) of the frames of a raw take whose index lies in
    first..last, both included; ``vertex_std`` was rounded to float16 on the disk. Errors: ``take.damaged``.
    """
    begin, end = np.searchsorted(take.frame_indices, (first, last + 1))
    for at in range(int(begin), int(end)):
        here = [person for person in range(take.n_people) if take.status[person, at] != ABSENT]
        rows = [_stored_row(take, person, at) for person in here]
        yield int(take.frame_indices[at]), float(take.times[at]), frame_arrays(rows)


def changed_frames(
    take: Take, before: Take, first: int, last: int
) -> Iterator[tuple[int, float, dict[str, NDArray[Any]]]]:
    """As ``stored_frames``, of a refined take: only frames and people whose motion is not that of ``before``, without
    hypotheses and spread.
    """
    begin, end = np.searchsorted(take.frame_indices, (first, last + 1))
    for at in range(int(begin), int(end)):
        rows = []
        for person in range(take.n_people):
            if take.valid[person, at] and _moved(take, before, person, at):
                row = _stored_row(take, person, at)
                none = {f"hypotheses_{name}": getattr(row, f"hypotheses_{name}")[:0] for name in HYPOTHESIS_FIELDS}
                rows.append(replace(row, vertex_std=row.vertex_std[:0], **none))
        if rows:
            yield int(take.frame_indices[at]), float(take.times[at]), frame_arrays(rows)


def _moved(take: Take, before: Take, person: int, at: int) -> bool:
    return any(
        not np.array_equal(take.read(name, person, at), before.read(name, person, at)) for name in ("pose", "transl")
    )


def _stored_row(take: Take, person: int, at: int) -> PersonFrame:
    values = {name: take.read(name, person, at)[0] for name in _FROM_DISK}
    count = int(np.isfinite(values["hypotheses_score"]).sum())
    for name in HYPOTHESIS_FIELDS:
        values[f"hypotheses_{name}"] = values[f"hypotheses_{name}"][:count]
    if not np.isfinite(values["vertex_std"]).any():
        values["vertex_std"] = values["vertex_std"][:0]
    return PersonFrame(int(take.track_ids[person]), STATUS_NAMES[take.status[person, at]], **values)


def _stacked(values: list[NDArray[Any]], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Values along a new first axis; NaN where a person has fewer (a row without hypotheses or without a spread)."""
    out = np.full((len(values), *shape), np.nan, "<f4")
    for at, value in enumerate(values):
        out[at, : len(value)] = value
    return out
