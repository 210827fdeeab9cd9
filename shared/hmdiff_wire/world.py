"""The upright world of a take: z is the take's ``up``, the first person begins over the origin, the lowest foot is on
z = 0. Blender's scene and every file that has a floor agree on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .body import JOINT_NAMES, BodyData, joint_transforms, rest_shape, rotation_matrices

Array = NDArray[np.floating[Any]]


def world_from_camera(up: Array | None = None) -> Array:
    """Rotation (3,3) from the camera frame to the world. up (3,): away from the floor, in the camera frame.

    The camera looks along the world's y: its pitch and roll are undone, so people stand upright (DESIGN 3).
    """
    vertical = np.array([0.0, -1.0, 0.0]) if up is None else np.asarray(up, np.float64)
    length = np.linalg.norm(vertical)
    vertical = vertical / length if length > 1e-6 else np.array([0.0, -1.0, 0.0])
    forward = np.array([0.0, 0.0, 1.0])
    if abs(vertical @ forward) > 0.999:  # looks straight down or up: the picture's upper edge points ahead
        forward = np.array([0.0, -1.0, 0.0])
    ahead = forward - (forward @ vertical) * vertical
    ahead /= np.linalg.norm(ahead)
    return np.stack([np.cross(ahead, vertical), ahead, vertical])


def ground_offset(start: Array, feet: Sequence[Array]) -> Array:
    """What brings people to the origin and onto the floor (3,). start (3,): where the first person begins; feet: per
    person the ``sole_heights`` of all poses."""
    return np.array([-start[0], -start[1], -float(np.percentile(np.concatenate(list(feet)), 1.0))])


def pelvis(body: BodyData, betas: Array, transl: Array, world: Array) -> Array:
    """Where the root joint is in the world (3,), metres from the camera, for one transl (3,)."""
    return (rest_shape(body, betas)[1][0] + transl) @ world.T


def sole_heights(body: BodyData, betas: Array, pose: Array, transl: Array, world: Array) -> Array:
    """Height (n,) of each pose's lower foot sole over the camera, metres: ankles and feet less their height in rest."""
    rest, joints = rest_shape(body, betas)
    rotations = rotation_matrices(pose.reshape(len(pose), -1, 3))
    posed = joint_transforms(body.parents, joints, rotations)[1] + transl[:, None]
    soles = [JOINT_NAMES.index(side + part) for side in ("left_", "right_") for part in ("ankle", "foot")]
    heights = posed[:, soles] @ world[2] - (joints[soles, 1] - rest[:, 1].min())
    return heights.min(axis=1)
