"""USD: vertices that move, or bodies with a skeleton (UsdSkel); y up and metres, as most programs have it."""

from __future__ import annotations

from pathlib import Path

import bpy

from .caches import playing
from .staged import staged
from .wish import What, Wish


def write(path: Path, wish: Wish) -> list[Path]:
    """All people of the clip and the camera in one file."""
    body = wish.what in (None, What.BODY)
    with staged(wish, bones=not body, rigged=wish.what is What.RIGGED, shapes=body) as stage:
        objects = [item for one in stage.people for item in (one.armature, one.rigged) if item is not None]
        if body:
            objects = [playing(stage, person) for person in stage.people if person.body is not None]
        if stage.camera is not None:
            objects.append(stage.camera)
        stage.run(
            bpy.ops.wm.usd_export, objects, filepath=str(path), selected_objects_only=True, export_animation=True,
            export_armatures=not body, only_deform_bones=False, export_shapekeys=not body, export_uvmaps=True,
            export_normals=True, export_materials=True, generate_preview_surface=True,
            export_hair=False, export_lights=False, export_custom_properties=False, convert_orientation=True,
            export_global_forward_selection="NEGATIVE_Z", export_global_up_selection="Y", root_prim_path="/HMDiff",
            convert_world_material=False, evaluation_mode="RENDER",
        )  # fmt: skip
    return [path]
