"""What can be done with a clip that is in the scene."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import IntProperty
from hmdiff_wire.errors import HmdiffError

from .. import session
from ..scene import clips, importer, naming
from .base import Speaking


def _root(context: Any) -> Any:
    root = clips.chosen_root(context)
    if root is None:
        raise HmdiffError("clip.none", "There is no clip in this scene.", "Choose footage and press Run.")
    return root


class HMDIFF_OT_show_hypothesis(Speaking, bpy.types.Operator):
    """Let the clip's bodies and bones play the next explanation of the footage"""

    bl_idname = "hmdiff.show_hypothesis"
    bl_label = "Show Hypothesis"

    step: IntProperty(default=1, options={"SKIP_SAVE"})
    index: IntProperty(
        description="-1: the estimate, 0 and up: a hypothesis, -2: as the step says", default=-2, min=-2,
        options={"SKIP_SAVE"},
    )  # fmt: skip

    @classmethod
    def poll(cls, context: Any) -> bool:
        return not session.is_importing()

    def work(self, context: Any) -> set[str]:
        root = _root(context)
        clip = clips.info(root)
        if clip.running or not clip.hypotheses:
            raise HmdiffError("hypothesis.none", "This clip has no hypotheses to show.", "Run it to its end first.")
        wanted = self.index
        if wanted == -2:
            wanted = (clip.shown + 1 + self.step) % (clip.hypotheses + 1) - 1
        session.show_hypothesis(root, wanted)
        return {"FINISHED"}


class HMDIFF_OT_look_through_camera(Speaking, bpy.types.Operator):
    """Make the clip's camera the scene's camera and look through it, so that body and footage lie on each other"""

    bl_idname = "hmdiff.look_through_camera"
    bl_label = "Look Through Camera"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: Any) -> set[str]:
        camera = clips.camera_of(_root(context))
        if camera is None:
            raise HmdiffError("clip.no_camera", "This clip's camera is gone.", "Import its take again.")
        context.scene.camera = camera
        spaces = [context.space_data] if context.area and context.area.type == "VIEW_3D" else []
        for space in spaces or [area.spaces.active for area in _views(context)]:
            space.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


class HMDIFF_OT_match_scene(Speaking, bpy.types.Operator):
    """Give the scene the footage's size, and the frame range of the clip; the frame rate stays as it is"""

    bl_idname = "hmdiff.match_scene"
    bl_label = "Match Size and Range"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: Any) -> set[str]:
        root, scene = _root(context), context.scene
        camera = clips.camera_of(root)
        image = camera.data.background_images[0].image if camera and camera.data.background_images else None
        if image is not None and all(image.size):
            scene.render.resolution_x, scene.render.resolution_y = image.size
        span = clips.span(root)
        if span is not None:
            scene.frame_start, scene.frame_end = span
        return {"FINISHED"}


class HMDIFF_OT_remove_clip(Speaking, bpy.types.Operator):
    """Remove the clip's bodies, bones and camera from the scene; the take stays on disk"""

    bl_idname = "hmdiff.remove_clip"
    bl_label = "Remove Clip"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        return session.state().active_job is None and not session.is_importing()

    def work(self, context: Any) -> set[str]:
        importer.remove_clip(_root(context)[naming.CLIP])
        return {"FINISHED"}


def _views(context: Any) -> list[Any]:
    window = context.window or next(iter(context.window_manager.windows), None)
    return [area for area in window.screen.areas if area.type == "VIEW_3D"] if window else []


CLASSES = (
    HMDIFF_OT_show_hypothesis, HMDIFF_OT_look_through_camera, HMDIFF_OT_match_scene, HMDIFF_OT_remove_clip,
)  # fmt: skip
