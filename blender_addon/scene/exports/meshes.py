"""Meshes for a file: plain copies, without the artist's display settings and without keys of the scene's own time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .. import compat
from ..body import flat
from ..motion import HEADER_BYTES
from ..rigged import bake_body_shape
from .clock import Frames


def rigged_copy(source: Any, name: str, armature: Any, frames: Frames, scene: Any) -> Any:
    """The body that bones move, under a staged armature: its body shape baked in, its corrections keyed anew."""
    item = source.copy()
    item.data = source.data.copy()
    item.name = item.data.name = name
    item.animation_data_clear()  # presence is keyed on the original; other formats cannot hide
    item.hide_viewport = item.hide_render = False
    scene.collection.objects.link(item)
    item.parent = armature
    item.matrix_parent_inverse.identity()
    for modifier in item.modifiers:
        if modifier.type == "ARMATURE":
            modifier.object = armature
    keys = item.data.shape_keys
    moved = {}
    if keys is not None:
        moved = {
            curve.data_path: np.array([curve.evaluate(frame) for frame in frames.scene])
            for curve in compat.iter_fcurves(keys)
        }
        keys.animation_data_clear()
    bake_body_shape(item)
    for path, values in moved.items():
        curve = compat.ensure_fcurve(item.data.shape_keys, path)
        compat.set_keys(curve, np.arange(len(values), dtype=np.float64), values)
    return item


def still_copy(source: Any, name: str, shapes: Path, scene: Any) -> Any:
    """The body's mesh in the first shape of a PC2 file, at the world's origin."""
    mesh = source.data.copy()
    mesh.name = name
    mesh.animation_data_clear()
    item = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(item)
    item.shape_key_clear()
    mesh.vertices.foreach_set("co", flat(shape_at(shapes, 0, len(mesh.vertices))))
    mesh.update()
    return item


def shape_at(shapes: Path, number: int, vertices: int) -> np.ndarray:
    """Shape ``number`` (V,3) of a PC2 file."""
    return np.fromfile(shapes, "<f4", 3 * vertices, offset=HEADER_BYTES + 12 * vertices * number).reshape(-1, 3)
