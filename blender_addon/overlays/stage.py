"""The chosen footage in a 3D view before there is a clip: a camera of our own while something is drawn on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError

from ..core.source import Footage
from ..scene.footage import EXIF_TURNS, exif_orientation, footage_file, lay_upright
from .pixels import Look, look_of

NAME = "HMDiff footage"
SENSOR, LENS = 36.0, 50.0


@dataclass(frozen=True)
class Stage:
    """What the view showed before. camera: name of ours; size: of the picture."""

    camera: str
    size: tuple[int, int]
    perspective: str
    local: bool
    local_camera: str
    rotation: Any
    location: Any
    distance: float


def begin(space: Any, scene: Any, footage: Footage, first: int) -> Stage:
    """Let a 3D view look at frame ``first`` (from 1) of the footage. Errors: Blender cannot show it as it is."""
    path = footage_file(footage)
    try:
        image = bpy.data.images.load(str(path), check_existing=True)
    except RuntimeError as error:
        raise HmdiffError("input.not_shown", f"Blender cannot show {path.name}.", "Use Find People instead.") from error
    if footage.job_kind == "animate" and footage.count is not None:
        image.source = "SEQUENCE"
    if not all(image.size):
        raise HmdiffError("input.not_shown", f"Blender cannot show {path.name}.", "Use Find People instead.")
    turn, mirrored = EXIF_TURNS[
        1 if footage.job_kind == "animate" and footage.count is None else exif_orientation(path)
    ]
    size = (image.size[1], image.size[0]) if turn % 180 else (image.size[0], image.size[1])
    data = bpy.data.cameras.new(NAME)
    data.sensor_fit, data.sensor_width, data.lens = "HORIZONTAL", SENSOR, LENS
    data.clip_start, data.clip_end = 0.001, 0.002  # nothing but the footage
    data.show_background_images = True
    shown = data.background_images.new()
    shown.image, shown.alpha, shown.display_depth = image, 1.0, "BACK"
    lay_upright(shown, turn, mirrored, size, scene)
    if footage.job_kind == "animate":
        user = shown.image_user
        user.frame_start, user.frame_duration = scene.frame_current, 1_000_000
        user.frame_offset = first - 1
        user.use_auto_refresh = True
    item = bpy.data.objects.new(NAME, data)
    scene.collection.objects.link(item)
    view = space.region_3d
    stage = Stage(
        item.name, size, view.view_perspective, space.use_local_camera,
        space.camera.name if space.camera is not None else "", view.view_rotation.copy(), view.view_location.copy(),
        view.view_distance,
    )  # fmt: skip
    space.use_local_camera, space.camera = True, item
    view.view_perspective = "CAMERA"
    return stage


def look(stage: Stage, region: Any, region_3d: Any) -> Look | None:
    camera = bpy.data.objects.get(stage.camera)
    if camera is None or region_3d.view_perspective != "CAMERA":
        return None
    return look_of(camera, region, region_3d, stage.size, LENS * stage.size[0] / SENSOR)


def end(stage: Stage, space: Any) -> None:
    """The view as it was; nothing stays in the file."""
    view = space.region_3d
    space.camera = bpy.data.objects.get(stage.local_camera) if stage.local_camera else None
    space.use_local_camera = stage.local
    view.view_perspective = stage.perspective
    view.view_rotation, view.view_location, view.view_distance = stage.rotation, stage.location, stage.distance
    item = bpy.data.objects.get(stage.camera)
    if item is None:
        return
    data = item.data
    images = [one.image for one in data.background_images if one.image is not None]
    bpy.data.objects.remove(item)
    bpy.data.cameras.remove(data)
    for image in images:
        if image.users == 0:
            bpy.data.images.remove(image)
