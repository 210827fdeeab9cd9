"""Bone maps: filled by names, kept among the user's own, taken from a file and given to one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty
from hmdiff_wire.errors import HmdiffError

from .. import character, preferences
from ..core import bone_map_names, bone_maps
from .base import Speaking


def maps_folder() -> Path:
    return preferences.user_folder() / "bone_maps"


def _armature(context: Any) -> Any:
    armature = character.armature_of(context.scene.hmdiff_character.target)
    if armature is None:
        raise HmdiffError("retarget.not_armature", "No character is chosen.", "Choose its armature in Character.")
    return armature


class HMDIFF_OT_fill_bone_map(Speaking, bpy.types.Operator):
    """Fill the list by the names of the character's bones"""

    bl_idname = "hmdiff.fill_bone_map"
    bl_label = "Fill by Names"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: Any) -> set[str]:
        found = character.automatic(_armature(context))
        character.store_map(context.scene.hmdiff_character, found)
        self.report({"INFO"}, f"{found.name}: {len(found.bones)} of {len(bone_maps.JOINTS)} bones")
        return {"FINISHED"}


_items: list[tuple[str, str, str]] = []


def _map_items(self: Any, context: Any) -> list[tuple[str, str, str]]:
    own = [(f"own:{name}", name, str(path)) for name, path in bone_maps.stored_maps(maps_folder()).items()]
    # Blender does not keep the strings itself.
    _items[:] = own + [(f"known:{rig.name}", rig.name, "Comes with HMDiff") for rig in bone_map_names.KNOWN]
    return _items


class HMDIFF_OT_load_bone_map(Speaking, bpy.types.Operator):
    """Use a bone map of your own or one that comes with HMDiff"""

    bl_idname = "hmdiff.load_bone_map"
    bl_label = "Use Bone Map"
    bl_options = {"REGISTER", "UNDO"}

    choice: EnumProperty(name="Map", items=_map_items)

    def work(self, context: Any) -> set[str]:
        kind, _, name = self.choice.partition(":")
        if kind == "own":
            found = bone_maps.read_map(bone_maps.stored_maps(maps_folder())[name])
        else:
            known = bone_map_names.by_name(name, _armature(context).data.bones.keys())
            assert known is not None
            found = known
        character.store_map(context.scene.hmdiff_character, found)
        return {"FINISHED"}


class HMDIFF_OT_save_bone_map(Speaking, bpy.types.Operator):
    """Keep this bone map among your own, for other files"""

    bl_idname = "hmdiff.save_bone_map"
    bl_label = "Keep Bone Map"

    name: StringProperty(name="Name")

    def invoke(self, context: Any, event: Any) -> set[str]:
        self.name = context.scene.hmdiff_character.map_name
        return context.window_manager.invoke_props_dialog(self)

    def work(self, context: Any) -> set[str]:
        settings = context.scene.hmdiff_character
        name = self.name or settings.map_name
        kept = character.chosen_map(settings)
        path = maps_folder() / bone_maps.file_name(name)
        bone_maps.write_map(path, bone_maps.BoneMap(name, kept.bones, kept.switches))
        settings.map_name = name
        self.report({"INFO"}, f"Kept as {path.stem}")
        return {"FINISHED"}


class HMDIFF_OT_import_bone_map(Speaking, bpy.types.Operator):
    """Use a bone map from a file"""

    bl_idname = "hmdiff.import_bone_map"
    bl_label = "Import Bone Map"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: Any) -> set[str]:
        found = bone_maps.read_map(Path(bpy.path.abspath(self.filepath)))
        character.store_map(context.scene.hmdiff_character, found)
        return {"FINISHED"}


class HMDIFF_OT_export_bone_map(Speaking, bpy.types.Operator):
    """Write this bone map to a file, for somebody else"""

    bl_idname = "hmdiff.export_bone_map"
    bl_label = "Export Bone Map"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        self.filepath = bone_maps.file_name(context.scene.hmdiff_character.map_name or "bone map")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: Any) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        bone_maps.write_map(path.with_suffix(".json"), character.chosen_map(context.scene.hmdiff_character))
        return {"FINISHED"}


CLASSES = (
    HMDIFF_OT_fill_bone_map, HMDIFF_OT_load_bone_map, HMDIFF_OT_save_bone_map, HMDIFF_OT_import_bone_map,
    HMDIFF_OT_export_bone_map,
)  # fmt: skip
