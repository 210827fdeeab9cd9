"""The view that paints doubt: solid shading by the colour attribute, kept up with the current frame."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent

from .scene import spread_paint

_before: dict[int, tuple[str, str]] = {}
"""What each 3D view's shading was, by its address, which lives as long as the view."""


def begin(context: Any) -> None:
    if _on_frame not in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.append(_on_frame)
    spread_paint.paint_all(context.window_manager.hmdiff_work.spread_top)
    for space in _views(context):
        shading = space.shading
        _before.setdefault(space.as_pointer(), (shading.type, shading.color_type))
        shading.type, shading.color_type = "SOLID", "VERTEX"


def end(context: Any) -> None:
    stop()
    for space in _views(context):
        kind, colour = _before.get(space.as_pointer(), ("SOLID", "MATERIAL"))
        space.shading.type, space.shading.color_type = kind, colour
    _before.clear()
    spread_paint.remove_all()


def stop() -> None:
    """No more painting; the views stay as they are."""
    if _on_frame in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.remove(_on_frame)


@persistent
def _on_frame(*_: Any) -> None:
    spread_paint.paint_all(bpy.context.window_manager.hmdiff_work.spread_top)


def _views(context: Any) -> list[Any]:
    windows = context.window_manager.windows
    areas = [area for window in windows for area in window.screen.areas if area.type == "VIEW_3D"]
    return [area.spaces.active for area in areas]
