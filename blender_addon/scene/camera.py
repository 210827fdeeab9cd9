"""The take's camera and the footage behind it, so that mesh and person overlap (DESIGN 3).

A point p in OpenCV's frame lies on pixel focal * (x, y) / z + (W/2, H/2); a Blender camera whose sensor width stands
for W pixels and whose focal length is focal * sensor / W sees it there too.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.take import Take
from mathutils import Matrix
from numpy.typing import NDArray

from . import compat, naming
from .axes import camera_rotation
from .timing import FrameMap, footage_offsets

Array = NDArray[np.floating[Any]]

SENSOR = 36.0  # millimetres
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".exr")


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


def add_footage(camera: Any, take: Take, frame_map: FrameMap, scene: Any) -> Any | None:
    """Put the take's photo, video or image sequence behind the camera; None where the file is no longer there."""
    path = Path(take.header.source_path)
    if take.header.source_kind == "sequence" and path.is_dir():
        path = next((p for p in sorted(path.iterdir()) if p.suffix.lower() in IMAGE_SUFFIXES), path)
    if not path.is_file():
        return None
    try:
        image = bpy.data.images.load(str(path.resolve()), check_existing=True)
    except RuntimeError:  # Blender does not know the format; the scene is right without its background
        return None
    image.filepath = naming.stored_path(path)
    if take.header.source_kind == "sequence":
        image.source = "SEQUENCE"
    data = camera.data
    data.show_background_images = True
    footage = data.background_images.new()
    footage.image = image
    footage.alpha = 1.0
    footage.display_depth = "BACK"
    _fit(footage, take, scene)
    if take.header.source_kind != "image":
        _synchronise(data, footage, path, take, frame_map)
    return footage


def set_scene(scene: Any, take: Take, camera: Any) -> None:
    """Resolution and active camera of a scene made for this take; an artist's own scene is left as it is."""
    scene.render.resolution_x, scene.render.resolution_y = take.header.width, take.header.height
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0
    scene.camera = camera


def _fit(footage: Any, take: Take, scene: Any) -> None:
    """Make the picture's width the sensor's width, whatever shape the scene renders in, and turn it upright."""
    render = scene.render
    shape = (render.resolution_x * render.pixel_aspect_x) / (render.resolution_y * render.pixel_aspect_y)
    footage.frame_method = "CROP" if shape > take.header.width / take.header.height else "FIT"
    if take.header.rotation % 360 and _stored_sideways(footage.image, take):
        footage.rotation = math.radians(take.header.rotation)
        footage.scale = take.header.height / take.header.width if take.header.rotation % 180 else 1.0


def _stored_sideways(image: Any, take: Take) -> bool:
    """Whether Blender left the file's own rotation mark aside, as most versions do; half turns cannot be told by size."""
    width, height = image.size
    if not width or not height or take.header.rotation % 180 == 0:
        return image.source != "MOVIE" or bpy.app.version < (4, 4, 0)
    return (width > height) != (take.header.width > take.header.height)


def _synchronise(data: Any, footage: Any, path: Path, take: Take, frame_map: FrameMap) -> None:
    """Show each frame at its time. A scene that runs at another rate than the video gets a keyed frame offset."""
    user = footage.image_user
    last = int(np.ceil(frame_map.frames(take.times)[-1])) if take.n_frames else frame_map.start
    user.frame_start = frame_map.start
    user.frame_duration = max(1, last - frame_map.start + 1)
    user.use_auto_refresh = True
    rate = _movie_rate(path) if take.header.source_kind == "video" else take.header.fps
    frames, offsets = footage_offsets(frame_map, rate or take.header.fps, last)
    if take.header.source_kind == "sequence":
        offsets = offsets + (_file_number(path) - 1)
    user.frame_offset = int(offsets[0])
    if len(frames) > 1:
        index = len(data.background_images) - 1
        curve = compat.ensure_fcurve(data, f"background_images[{index}].image_user.frame_offset")
        compat.set_keys(curve, frames, offsets, "CONSTANT")


def _movie_rate(path: Path) -> float:
    """The rate by which Blender itself counts this movie's frames; 0 where it cannot tell."""
    clip = bpy.data.movieclips.load(str(path.resolve()))
    rate = float(clip.fps)
    bpy.data.movieclips.remove(clip)
    return rate


def _file_number(path: Path) -> int:
    """The number at the end of a sequence's first file name, by which Blender finds the others; 1 where there is none."""
    digits = ""
    for letter in reversed(path.stem):
        if not letter.isdigit():
            break
        digits = letter + digits
    return int(digits) if digits else 1
