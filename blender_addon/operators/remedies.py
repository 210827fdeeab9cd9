"""Buttons beside problems: a take that was moved, a run to begin anew, the preferences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take_format import MANIFEST, read_manifest

from .. import preferences, request, session
from ..core.events import Dismissed, RunAsked
from ..scene import clips, naming
from .base import Speaking


class HMDIFF_OT_find_take(Speaking, bpy.types.Operator):
    """Say where the folder of this clip's take is now"""

    bl_idname = "hmdiff.find_take"
    bl_label = "Find the Take"
    bl_options = {"REGISTER", "UNDO"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        return clips.chosen_root(context) is not None

    def invoke(self, context: Any, event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: Any) -> set[str]:
        root = clips.chosen_root(context)
        folder = Path(self.directory)
        if not (folder / MANIFEST).is_file():
            raise HmdiffError("take.missing", f"{folder.name} is not a take.", "Choose a folder with a manifest.json.")
        if read_manifest(folder).header.uuid != root[naming.CLIP]:
            raise HmdiffError(
                "take.other", f"{folder.name} is the take of another clip.", "Choose the one this clip was made from."
            )
        for item in (*bpy.data.objects, *bpy.data.collections):
            if item.get(naming.CLIP) == root[naming.CLIP] and item.get(naming.TAKE):
                item[naming.TAKE] = naming.stored_path(folder)
        session.dispatch(Dismissed())
        return {"FINISHED"}


class HMDIFF_OT_run_anew(Speaking, bpy.types.Operator):
    """Begin the clip again with a take of its own; the old take stays as it is"""

    bl_idname = "hmdiff.run_anew"
    bl_label = "Begin a New Take"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return session.state().active_job is None

    def work(self, context: Any) -> set[str]:
        job = session.state().job
        if job is None or not job.request.source:
            session.dispatch(RunAsked(request.for_footage(context), request.new_id()))
            return {"FINISHED"}
        wanted = request.anew(job.request)
        session.dispatch(RunAsked(wanted, request.new_id()))
        return {"FINISHED"}


class HMDIFF_OT_show_preferences(Speaking, bpy.types.Operator):
    """The preferences of HMDiff: the backend, where takes go"""

    bl_idname = "hmdiff.show_preferences"
    bl_label = "Preferences"

    def work(self, context: Any) -> set[str]:
        bpy.ops.preferences.addon_show(module=preferences.PACKAGE)
        return {"FINISHED"}


CLASSES = (HMDIFF_OT_find_take, HMDIFF_OT_run_anew, HMDIFF_OT_show_preferences)
