"""Which frames, which people, how well."""

from __future__ import annotations

from typing import Any

import bpy

from .. import footage_choice, session
from ..core.cost import spoken
from .base import Tab, paragraph


class HMDIFF_PT_settings(Tab, bpy.types.Panel):
    bl_label = "Settings"
    bl_parent_id = "HMDIFF_PT_main"

    def draw(self, context: Any) -> None:
        settings = context.scene.hmdiff
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "preset")
        frames = footage_choice.frames_to_do(settings)
        each = session.cost(settings, 100) / 100
        rate = f"{1 / each:.0f} frames a second" if each < 0.7 else f"{each:.1f} s a frame"
        total = f", {spoken(session.cost(settings, frames))} in all" if frames else ""
        paragraph(layout, context, f"One person: {rate}{total}")
        layout.prop(settings, "hypotheses")
        layout.prop(settings, "use_range")
        if settings.use_range:
            column = layout.column(align=True)
            column.prop(settings, "first")
            column.prop(settings, "last")
        layout.prop(settings, "start")
        layout.prop(settings, "use_smooth")
        if settings.use_smooth:
            layout.prop(settings, "smooth")
        layout.prop(settings, "follow")


class HMDIFF_PT_people(Tab, bpy.types.Panel):
    bl_label = "People"
    bl_parent_id = "HMDIFF_PT_main"

    def draw(self, context: Any) -> None:
        layout, settings = self.layout, context.scene.hmdiff
        layout.prop(settings, "people", text="")
        if settings.people != "chosen":
            return
        row = layout.row(align=True)
        row.operator("hmdiff.find_people", icon="VIEWZOOM")
        row.operator("hmdiff.draw_boxes", icon="SELECT_SET")
        for person in context.window_manager.hmdiff.people:
            row = layout.row()
            if person.icon:
                row.template_icon(icon_value=person.icon, scale=3.0)
            row.prop(person, "use", text=person.name)


CLASSES = (HMDIFF_PT_settings, HMDIFF_PT_people)
