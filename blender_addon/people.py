"""The list of people found in one frame, with their pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

_pictures: Any = None


def show_people(arrays: Mapping[str, NDArray[Any]]) -> None:
    """arrays of the people job: ``box`` (P,4) px, ``score`` (P,), ``thumbnail`` (P,S,S,3) uint8 RGB."""
    found = bpy.context.window_manager.hmdiff
    found.people.clear()
    close()
    for index, box in enumerate(arrays["box"]):
        person = found.people.add()
        person.name = f"Person {index + 1}, {box[3] - box[1]:.0f} px tall"
        person.box = [float(value) for value in box]
        person.score = float(arrays["score"][index])
        person.icon = _icon(f"person {index}", arrays["thumbnail"][index])


def close() -> None:
    """Give the pictures back to Blender."""
    global _pictures
    if _pictures is not None:
        bpy.utils.previews.remove(_pictures)
        _pictures = None


def _icon(name: str, rgb: NDArray[np.uint8]) -> int:
    import bpy.utils.previews

    global _pictures
    if _pictures is None:
        _pictures = bpy.utils.previews.new()
    picture = _pictures.new(name)
    height, width = rgb.shape[:2]
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = rgb[::-1] / 255.0  # Blender's first row is the lowest
    picture.image_size = picture.icon_size = (width, height)
    picture.image_pixels_float.foreach_set(rgba.ravel())
    picture.icon_pixels_float.foreach_set(rgba.ravel())
    return picture.icon_id
