"""The backend by hand; a run starts it by itself."""

from __future__ import annotations

from typing import Any

import bpy

from .. import report, session
from ..core.events import Dismissed, StartAsked, StopAsked
from .base import Speaking


class HMDIFF_OT_start_backend(Speaking, bpy.types.Operator):
    """Start the backend now, so that the first run need not wait for it"""

    bl_idname = "hmdiff.start_backend"
    bl_label = "Start Backend"

    def work(self, context: Any) -> set[str]:
        session.dispatch(StartAsked())
        return {"FINISHED"}


class HMDIFF_OT_stop_backend(Speaking, bpy.types.Operator):
    """End the backend; a run that is going on is stopped and can be resumed"""

    bl_idname = "hmdiff.stop_backend"
    bl_label = "Stop Backend"

    def work(self, context: Any) -> set[str]:
        session.dispatch(StopAsked())
        return {"FINISHED"}


class HMDIFF_OT_dismiss(Speaking, bpy.types.Operator):
    """Close this message"""

    bl_idname = "hmdiff.dismiss"
    bl_label = "Close"

    def work(self, context: Any) -> set[str]:
        session.dispatch(Dismissed())
        return {"FINISHED"}


class HMDIFF_OT_copy_report(Speaking, bpy.types.Operator):
    """Copy the error, the versions and the end of the backend's log, to paste them into a report"""

    bl_idname = "hmdiff.copy_report"
    bl_label = "Copy Report"

    def work(self, context: Any) -> set[str]:
        context.window_manager.clipboard = report.text()
        self.report({"INFO"}, "The report is in the clipboard.")
        return {"FINISHED"}


CLASSES = (HMDIFF_OT_start_backend, HMDIFF_OT_stop_backend, HMDIFF_OT_dismiss, HMDIFF_OT_copy_report)
