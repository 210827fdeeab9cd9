"""The clip that is in the scene: its hypotheses, its camera."""

from __future__ import annotations

from typing import Any

import bpy

from ..scene import clips
from .base import Tab


class HMDIFF_PT_clip(Tab, bpy.types.Panel):
    bl_label = "Clip"
    bl_parent_id = "HMDIFF_PT_main"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return clips.chosen_root(context) is not None

    def draw(self, context: Any) -> None:
        layout = self.layout
        clip = clips.info(clips.chosen_root(context))
        people = f"{clip.people} {'person' if clip.people == 1 else 'people'}"
        layout.label(text=f"{clip.name}: {people}", icon="OUTLINER_OB_ARMATURE")
        if clip.hypotheses and not clip.running:
            row = layout.row(align=True)
            row.operator("hmdiff.show_hypothesis", text="", icon="TRIA_LEFT").step = -1
            words = "Estimate" if clip.shown < 0 else f"Hypothesis {clip.shown + 1} of {clip.hypotheses}"
            row.operator("hmdiff.show_hypothesis", text=words).index = -1
            row.operator("hmdiff.show_hypothesis", text="", icon="TRIA_RIGHT").step = 1
        column = layout.column(align=True)
        column.operator("hmdiff.look_through_camera", icon="CAMERA_DATA")
        column.operator("hmdiff.match_scene", icon="SCENE_DATA")
        if not clip.running:
            column.operator("hmdiff.scene_to_video", icon="SCENE_DATA")
            column.operator("hmdiff.video_to_scene", icon="FILE_MOVIE")
        if not clip.running:
            column.operator("hmdiff.remove_clip", icon="X")
            _where(layout, context.window_manager.hmdiff_work)


def _where(layout: Any, work: Any) -> None:
    """Which frames a change is for, and how far it fades; for the panels below."""
    column = layout.column(align=True)
    column.label(text="What is changed below is for")
    column.row(align=True).prop(work, "scope", expand=True)
    if work.scope == "RANGE":
        row = column.row(align=True)
        for name, last in (("first", False), ("last", True)):
            row.prop(work, name)
            row.operator("hmdiff.range_end", text="", icon="EYEDROPPER").last = last
    column.prop(work, "blend")


class HMDIFF_PT_more(Tab, bpy.types.Panel):
    bl_label = "More"
    bl_parent_id = "HMDIFF_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        self.layout.operator("hmdiff.import_take", icon="IMPORT")
        self.layout.operator("hmdiff.copy_report", icon="COPYDOWN")


CLASSES = (HMDIFF_PT_clip, HMDIFF_PT_more)
