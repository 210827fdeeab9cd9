"""Running one of Blender's exporters in a scene that is not the artist's."""

from __future__ import annotations

from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError

from .. import timing


def run_selected(operator: Any, scene: Any, objects: list[Any], **options: Any) -> None:
    """Let an exporter write ``objects``, as the selection of ``scene``. Errors: ``export.no_addon``."""
    layer = scene.view_layers[0]
    for item in layer.objects:
        item.select_set(item in objects, view_layer=layer)
    layer.objects.active = objects[0]
    try:
        with bpy.context.temp_override(
            scene=scene, view_layer=layer, active_object=objects[0], object=objects[0], selected_objects=objects
        ):
            operator(**options)
    except AttributeError as error:
        raise HmdiffError(
            "export.no_addon",
            "This Blender cannot write that format: its add-on is switched off, or it was built without it.",
            "Enable it in Edit > Preferences > Add-ons, or use a Blender from blender.org.", repr(error),
        ) from error  # fmt: skip


def set_clock(scene: Any, fps: float, last: int, camera: Any) -> None:
    """Frames 0..last at ``fps``, the artist's picture size."""
    render, artist = scene.render, bpy.context.scene.render
    render.fps, render.fps_base = timing.scene_rate(fps)
    render.resolution_x, render.resolution_y = artist.resolution_x, artist.resolution_y
    scene.frame_start, scene.frame_end = 0, max(last, 1)
    scene.camera = camera
    scene.frame_set(0)
