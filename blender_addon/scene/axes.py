"""Frames: OpenCV's camera (x right, y down, z forward), the body's T-pose (y up, facing +z), Blender's z-up world.

The world's origin is the camera, z is the take's ``up``, y the camera's viewing direction laid flat: the camera's
pitch and roll are undone, so people stand upright (DESIGN 3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hmdiff_wire.world import world_from_camera
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

__all__ = ["BODY_TO_BLENDER", "camera_rotation", "world_from_camera"]

BODY_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Body space -> Blender: a T-pose standing on z, facing -y, its left at +x."""

_BLENDER_CAMERA = np.diag([1.0, -1.0, -1.0])  # a Blender camera looks along its own -z with +y up


def camera_rotation(world: Array) -> Array:
    """Rotation (3,3) of the Blender camera object that sees what the OpenCV camera saw."""
    return world @ _BLENDER_CAMERA
