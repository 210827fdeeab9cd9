"""The take's camera.

A point p in OpenCV's frame lies on pixel focal * (x, y) / z + (W/2, H/2); a Blender camera whose sensor width stands
for W pixels and whose focal length is focal * sensor / W sees it there too.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from hmdiff_wire.take import Take
from mathutils import Matrix
from numpy.typing import NDArray

from . import compat
from .axes import camera_rotation
from .timing import FrameMap

Array = NDArray[np.floating[Any]]

SENSOR = 36.0  # millimetres


def create_camera(name: str, take: Take, frame_map: FrameMap, world: Array, collection: Any) -> Any:
    """The camera object at the world's origin; its lens is keyed where the focal length changes during the clip."""
    data = bpy.data.cameras.new(name)
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = SENSOR
    data.clip_start, data.clip_end = 0.05, 1000.0
    focal = take.focal if len(take.focal) else np.array([take.header.focal])
    lens = focal.astype(np.float64) * SENSOR / take.header.width
    data.lens = lens[0]
    if np.ptp(lens) > 1e-4 * lens[0]:
        compat.set_keys(compat.ensure_fcurve(data, "lens"), frame_map.frames(take.times), lens)
    item = bpy.data.objects.new(name, data)
    item.matrix_local = Matrix(camera_rotation(world).tolist()).to_4x4()
    collection.objects.link(item)
    return item


def set_scene(scene: Any, take: Take, camera: Any) -> None:
    """Resolution and active camera of a scene made for this take; an artist's own scene is left as it is."""
    scene.render.resolution_x, scene.render.resolution_y = take.header.width, take.header.height
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0
    scene.camera = camera
