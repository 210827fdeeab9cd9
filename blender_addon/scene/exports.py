"""Writing scenes to files other programs read. Absolute shape keys come out frozen or exploded in glTF (blender_facts,
section d), and an FBX of many keys is huge; so what moves in .glb and .fbx is the rigged body with its bones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError

from . import naming
from .rigged import bake_body_shape

SUFFIXES = (".blend", ".glb", ".fbx", ".bvh")


def export(path: Path, clip: str | None = None) -> list[Path]:
    """Write the file its suffix asks for; returns the files written (.bvh: one per person). clip: a take's uuid.

    Errors: ``export.suffix``, ``export.nothing``, ``export.failed``.
    """
    writer = {".blend": save_blend, ".glb": export_glb, ".fbx": export_fbx, ".bvh": export_bvh}[checked_suffix(path)]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return writer(path, clip)
    except RuntimeError as error:
        raise HmdiffError(
            "export.failed", f"Blender could not write {path.name}.",
            "Check that the folder can be written and that the import-export add-ons are enabled.", str(error),
        ) from error  # fmt: skip


def checked_suffix(path: Path) -> str:
    """The suffix in lower case. Errors: ``export.suffix``."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise HmdiffError(
            "export.suffix", f"Blender cannot write {suffix or 'a file without a suffix'} from here.",
            f"Choose a name that ends in {', '.join(SUFFIXES)}.",
        )  # fmt: skip
    return suffix


def save_blend(path: Path, clip: str | None = None) -> list[Path]:
    """The whole file, compressed; paths in it were made relative when the objects were made."""
    del clip
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True, check_existing=False)
    return [path]


def export_glb(path: Path, clip: str | None = None) -> list[Path]:
    """Rigged bodies, armatures and cameras as binary glTF, sampled on the scene's frames.

    Four bones per vertex, which every viewer knows; the free body loses at most 3.4 % of a vertex's weight by it.
    """
    with _selected(clip, ("armature", "camera"), rigged=True):
        bpy.ops.export_scene.gltf(
            filepath=str(path), export_format="GLB", use_selection=True, export_cameras=True, export_yup=True,
            export_skins=True, export_influence_nb=4, export_def_bones=False, export_rest_position_armature=True,
            export_animations=True, export_animation_mode="ACTIVE_ACTIONS", export_force_sampling=True,
            export_frame_range=False, export_anim_slide_to_zero=True, export_optimize_animation_size=False,
            export_morph_normal=False, export_try_sparse_sk=True, export_apply=False,
        )  # fmt: skip
    return [path]


def export_fbx(path: Path, clip: str | None = None) -> list[Path]:
    """Rigged bodies and armatures; with Blender's default of baking all actions the motion would not come back."""
    with _selected(clip, ("armature",), rigged=True):
        bpy.ops.export_scene.fbx(
            filepath=str(path), use_selection=True, object_types={"ARMATURE", "MESH"}, add_leaf_bones=False,
            bake_anim=True, bake_anim_use_all_actions=False, bake_anim_use_nla_strips=False,
            bake_anim_simplify_factor=0.0, mesh_smooth_type="FACE", path_mode="STRIP",
        )  # fmt: skip
    return [path]


def export_bvh(path: Path, clip: str | None = None) -> list[Path]:
    """One skeleton per file: NAME.bvh for one person, NAME_1.bvh and so on by track id for several."""
    scene = bpy.context.scene
    armatures = naming.find("armature", clip)
    written = []
    for armature in armatures:
        track = armature[naming.PERSON]
        target = path if len(armatures) == 1 else path.with_name(f"{path.stem}_{track}{path.suffix}")
        with _selected(clip, (), only=armature):
            bpy.ops.export_anim.bvh(
                filepath=str(target), frame_start=scene.frame_start, frame_end=scene.frame_end,
                rotate_mode="NATIVE", root_transform_only=True,
            )  # fmt: skip
        written.append(target)
    if not written:
        raise _nothing()
    return written


@contextmanager
def _selected(clip: str | None, roles: tuple[str, ...], rigged: bool = False, only: Any = None) -> Iterator[None]:
    """Select what is to be exported, plain copies of the rigged bodies among it; afterwards all is as it was."""
    layer = bpy.context.view_layer
    before = [item for item in layer.objects if item.select_get()], layer.objects.active
    items = [only] if only is not None else [item for role in roles for item in naming.find(role, clip)]
    copies = [_plain_copy(item) for item in naming.find("rigged", clip)] if rigged else []
    if rigged and not copies:
        raise _nothing()
    try:
        for item in layer.objects:
            item.select_set(item in items or item in copies)
        layer.objects.active = (items or copies)[0]
        yield
    finally:
        for copy in copies:
            bpy.data.meshes.remove(copy.data)
        for item in layer.objects:
            item.select_set(item in before[0])
        layer.objects.active = before[1]


def _plain_copy(rigged: Any) -> Any:
    copy = rigged.copy()
    copy.data = rigged.data.copy()
    copy.name = rigged.name.replace(" rigged", "")
    copy.animation_data_clear()  # presence is keyed on the original; other formats cannot hide
    copy.hide_viewport = copy.hide_render = False
    bpy.context.scene.collection.objects.link(copy)
    bake_body_shape(copy)
    return copy


def _nothing() -> HmdiffError:
    return HmdiffError(
        "export.nothing", "There is no body of HMDiff in this file to export.", "Load a take first, then export again."
    )
