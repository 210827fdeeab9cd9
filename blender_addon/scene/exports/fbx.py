"""FBX: y up and centimetres inside, as its readers expect; Blender's own importer undoes both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .morphs import morphing
from .run import run_selected
from .staged import staged
from .wish import What, Wish


def write(path: Path, wish: Wish) -> list[Path]:
    """Bodies with their bones, bones alone, or short clips as shape keys."""
    body = wish.what is What.BODY
    with staged(wish, bones=not body, rigged=wish.what in (None, What.RIGGED), shapes=body) as stage:
        objects = [item for one in stage.people for item in (one.armature, one.rigged) if item is not None]
        if body:
            objects = [morphing(stage, one) for one in stage.people]
        write_objects(path, stage.scene, objects)
    return [path]


def write_objects(path: Path, scene: Any, objects: list[Any], deform_only: bool = False) -> None:
    """What stands in a temporary scene; deform_only: without control bones."""
    # With Blender's default of baking all actions and strips the motion does not come back.
    run_selected(
        bpy.ops.export_scene.fbx, scene, objects, filepath=str(path), use_selection=True,
        object_types={"ARMATURE", "MESH"}, add_leaf_bones=False, use_armature_deform_only=deform_only, bake_anim=True,
        bake_anim_use_all_actions=False, bake_anim_use_nla_strips=False, bake_anim_simplify_factor=0.0,
        mesh_smooth_type="FACE", path_mode="AUTO",
    )  # fmt: skip
