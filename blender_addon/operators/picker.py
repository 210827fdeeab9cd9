"""Choosing among the hypotheses of a frame, and locking frames that are right."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, IntProperty
from hmdiff_wire.errors import HmdiffError
from mathutils import Matrix, Vector

from .. import session
from ..edits.record import ESTIMATE, Edits, Pick
from ..overlays import ghosts
from ..scene import clips, naming, opened, stored_edits
from ..scene.clock import clock_of
from ..scene.locking import iter_lock
from ..scene.place import Place, chosen_track, place_at, source_range
from .base import Speaking


def whole_clip(context: Any) -> Any:
    """The root of the chosen clip. Errors: there is none, or it is still running."""
    root = clips.chosen_root(context)
    if root is None:
        raise HmdiffError("clip.none", "There is no clip in this scene.", "Choose footage and press Run.")
    if clips.info(root).running:
        raise HmdiffError("clip.running", "This clip is still being made.", "Wait until its run has ended.")
    return root


def here(context: Any, root: Any) -> tuple[Any, Place]:
    """The take of a clip, and where in it the artist is. Errors: nobody is there."""
    take = opened.open_now(root, stored_edits.edits_of(root).version)
    place = place_at(
        take, clock_of(root).frame_map(take), chosen_track(context, root), context.scene.frame_current_final
    )
    if place is None or not place.seen:
        raise HmdiffError("place.nobody", "Nobody is in this frame.", "Go to a frame in which the person is seen.")
    return take, place


def frames_meant(context: Any, root: Any, take: Any, place: Place) -> tuple[int, int]:
    """First and last frame of the source that the panel's scope means."""
    work = context.window_manager.hmdiff_work
    if work.scope == "FRAME":
        return place.frame, place.frame
    if work.scope == "CLIP":
        return int(take.frame_indices[0]), int(take.frame_indices[-1])
    found = source_range(take, clock_of(root).frame_map(take), work.first, work.last)
    if found is None:
        raise HmdiffError(
            "place.range", "No frame of the clip is in this range.", "Choose another first and last frame."
        )
    return found


