"""Between the world, clip space and the depth buffer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .cameras import Camera
from .person import Pose

Floats = NDArray[np.floating]
NEAR, FAR = 0.1, 120.0


def flat_places(places: Floats, normals: Floats) -> Floats:
    """Where on its texture a point (N,3) lies, (N,2): seen along the axis its normal is nearest to, so that a pattern
    keeps its size and follows the surface."""
    axis = np.abs(normals).argmax(1)
    columns = np.array([[2, 1], [0, 2], [0, 1]])[axis]
    return np.take_along_axis(places, columns, 1)


def near_picture(pose: Pose, camera: Camera) -> bool:
    """Whether something of a person may be seen: a joint lies in the picture or within 35 cm of it."""
    joints = camera.to_camera(pose.joints)
    flat = camera.project(joints)
    reach = 0.35 * camera.focal / np.maximum(joints[:, 2:], 0.2)
    near = (flat > -reach) & (flat < np.array([camera.width, camera.height]) + reach)
    return bool((near.all(1) & (joints[:, 2] > 0.1)).any())


def view_projection(camera: Camera, jitter: NDArray[np.float64]) -> bytes:
    """World -> clip space with image y pointing down; jitter (2,) px."""
    width, height = camera.width, camera.height
    project = np.array(
        [[2 * camera.focal / width, 0, 2 * jitter[0] / width, 0],
         [0, 2 * camera.focal / height, 2 * jitter[1] / height, 0],
         [0, 0, (FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)],
         [0, 0, 1, 0]]
    )  # fmt: skip
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = camera.rotation, camera.translation
    return (project @ view).T.astype(np.float32).tobytes()


def metres(data: bytes) -> Floats:
    """A depth buffer's bytes -> metres along the view, (N,)."""
    raw = np.frombuffer(data, np.float32) * 2 - 1
    return (2 * FAR * NEAR / (FAR + NEAR - raw * (FAR - NEAR))).astype(np.float32)
