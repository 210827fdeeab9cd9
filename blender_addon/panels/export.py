"""Exporting: the active clip or the selected character."""

from __future__ import annotations

from typing import Any

import bpy

from ..export_settings import character_name, draw_choices
from ..scene import clips
from .base import Tab, paragraph


class HMDIFF_PT_export(Tab, bpy.types.Panel):
    bl_label = "Export"
    bl_parent_id = "HMDIFF_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        layout, settings = self.layout, context.scene.hmdiff_export
        draw_choices(layout, settings)
        layout.prop(settings, "filepath", text="")
        words = self._subject(context, settings)
        row = layout.row()
        row.scale_y = 1.3
        row.enabled = bool(words)
        row.operator("hmdiff.export", text=f"Export {words}" if words else "Export", icon="EXPORT")
        if not words:
            missing = "Select a character." if settings.subject == "CHARACTER" else "There is no finished clip."
            paragraph(layout, context, missing, "INFO")

    @staticmethod
    def _subject(context: Any, settings: Any) -> str:
        if settings.subject == "CHARACTER":
            return character_name(context)
        root = clips.chosen_root(context)
        return root.name if root is not None and not clips.info(root).running else ""


CLASSES = (HMDIFF_PT_export,)
