"""What a clip shows, as Blender evaluates it."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from hmdiff_blender.scene import naming


def vertices(frame: int, item: Any = None) -> np.ndarray:
    """(V,3) of a mesh, the first body if none is named, in its own space at a frame of the scene."""
    bpy.context.scene.frame_set(frame)
    item = item or naming.find("body")[0]
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", values)
    evaluated.to_mesh_clear()
    return values.reshape(-1, 3)
