"""Choosing the footage with a file browser that shows only what can be used."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty

from .base import Speaking


class HMDIFF_OT_choose_footage(Speaking, bpy.types.Operator):
    """Choose a movie, a photo or one picture of a sequence"""

    bl_idname = "hmdiff.choose_footage"
    bl_label = "Choose Footage"
    bl_options = {"INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_movie: BoolProperty(default=True, options={"HIDDEN"})
    filter_image: BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: Any) -> set[str]:
        settings = context.scene.hmdiff
        name = "sequence" if settings.source == "SEQUENCE" else "filepath"
        setattr(settings, name, self.filepath)
        return {"FINISHED"}


CLASSES = (HMDIFF_OT_choose_footage,)
