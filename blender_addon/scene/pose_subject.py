"""Which pose is meant: the body in the row that is active, else what the clip's person shows at the current frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from . import naming, pose_row, retarget_source
from .axes import world_from_camera
from .retarget_source import SourceMotion

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Subject:
    """motion: one pose; vertices (V,3) as the clip's camera sees them, triangles (T,3); armature: the clip's own."""

    name: str
    motion: SourceMotion
    vertices: Array
    triangles: NDArray[np.integer]
    armature: Any


def subject(active: Any, root: Any, frame: float) -> Subject:
    """frame: the scene's, as it is now. Errors: ``retarget.no_source``."""
    clip = root[naming.CLIP]
    person = active.get(naming.PERSON) if active is not None and active.get(naming.CLIP) == clip else None
    armature = retarget_source.of_clip(clip, person)
    if pose_row.is_pose(active) and active.get(naming.CLIP) == clip:
        world = world_from_camera(np.array(active[pose_row.UP]))
        pose, transl = (np.array(active[key]) for key in (pose_row.POSE, pose_row.TRANSL))
        motion = retarget_source.source_of_pose(armature, pose, transl, world)
        return Subject(f"{root.name} {active.name.lower()}", motion, *_seen(active, root), armature)
    motion = retarget_source.read_source(armature, np.array([frame]))
    bodies = naming.find("body", clip)
    body = next((item for item in bodies if item.get(naming.PERSON) == armature.get(naming.PERSON)), armature)
    if body is armature:
        raise HmdiffError("retarget.no_source", "This clip has no body.", "Import its take again.")
    return Subject(root.name, motion, *_seen(body, root), armature)


def _seen(item: Any, root: Any) -> tuple[Array, NDArray[np.integer]]:
    """What is shown of a body now: vertices (V,3) in the space of the clip's root, triangles (T,3)."""
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    mesh.calc_loop_triangles()
    points, corners = np.empty(3 * len(mesh.vertices), np.float32), np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.vertices.foreach_get("co", points)
    mesh.loop_triangles.foreach_get("vertices", corners)
    matrix = np.array(root.matrix_world.inverted_safe() @ evaluated.matrix_world)
    evaluated.to_mesh_clear()
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3], corners.reshape(-1, 3)
