"""Frames: OpenCV's camera (x right, y down, z forward), the body's T-pose (y up, facing +z), Blender's z-up world.

The world's origin is the camera, z is the take's ``up``, y the camera's viewing direction laid flat: the camera's
pitch and roll are undone, so people stand upright (DESIGN 3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

BODY_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Body space -> Blender: a T-pose standing on z, facing -y, its left at +x."""

_BLENDER_CAMERA = np.diag([1.0, -1.0, -1.0])  # a Blender camera looks along its own -z with +y up


def world_from_camera(up: Array | None = None) -> Array:
    """Rotation (3,3) from the camera frame to Blender's world. up (3,): away from the floor, in the camera frame."""
    vertical = np.array([0.0, -1.0, 0.0]) if up is None else np.asarray(up, np.float64)
    length = np.linalg.norm(vertical)
    vertical = vertical / length if length > 1e-6 else np.array([0.0, -1.0, 0.0])
    forward = np.array([0.0, 0.0, 1.0])
    if abs(vertical @ forward) > 0.999:  # looks straight down or up: the picture's upper edge points ahead
        forward = np.array([0.0, -1.0, 0.0])
    ahead = forward - (forward @ vertical) * vertical
    ahead /= np.linalg.norm(ahead)
    return np.stack([np.cross(ahead, vertical), ahead, vertical])


def camera_rotation(world: Array) -> Array:
    """Rotation (3,3) of the Blender camera object that sees what the OpenCV camera saw."""
    return world @ _BLENDER_CAMERA
