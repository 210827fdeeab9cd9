"""What Blender shows, as arrays."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from hmdiff_blender.scene import naming


def go_to(frame: float) -> None:
    whole = int(np.floor(frame))
    bpy.context.scene.frame_set(whole, subframe=float(frame - whole))


def shown_vertices(item: Any) -> np.ndarray:
    """Evaluated vertices (V,3) in the world at the present frame."""
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", values)
    evaluated.to_mesh_clear()
    matrix = np.array(evaluated.matrix_world)
    return values.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def show_hidden() -> None:
    for item in list(naming.layer_collections()):
        item.exclude = False


def millimetres(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm(first - second, axis=-1).max() * 1000)
