"""Joint errors: MPJPE after root alignment and PA-MPJPE after similarity Procrustes (method_notes 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .alignment import MM_PER_M, Alignment, Array, procrustes_align, root_position


def mean_distance_mm(points: ArrayLike, truth: ArrayLike) -> Array:
    """Mean Euclidean distance over the points, nothing aligned. (..., P, D) metres -> (...) mm."""
    return per_joint_mm(points, truth).mean(-1)


def mpjpe(joints: ArrayLike, truth: ArrayLike, alignment: Alignment) -> Array:
    """Mean per-joint position error per frame. joints, truth (..., J, 3) metres -> (...) mm; leading dims broadcast."""
    return mpjpe_per_joint(joints, truth, alignment).mean(-1)


def pa_mpjpe(joints: ArrayLike, truth: ArrayLike) -> Array:
    """MPJPE after laying each frame over the truth with its own similarity. (..., J, 3) metres -> (...) mm."""
    return pa_mpjpe_per_joint(joints, truth).mean(-1)


def per_joint_mm(points: ArrayLike, truth: ArrayLike) -> Array:
    """Distance of each point, nothing aligned. (..., P, D) metres -> (..., P) mm."""
    difference = np.asarray(points, np.float64) - np.asarray(truth, np.float64)
    return np.linalg.norm(difference, axis=-1) * MM_PER_M


def mpjpe_per_joint(joints: ArrayLike, truth: ArrayLike, alignment: Alignment) -> Array:
    """``mpjpe`` before its mean over joints. (..., J, 3) metres -> (..., J) mm."""
    centred = np.asarray(joints, np.float64) - root_position(joints, alignment)
    return per_joint_mm(centred, np.asarray(truth, np.float64) - root_position(truth, alignment))


def pa_mpjpe_per_joint(joints: ArrayLike, truth: ArrayLike) -> Array:
    """``pa_mpjpe`` before its mean over joints. (..., J, 3) metres -> (..., J) mm."""
    return per_joint_mm(procrustes_align(joints, truth), truth)


def joint_table(errors: ArrayLike, names: Sequence[str], counts: ArrayLike | None = None) -> dict[str, float]:
    """Mean over frames of each joint's errors (F, J), by name; counts (F, J) bool: which of them to take (all).

    nan for a joint that is nowhere to be taken.
    """
    values = np.asarray(errors, np.float64)
    taken = np.ones(values.shape, bool) if counts is None else np.asarray(counts, bool)
    total, number = np.where(taken, values, 0.0).sum(0), taken.sum(0)
    means = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return {name: float(mean) for name, mean in zip(names, means, strict=True)}
