"""Run, cancel, resume, and the import of a take from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty
from hmdiff_wire.errors import HmdiffError

from .. import request, session
from ..core.events import CancelAsked, RunAsked
from ..core.state import resume_request
from ..scene import clips, naming
from .base import Speaking


class HMDIFF_OT_run(Speaking, bpy.types.Operator):
    """Animate bodies from the footage. Blender stays usable meanwhile; the bodies appear as frames finish"""

    bl_idname = "hmdiff.run"
    bl_label = "Run"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return session.state().active_job is None

    def work(self, context: Any) -> set[str]:
        session.dispatch(RunAsked(request.for_footage(context), request.new_id()))
        return {"FINISHED"}


class HMDIFF_OT_cancel(Speaking, bpy.types.Operator):
    """Stop the run and keep what is finished; once more: stop it at once"""

    bl_idname = "hmdiff.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return session.state().active_job is not None

    def work(self, context: Any) -> set[str]:
        session.dispatch(CancelAsked())
        return {"FINISHED"}


class HMDIFF_OT_resume(Speaking, bpy.types.Operator):
    """Go on where the run was stopped, with the same settings"""

    bl_idname = "hmdiff.resume"
    bl_label = "Resume"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return session.state().active_job is None

    def work(self, context: Any) -> set[str]:
        root, job = clips.chosen_root(context), session.state().job
        if root is not None and not clips.info(root).complete:
            wanted = request.to_resume(context, root)
        elif job is not None and job.resumable:
            wanted = resume_request(job)
        else:
            raise HmdiffError("clip.none", "There is no unfinished clip.", "Choose one, or press Run.")
        session.dispatch(RunAsked(wanted, request.new_id()))
        return {"FINISHED"}


class HMDIFF_OT_import_take(Speaking, bpy.types.Operator):
    """Put a result from disk into the scene, such as one of `hmdiff animate`"""

    bl_idname = "hmdiff.import_take"
    bl_label = "Import Take"
    bl_options = {"REGISTER", "UNDO"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: Any) -> set[str]:
        from ..scene.build import BuildOptions, build_scene
        from ..scene.importer import read_for_import

        take = read_for_import(Path(self.directory))
        start = request.start_frame(context.scene)
        objects = build_scene(take, BuildOptions(hypotheses=0, start=start), context.scene)
        objects.root[naming.COMPLETE] = take.run_status == "complete"
        clips.select_clip(objects.root)
        return {"FINISHED"}


CLASSES = (HMDIFF_OT_run, HMDIFF_OT_cancel, HMDIFF_OT_resume, HMDIFF_OT_import_take)
