"""A photo to a posed body at the current frame."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import StringProperty

from .. import request, session
from ..core.events import RunAsked
from ..core.source import PHOTO_SUFFIXES
from .base import Speaking


class HMDIFF_OT_photo(Speaking, bpy.types.Operator):
    """Choose a photo; the body in its pose appears at the current frame"""

    bl_idname = "hmdiff.photo"
    bl_label = "Pose from Photo"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in sorted(PHOTO_SUFFIXES)), options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        return session.state().active_job is None

    def invoke(self, context: Any, event: Any) -> set[str]:
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: Any) -> set[str]:
        session.dispatch(RunAsked(request.for_photo(context, bpy.path.abspath(self.filepath)), request.new_id()))
        return {"FINISHED"}


CLASSES = (HMDIFF_OT_photo,)
