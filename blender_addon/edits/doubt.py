"""How sure the model is of each frame, from the spread of its hypotheses (``vertex_std`` of a take)."""

from __future__ import annotations

from typing import Any

import numpy as np
from hmdiff_wire.take import HELD, OK, Take
from numpy.typing import NDArray

from .feet import runs

Array = NDArray[np.floating[Any]]

AT_ONCE = 64
USUAL = 1.25
"""A frame is doubtful when its spread is among the worst tenth of the clip and at least so many times its usual one."""


def spread(take: Take, person: int) -> Array:
    """(F,) millimetres: root mean square over the body of each vertex's standard deviation; NaN where unknown."""
    result = np.full(take.n_frames, np.nan)
    for first in range(0, take.n_frames, AT_ONCE):
        part = take.read("vertex_std", person, slice(first, first + AT_ONCE)).astype(np.float64)
        if part.size:
            result[first : first + len(part)] = 1000.0 * np.sqrt((part**2).mean(1))
    return result


def doubtful(spread_mm: Array, status: NDArray[np.uint8]) -> list[tuple[int, int, int]]:
    """Runs of doubtful positions: first, last, worst. Missed (held), tiny and cut-off people are always so."""
    known = np.isfinite(spread_mm)
    doubt = (status != OK) & (status != 0)
    if known.any():
        usual = float(np.median(spread_mm[known]))
        limit = max(USUAL * usual, float(np.percentile(spread_mm[known], 90)))
        doubt = doubt | (known & (spread_mm > limit))
    level = np.where(known, spread_mm, np.inf)
    return [(first, last, first + int(np.argmax(level[first : last + 1]))) for first, last in runs(doubt)]


def missed(status: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Runs of positions at which the person was not found and the pose before is held."""
    return runs(status == HELD)
