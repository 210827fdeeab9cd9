"""Legs that reach: two bones bent so that the ankle is at a place. Numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .retarget_rig import Rig

Array = NDArray[np.floating[Any]]

STRETCH = 0.9995
"""Share of a leg's length that it may be stretched to: a leg that is quite straight has no plane to bend in."""


def reach_ankle(rig: Rig, world: Array, heads: Array, side: str, wanted: Array) -> None:
    """Turn thigh and shin, in place in ``world`` (n,B,3,3), so that the ankle is at ``wanted`` (n,3), as far as the leg
    reaches. The knee stays in the plane it bends in, and the foot as it is turned. heads (n,B,3) world, before.
    """
    hip, knee, ankle = (rig.joints[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
    start = heads[:, hip]
    thigh, shin = heads[:, knee] - start, heads[:, ankle] - heads[:, knee]
    long, short = (np.linalg.norm(limb, axis=1) for limb in (thigh, shin))
    way = wanted - start
    reach = np.clip(np.linalg.norm(way, axis=1), np.abs(long - short) + 1e-4, STRETCH * (long + short))
    ahead = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    along = (long**2 - short**2 + reach**2) / (2 * reach)
    aside = thigh - np.sum(thigh * ahead, axis=1, keepdims=True) * ahead
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    off = np.sqrt(np.maximum(long**2 - along**2, 0.0))
    new_thigh = along[:, None] * ahead + off[:, None] * aside
    new_shin = reach[:, None] * ahead - new_thigh
    for bone, old, new in ((hip, thigh, new_thigh), (knee, shin, new_shin)):
        for frame in range(len(world)):
            turn = rig.turn.T @ smallest_turn(old[frame], new[frame]) @ rig.turn
            world[frame, bone] = turn @ world[frame, bone]


def smallest_turn(has: Array, wants: Array) -> Array:
    """Rotation (3,3) by the least angle that brings one direction to another; identity where one has no length."""
    lengths = np.linalg.norm(has), np.linalg.norm(wants)
    if min(lengths) < 1e-9:
        return np.eye(3)
    a, b = has / lengths[0], wants / lengths[1]
    axis, cosine = np.cross(a, b), float(a @ b)
    if cosine < -1 + 1e-9:
        axis = np.cross(a, np.eye(3)[int(np.abs(a).argmin())])
        axis /= np.linalg.norm(axis)
        return 2 * np.outer(axis, axis) - np.eye(3)
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)
