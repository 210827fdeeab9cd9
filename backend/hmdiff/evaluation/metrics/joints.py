"""Joint errors: MPJPE after root alignment and PA-MPJPE after similarity Procrustes (method_notes 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .alignment import MM_PER_M, Alignment, Array, procrustes_align, root_position


def mean_distance_mm(points: ArrayLike, truth: ArrayLike) -> Array:
    """Mean Euclidean distance over the points, nothing aligned. (..., P, D) metres -> (...) mm."""
    difference = np.asarray(points, np.float64) - np.asarray(truth, np.float64)
    return np.linalg.norm(difference, axis=-1).mean(-1) * MM_PER_M


def mpjpe(joints: ArrayLike, truth: ArrayLike, alignment: Alignment) -> Array:
    """Mean per-joint position error per frame. joints, truth (..., J, 3) metres -> (...) mm; leading dims broadcast."""
    centred = np.asarray(joints, np.float64) - root_position(joints, alignment)
    return mean_distance_mm(centred, np.asarray(truth, np.float64) - root_position(truth, alignment))


def pa_mpjpe(joints: ArrayLike, truth: ArrayLike) -> Array:
    """MPJPE after laying each frame over the truth with its own similarity. (..., J, 3) metres -> (...) mm."""
    return mean_distance_mm(procrustes_align(joints, truth), truth)
