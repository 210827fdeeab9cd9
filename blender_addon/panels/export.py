"""Exporting: the active clip or the selected character."""

from __future__ import annotations

from typing import Any

import bpy

from .. import export_process
from ..core.export_rules import share, words
from ..export_settings import character_name, draw_choices
from ..scene import clips
from .base import Tab, paragraph


class HMDIFF_PT_export(Tab, bpy.types.Panel):
    bl_label = "Export"
    bl_parent_id = "HMDIFF_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: Any) -> None:
        if export_process.busy():
            self.layout.label(text=f"{share(export_process.progress()):.0%} ")

    def draw(self, context: Any) -> None:
        layout, settings = self.layout, context.scene.hmdiff_export
        draw_choices(layout, settings)
        layout.prop(settings, "filepath", text="")
        if export_process.busy():
            _progress(layout, context)
            return
        subject = self._subject(context, settings)
        row = layout.row()
        row.scale_y = 1.3
        row.enabled = bool(subject)
        row.operator("hmdiff.export", text=f"Export {subject}" if subject else "Export", icon="EXPORT")
        if export_process.result():
            paragraph(layout, context, export_process.result(), "CHECKMARK")
        if not subject:
            missing = "Select a character." if settings.subject == "CHARACTER" else "There is no finished clip."
            paragraph(layout, context, missing, "INFO")

    @staticmethod
    def _subject(context: Any, settings: Any) -> str:
        if settings.subject == "CHARACTER":
            return character_name(context)
        root = clips.chosen_root(context)
        return root.name if root is not None and not clips.info(root).running else ""


def _progress(layout: Any, context: Any) -> None:
    told = export_process.progress()
    column = layout.column(align=True)
    column.progress(factor=share(told), type="BAR", text=words(told))
    row = column.row(align=True)
    row.scale_y = 1.3
    row.operator("hmdiff.cancel_export", text=f"Cancel {export_process.name()}", icon="CANCEL")


CLASSES = (HMDIFF_PT_export,)
