"""Binary glTF: skinned bodies with their bones, or short clips as one morph target per frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .morphs import morphing
from .run import run_selected
from .staged import staged
from .wish import What, Wish


def write(path: Path, wish: Wish) -> list[Path]:
    """Four bones per vertex, which every viewer knows; the free body loses at most 3.4 % of a vertex's weight by it."""
    body = wish.what is What.BODY
    with staged(wish, bones=not body, rigged=wish.what in (None, What.RIGGED), shapes=body) as stage:
        objects = [item for one in stage.people for item in (one.armature, one.rigged) if item is not None]
        if body:
            objects = [morphing(stage, one) for one in stage.people]
        if stage.camera is not None:
            objects.append(stage.camera)
        write_objects(path, stage.scene, objects)
    return [path]


def write_objects(path: Path, scene: Any, objects: list[Any], deform_only: bool = False) -> None:
    """What stands in a temporary scene; deform_only: without control bones."""
    # Blender's exporter (4.2 to 5.2) takes fps * fps_base for the rate, which is fps / fps_base everywhere else.
    scene.render.fps_base = 1.0 / scene.render.fps_base
    # Without export_anim_single_armature=False a lone armature gets every action of the file.
    run_selected(
        bpy.ops.export_scene.gltf, scene, objects, filepath=str(path), export_format="GLB", use_selection=True,
        use_active_scene=True, export_cameras=True, export_yup=True, export_skins=True, export_influence_nb=4,
        export_def_bones=deform_only, export_rest_position_armature=True, export_animations=True,
        export_animation_mode="ACTIVE_ACTIONS", export_anim_single_armature=False, export_force_sampling=True,
        export_frame_range=False, export_anim_slide_to_zero=False, export_optimize_animation_size=False,
        export_morph=True, export_morph_normal=False, export_try_sparse_sk=True, export_apply=False,
    )  # fmt: skip
