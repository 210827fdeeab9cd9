"""Body shape back to the take's; the clip's time and the scene's brought together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy

from .. import session
from ..scene import opened
from ..scene.place import chosen_track
from ..scene.retime import clip_span, retime
from ..scene.timing import nominal_rate, scene_rate
from .base import Speaking
from .picker import Idle, whole_clip


class HMDIFF_OT_reset_shape(Idle, bpy.types.Operator):
    """Give the person the body shape that was seen in the footage"""

    bl_idname = "hmdiff.reset_shape"
    bl_label = "Shape from Footage"

    def work(self, context: Any) -> set[str]:
        root = whole_clip(context)
        track = chosen_track(context, root)
        edits = session.edits_now(root)
        if track is not None:
            person = replace(edits.of(track), betas=None)
            session.edit_clip(root, edits.with_person(track, person), "HMDiff shape from footage")
        return {"FINISHED"}


class HMDIFF_OT_scene_to_video(Speaking, bpy.types.Operator):
    """Give the scene the footage's frame rate, size and the clip's range, so that each frame of the one is a frame of
    the other"""

    bl_idname = "hmdiff.scene_to_video"
    bl_label = "Match Scene to Video"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        return not session.is_importing() and not session.is_changing()

    def work(self, context: Any) -> set[str]:
        root, scene = whole_clip(context), context.scene
        take = opened.open_now(root)
        rate = nominal_rate(take.times, take.header.fps)
        scene.render.fps, scene.render.fps_base = scene_rate(rate)
        retime(root, take, scene.render.fps / scene.render.fps_base)
        scene.render.resolution_x, scene.render.resolution_y = take.header.width, take.header.height
        span = clip_span(root, take)
        scene.frame_start, scene.frame_end = span
        return {"FINISHED"}


class HMDIFF_OT_video_to_scene(Speaking, bpy.types.Operator):
    """The scene's frame rate was changed: let the clip and its footage run at their own speed again"""

    bl_idname = "hmdiff.video_to_scene"
    bl_label = "Match Video to Scene"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        return not session.is_importing() and not session.is_changing()

    def work(self, context: Any) -> set[str]:
        root, render = whole_clip(context), context.scene.render
        retime(root, opened.open_now(root), render.fps / render.fps_base)
        return {"FINISHED"}


CLASSES = (HMDIFF_OT_reset_shape, HMDIFF_OT_scene_to_video, HMDIFF_OT_video_to_scene)
