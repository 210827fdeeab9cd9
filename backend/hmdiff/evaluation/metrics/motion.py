"""Errors over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .alignment import MM_PER_M, Alignment, Array, root_position


def acceleration_error(
    joints: ArrayLike, truth: ArrayLike, alignment: Alignment, valid: ArrayLike | None = None
) -> Array:
    """Difference of second differences, as in ScoreHMR's code: mm per frame squared, not mm/s^2 (method_notes 3).

    joints, truth (F, J, 3) metres at a constant frame rate (the usual figures are for 30 fps), root aligned per frame.
    valid (F,): a triple of frames counts only where all three are valid. -> (F - 2 or fewer,) mm/frame^2.
    """
    centred = np.asarray(joints, np.float64) - root_position(joints, alignment)
    goal = np.asarray(truth, np.float64) - root_position(truth, alignment)
    if len(centred) < 3:
        return np.zeros(0)
    second = np.diff(centred - goal, n=2, axis=0)
    errors = np.linalg.norm(second, axis=-1).mean(-1) * MM_PER_M
    if valid is None:
        return errors
    flags = np.asarray(valid, bool)
    return errors[flags[:-2] & flags[1:-1] & flags[2:]]
