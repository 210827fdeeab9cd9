"""Onto the character: which, how, and the bone map."""

from __future__ import annotations

from typing import Any

import bpy

from .. import character
from ..core.bone_maps import NEEDED, spoken
from ..scene import clips
from .base import Tab, paragraph


class HMDIFF_PT_character(Tab, bpy.types.Panel):
    bl_label = "Character"
    bl_parent_id = "HMDIFF_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        layout, settings = self.layout, context.scene.hmdiff_character
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "target", icon="ARMATURE_DATA")
        if settings.target is None:
            paragraph(layout, context, "Choose your character's armature; the clip's motion goes onto it.", "INFO")
            return
        root = clips.chosen_root(context)
        if root is not None and clips.info(root).people > 1:
            layout.prop(settings, "person")
        layout.prop(settings, "mode", expand=True)
        if settings.mode == "BAKE":
            layout.prop(settings, "root_motion")
            layout.prop(settings, "place")
            layout.prop(settings, "size")
        layout.prop(settings, "plant")
        layout.row(align=True).prop(settings, "parts", expand=True)
        missing = [spoken(line.name) for line in settings.bones if line.name in NEEDED and not line.bone]
        if missing:
            paragraph(layout, context, f"The bone map has no bone for {', '.join(missing)}.", "ERROR")
        row = layout.row()
        row.scale_y = 1.3
        row.operator("hmdiff.retarget", icon="ARMATURE_DATA")
        if bpy.ops.hmdiff.unlink_character.poll():
            layout.operator("hmdiff.unlink_character", icon="UNLINKED")


class HMDIFF_UL_bones(bpy.types.UIList):
    bl_idname = "HMDIFF_UL_bones"

    def draw_item(
        self, context: Any, layout: Any, data: Any, item: Any, icon: int, active_data: Any, active_property: str
    ) -> None:
        armature = character.armature_of(data.target)
        row = layout.split(factor=0.38)
        row.label(text=spoken(item.name).capitalize())
        row.alert = not item.bone and item.name in NEEDED
        if armature is not None:
            row.prop_search(item, "bone", armature.data, "bones", text="")
        else:
            row.prop(item, "bone", text="")


class HMDIFF_PT_bone_map(Tab, bpy.types.Panel):
    bl_label = "Bone Map"
    bl_parent_id = "HMDIFF_PT_character"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        return context.scene.hmdiff_character.target is not None

    def draw_header_preset(self, context: Any) -> None:
        self.layout.label(text=context.scene.hmdiff_character.map_name)

    def draw(self, context: Any) -> None:
        layout, settings = self.layout, context.scene.hmdiff_character
        row = layout.row(align=True)
        row.operator("hmdiff.fill_bone_map", icon="SHADERFX")
        row.operator_menu_enum("hmdiff.load_bone_map", "choice", text="Maps", icon="PRESET")
        layout.template_list("HMDIFF_UL_bones", "", settings, "bones", settings, "active", rows=8)
        row = layout.row(align=True)
        row.operator("hmdiff.save_bone_map", text="Keep", icon="FILE_TICK")
        row.operator("hmdiff.import_bone_map", text="Import", icon="IMPORT")
        row.operator("hmdiff.export_bone_map", text="Export", icon="EXPORT")


CLASSES = (HMDIFF_PT_character, HMDIFF_UL_bones, HMDIFF_PT_bone_map)
