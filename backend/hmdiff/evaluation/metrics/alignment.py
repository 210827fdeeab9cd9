"""How a prediction is laid over the truth before anything is measured. Every figure names its alignment.

Which pelvis is used moves MPJPE by several millimetres (method_notes 3), so it is an argument, never a habit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
MM_PER_M = 1000.0


@dataclass(frozen=True)
class Alignment:
    """A root: the mean of these joints is subtracted on both sides. No joints means no alignment at all."""

    name: str
    joints: tuple[int, ...]


NO_ALIGNMENT = Alignment("none (camera frame)", ())
SMPL_PELVIS = Alignment("root: SMPL joint 0 (pelvis)", (0,))
SMPL_HIPS = Alignment("root: mean of SMPL joints 1 and 2 (hips), as for EMDB", (1, 2))
LSP_HIPS = Alignment("root: mean of LSP joints 2 and 3 (hips), as in FastMETRO", (2, 3))
H36M_PELVIS = Alignment("root: H36M joint 0 (pelvis), as in HuMR and ProHMR", (0,))
PROCRUSTES_NAME = "PA: similarity Procrustes (scale, rotation, translation) per frame"


def root_position(joints: ArrayLike, alignment: Alignment) -> Array:
    """joints (..., J, 3) -> (..., 1, 3): what ``alignment`` subtracts; zeros for no alignment."""
    points = np.asarray(joints, np.float64)
    if not alignment.joints:
        return np.zeros((*points.shape[:-2], 1, 3))
    return points[..., list(alignment.joints), :].mean(axis=-2, keepdims=True)


def similarity_transform(source: ArrayLike, target: ArrayLike) -> tuple[Array, Array, Array]:
    """The similarity that lays ``source`` over ``target`` with the least squared error (Umeyama 1991).

    source, target (..., P, 3) -> scale (...), rotation (..., 3, 3), translation (..., 3) with
    ``scale * source @ rotation.T + translation`` nearest to ``target``. The rotation never mirrors. A source without
    extent gets scale 0, so that it lands on the target's centre.
    """
    moving, fixed = np.broadcast_arrays(np.asarray(source, np.float64), np.asarray(target, np.float64))
    mean_moving, mean_fixed = moving.mean(-2, keepdims=True), fixed.mean(-2, keepdims=True)
    centred, goal = moving - mean_moving, fixed - mean_fixed
    u, singular, vt = np.linalg.svd(np.swapaxes(goal, -1, -2) @ centred)
    sign = np.ones_like(singular)
    # The smallest axis is flipped rather than returning a mirror image, which would forgive swapped left and right.
    sign[..., -1] = np.where(np.linalg.det(u) * np.linalg.det(vt) < 0, -1.0, 1.0)
    rotation = (u * sign[..., None, :]) @ vt
    spread = (centred**2).sum((-2, -1))
    scale = np.divide((singular * sign).sum(-1), spread, out=np.zeros_like(spread), where=spread > 1e-18)
    moved = scale[..., None] * np.einsum("...ab,...b->...a", rotation, mean_moving[..., 0, :])
    return scale, rotation, mean_fixed[..., 0, :] - moved


def procrustes_align(source: ArrayLike, target: ArrayLike) -> Array:
    """source (..., P, 3) moved, turned and scaled onto target (..., P, 3); leading dimensions broadcast."""
    scale, rotation, translation = similarity_transform(source, target)
    turned = np.asarray(source, np.float64) @ np.swapaxes(rotation, -1, -2)
    return scale[..., None, None] * turned + translation[..., None, :]