class Idle(Speaking):
    """An operator that changes a clip: not while a result is coming in."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        return not session.is_importing()


class HMDIFF_OT_candidate(Idle, bpy.types.Operator):
    """Look at the next explanation of this frame, in the order of their scores"""

    bl_idname = "hmdiff.candidate"
    bl_label = "Next Hypothesis"

    step: IntProperty(default=1, options={"SKIP_SAVE"})
    index: IntProperty(default=-1, min=-1, options={"SKIP_SAVE"})

    def work(self, context: Any) -> set[str]:
        root = whole_clip(context)
        work = context.window_manager.hmdiff_work
        if not clips.info(root).hypotheses:
            raise HmdiffError("hypothesis.none", "This clip has no hypotheses.", "Run it with more than one.")
        work.ghosts = True
        ghosts.refresh()
        found = ghosts.wait()
        if found is None or not found.order:
            raise HmdiffError(
                "hypothesis.none", "This frame has no hypotheses.", "Go to one in which the person is seen."
            )
        if self.index >= 0:
            work.candidate = self.index
            return {"FINISHED"}
        rank = found.rank(work.candidate)
        start = rank - 1 if rank else (-1 if self.step > 0 else 0)
        work.candidate = found.order[(start + self.step) % len(found.order)]
        return {"FINISHED"}


class HMDIFF_OT_use_here(Idle, bpy.types.Operator):
    """Let the clip play this explanation here, and fade into what is around it"""

    bl_idname = "hmdiff.use_here"
    bl_label = "Use Here"

    hypothesis: IntProperty(
        description="0 and up: a hypothesis, -1: the estimate again, -2: the one that is looked at", default=-2, min=-2,
        options={"SKIP_SAVE"},
    )  # fmt: skip

    def work(self, context: Any) -> set[str]:
        root, work = whole_clip(context), context.window_manager.hmdiff_work
        wanted = work.candidate if self.hypothesis == -2 else self.hypothesis
        if self.hypothesis == -2 and wanted < 0:
            raise HmdiffError("hypothesis.none", "No hypothesis is chosen.", "Choose one with the arrows first.")
        take, place = here(context, root)
        if wanted >= take.n_hypotheses:
            raise HmdiffError(
                "hypothesis.none", f"This clip has {take.n_hypotheses} hypotheses.", "Choose one of these."
            )
        first, last = frames_meant(context, root, take, place)
        edits = session.edits_now(root).picked(place.track, Pick(first, last, wanted, work.blend))
        words = "estimate" if wanted == ESTIMATE else f"hypothesis {wanted + 1}"
        session.edit_clip(root, edits, f"HMDiff use {words} here")
        return {"FINISHED"}


class HMDIFF_OT_lock_frame(Idle, bpy.types.Operator):
    """Keep this frame as it is whatever else is changed, or let it go again"""

    bl_idname = "hmdiff.lock_frame"
    bl_label = "Lock Frame"

    def work(self, context: Any) -> set[str]:
        root = whole_clip(context)
        _, place = here(context, root)
        session.finish_change()
        edits = session.edits_now(root)
        if edits.of(place.track).lock_at(place.frame) is not None:
            session.edit_clip(root, edits.unlocked(place.track, place.frame), "HMDiff unlock frame")
            return {"FINISHED"}
        blend = context.window_manager.hmdiff_work.blend
        session.change_clip(iter_lock(root, place.track, place.position, blend), "HMDiff lock frame")
        return {"FINISHED"}


class HMDIFF_OT_drop_edits(Idle, bpy.types.Operator):
    """Forget all choices, locks, corrections and sliders of this clip: back to the result as it came"""

    bl_idname = "hmdiff.drop_edits"
    bl_label = "Start Over"

    def work(self, context: Any) -> set[str]:
        root = whole_clip(context)
        session.edit_clip(root, Edits(), "HMDiff start over")
        return {"FINISHED"}


class HMDIFF_OT_finish_edits(Idle, bpy.types.Operator):
    """A change of this clip was cut short: finish it"""

    bl_idname = "hmdiff.finish_edits"
    bl_label = "Finish the Change"

    def work(self, context: Any) -> set[str]:
        root = whole_clip(context)
        session.edit_clip(root, stored_edits.edits_of(root), "HMDiff finish the change")
        return {"FINISHED"}


class HMDIFF_OT_range_end(Speaking, bpy.types.Operator):
    """Take the current frame as the end of the range"""

    bl_idname = "hmdiff.range_end"
    bl_label = "Current Frame"

    last: BoolProperty(options={"SKIP_SAVE"})

    def work(self, context: Any) -> set[str]:
        work, now = context.window_manager.hmdiff_work, context.scene.frame_current
        if self.last:
            work.last, work.first = now, min(work.first, now)
        else:
            work.first, work.last = now, max(work.last, now)
        return {"FINISHED"}


class HMDIFF_OT_side_view(Speaking, bpy.types.Operator):
    """Look at the person from the side, where depth shows; once more: through the clip's camera again"""

    bl_idname = "hmdiff.side_view"
    bl_label = "Side View"

    def work(self, context: Any) -> set[str]:
        root = whole_clip(context)
        space = context.space_data
        if space is None or space.type != "VIEW_3D":
            raise HmdiffError("view.none", "There is no 3D view here.", "Press the button in a 3D view's sidebar.")
        region_3d, camera = space.region_3d, clips.camera_of(root)
        ahead = (camera.matrix_world.to_3x3() @ Vector((0, 0, -1))) if camera else Vector((0, 1, 0))
        up = root.matrix_world.to_3x3() @ Vector((0, 0, 1))
        right = ahead.cross(up).normalized()
        ahead = up.cross(right)
        # The view's axes: its x is the camera's direction, its z points at who looks.
        axes = Matrix((ahead, up, right)).transposed()
        wanted = axes.to_quaternion()
        if camera and region_3d.view_perspective != "CAMERA" and _alike(region_3d.view_rotation, wanted):
            context.scene.camera = camera
            region_3d.view_perspective = "CAMERA"
            return {"FINISHED"}
        region_3d.view_perspective = "ORTHO"
        region_3d.view_rotation = wanted
        region_3d.view_location = _middle(context, root)
        region_3d.view_distance = 3.0
        return {"FINISHED"}


def _alike(first: Any, second: Any) -> bool:
    return abs(first.dot(second)) > 0.9999


def _middle(context: Any, root: Any) -> Any:
    """Of the person, by the pelvis of their armature at this frame."""
    track = chosen_track(context, root)
    for armature in naming.find("armature", root[naming.CLIP]):
        if armature.get(naming.PERSON) == track and "pelvis" in armature.pose.bones:
            return armature.matrix_world @ armature.pose.bones["pelvis"].head
    return root.matrix_world.translation


CLASSES = (
    HMDIFF_OT_candidate, HMDIFF_OT_use_here, HMDIFF_OT_lock_frame, HMDIFF_OT_drop_edits, HMDIFF_OT_finish_edits,
    HMDIFF_OT_range_end, HMDIFF_OT_side_view,
)  # fmt: skip
