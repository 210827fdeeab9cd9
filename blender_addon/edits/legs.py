"""The legs' inverse kinematics: two bones, hip and knee turn, so that the ankle lies where it should."""

from __future__ import annotations

from typing import Any

import numpy as np
from hmdiff_wire.body import JOINT_NAMES, BodyData, joint_transforms, rest_shape
from numpy.typing import NDArray

from ..scene.rotations import quaternions
from . import turns
from .sequence import Poses

Array = NDArray[np.floating[Any]]

LEGS = tuple(
    tuple(JOINT_NAMES.index(f"{side}_{part}") for part in ("hip", "knee", "ankle", "foot"))
    for side in ("left", "right")
)
"""Joint numbers (hip, knee, ankle, foot) of the left and the right leg."""
STRAIGHT = 0.9995
"""Of the leg's length; a fully straight knee has no direction to bend in."""


def posed_joints(body: BodyData, betas: Array, motion: Poses) -> tuple[Array, Array]:
    """Global rotations (n,24,3,3) and joints (n,24,3), camera space."""
    rest = rest_shape(body, betas)[1]
    local = turns.to_matrix(turns.from_axis_angle(motion.pose.reshape(len(motion.pose), -1, 3)))
    world, joints = joint_transforms(body.parents, rest, local.astype(np.float32))
    return world, joints + motion.transl[:, None]


def reach(body: BodyData, betas: Array, motion: Poses, ankles: Array) -> Poses:
    """The same motion with its ankles at (n,2,3), camera space, as far as the legs reach; feet keep their direction."""
    world, joints = posed_joints(body, betas, motion)
    pose = motion.pose.reshape(len(motion.pose), -1, 3).copy()
    for (hip, knee, ankle, _), target in zip(LEGS, np.moveaxis(ankles, 1, 0), strict=True):
        upper, lower = joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee]
        long_, short = np.linalg.norm(upper, axis=1), np.linalg.norm(lower, axis=1)
        line = target - joints[:, hip]
        length = np.linalg.norm(line, axis=1)
        wanted = np.clip(length, np.abs(long_ - short) + 1e-3, STRAIGHT * (long_ + short))
        # The knee bends about its own axis, until hip and ankle are as far apart as wanted.
        axis = np.cross(upper, lower)
        size = np.linalg.norm(axis, axis=1, keepdims=True)
        side = world[:, knee, :, 0]  # a straight leg bends about the body's own x
        axis = np.where(size > 1e-4 * (long_ * short)[:, None], axis / np.maximum(size, 1e-9), side)
        now = _angle(upper, lower)
        cosine = (wanted**2 - long_**2 - short**2) / (2 * long_ * short)
        bend = turns.from_axis_angle(axis * (np.arccos(np.clip(cosine, -1, 1)) - now)[:, None])
        bent = joints[:, knee] + _turned(bend, lower) - joints[:, hip]
        aim = turns.shortest(bent, line)
        aim_matrix, bend_matrix = turns.to_matrix(aim), turns.to_matrix(bend)
        hips, knees = aim_matrix @ world[:, hip], aim_matrix @ bend_matrix @ world[:, knee]
        parent = int(body.parents[hip])
        pose[:, hip] = _axis_angle(np.swapaxes(world[:, parent], 1, 2) @ hips)
        pose[:, knee] = _axis_angle(np.swapaxes(hips, 1, 2) @ knees)
        pose[:, ankle] = _axis_angle(np.swapaxes(knees, 1, 2) @ world[:, ankle])
    return Poses(pose.reshape(motion.pose.shape), motion.transl)


def _angle(first: Array, second: Array) -> Array:
    return np.arctan2(np.linalg.norm(np.cross(first, second), axis=1), np.sum(first * second, axis=1))


def _turned(quaternions: Array, vectors: Array) -> Array:
    return np.einsum("nab,nb->na", turns.to_matrix(quaternions), vectors)


def _axis_angle(matrices: Array) -> Array:
    return turns.to_axis_angle(quaternions(matrices))
