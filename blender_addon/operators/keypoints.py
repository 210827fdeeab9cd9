"""The detected joints as handles over the footage: drag, hide, show; the body follows what was corrected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy
from bpy.props import FloatVectorProperty, StringProperty
from hmdiff_wire.errors import HmdiffError

from .. import corrections, following, session
from ..overlays import joints
from ..overlays.joints import Handle, Joints
from ..scene import clips, naming, stored_edits
from .base import Speaking
from .picker import Idle, frames_meant, here, whole_clip


def correct(context: Any, root: Any, edits: list[Mapping[str, Any]], label: str) -> None:
    """Ask the backend to follow these edits in the frames that the panel means."""
    work = context.window_manager.hmdiff_work
    options: dict[str, Any] = {"spread": work.blend}
    take, place = here(context, root)
    if work.scope != "FRAME":
        first, last = frames_meant(context, root, take, place)
        if edits and not first <= place.frame <= last:
            raise HmdiffError("place.range", "This frame is outside the range.", "Choose a range around it.")
        options |= {"frame_range": [first, last + 1], "detections": True}
    corrections.ask(root, edits, options, label)


def _handle(context: Any, name: str) -> tuple[Any, Joints, Handle]:
    """Errors: the joint is not in this frame."""
    root = whole_clip(context)
    joints.refresh()
    found = joints.wait()
    one = next((handle for handle in found.handles() if handle.name == name), None) if found is not None else None
    if found is None or one is None:
        raise HmdiffError(
            "keypoint.none", "This joint is not in this frame.", "Go to a frame in which it was detected."
        )
    return root, found, one


def _edit(found: Joints, name: str, **values: Any) -> dict[str, Any]:
    return {"frame": found.frame, "track_id": found.track, "joint": f"landmark:{name}", **values}


def _placed(found: Joints, name: str, place: tuple[float, float]) -> dict[str, Any]:
    """The joint is here. place: px of the picture."""
    return _edit(found, name, x=float(place[0]), y=float(place[1]), confidence=1.0)


class HMDIFF_OT_move_keypoint(Idle, bpy.types.Operator):
    """Say where in the picture a joint is; the body follows"""

    bl_idname = "hmdiff.move_keypoint"
    bl_label = "Move Joint"
    bl_options = {"INTERNAL"}

    name: StringProperty(options={"SKIP_SAVE"})
    place: FloatVectorProperty(size=2, description="Pixels of the footage from its upper left corner")

    def work(self, context: Any) -> set[str]:
        root, found, _ = _handle(context, self.name)
        x, y = self.place
        edit = _placed(found, self.name, (x, y))
        context.window_manager.hmdiff_work.joint = self.name
        correct(context, root, [edit], f"move {words(self.name)}")
        return {"FINISHED"}


class HMDIFF_OT_hide_keypoint(Idle, bpy.types.Operator):
    """Let this joint not count in this frame, or count again as it was detected"""

    bl_idname = "hmdiff.hide_keypoint"
    bl_label = "Hide / Show Joint"
    bl_options = {"INTERNAL"}

    name: StringProperty(options={"SKIP_SAVE"})

    def work(self, context: Any) -> set[str]:
        root, found, one = _handle(context, self.name or context.window_manager.hmdiff_work.joint)
        context.window_manager.hmdiff_work.joint = one.name
        if one.state == "hidden":
            detected = found.detected[one.name]
            edit = _edit(found, one.name, x=detected.x, y=detected.y, confidence=max(detected.confidence, 0.05))
            correct(context, root, [edit], f"show {words(one.name)}")
        else:
            correct(context, root, [_edit(found, one.name, remove=True)], f"hide {words(one.name)}")
        return {"FINISHED"}


class HMDIFF_OT_drag_keypoint(Speaking, bpy.types.Operator):
    """Drag the joint to where it is in the picture; with Ctrl: hide or show it"""

    bl_idname = "hmdiff.drag_keypoint"
    bl_label = "Drag Joint"
    bl_options = {"INTERNAL", "BLOCKING"}

    name: StringProperty(options={"SKIP_SAVE"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        if event.ctrl:
            return bpy.ops.hmdiff.hide_keypoint(name=self.name)
        found = joints.current()
        seen = joints.look(context, found) if found is not None else None
        if found is None or seen is None or session.is_importing():
            return {"CANCELLED"}
        self._start = (event.mouse_region_x, event.mouse_region_y)
        self._look, self._moved, self._found = seen, False, found
        context.window_manager.hmdiff_work.joint = self.name
        root = next(item for item in clips.roots() if item[naming.CLIP] == found.clip)
        following.begin(context, root, found.frame, found.track, f"landmark:{self.name}")
        context.window_manager.modal_handler_add(self)
        context.area.header_text_set(
            f"{words(self.name).capitalize()}: release where it is; Esc or right click: leave it"
        )
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        where = (event.mouse_region_x, event.mouse_region_y)
        if event.type == "MOUSEMOVE":
            self._moved = self._moved or max(abs(where[0] - self._start[0]), abs(where[1] - self._start[1])) > 2
            x, y = self._look.to_picture(where)
            joints.dragged[:] = [Handle(self.name, x, y, 1.0, "pending")]
            if self._moved:
                following.moved(_placed(self._found, self.name, (x, y)))
            context.area.tag_redraw()
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE":
            self._end(context)
            if not self._moved:
                return {"CANCELLED"}
            try:
                return bpy.ops.hmdiff.move_keypoint(name=self.name, place=self._look.to_picture(where))
            finally:
                following.settle()  # where nothing was asked for
        elif event.type in ("ESC", "RIGHTMOUSE"):
            self._moved = False
            self._end(context)
            return {"CANCELLED"}
        return {"RUNNING_MODAL"}

    def _end(self, context: Any) -> None:
        joints.dragged.clear()
        following.end(kept=self._moved)
        context.area.header_text_set(None)
        context.area.tag_redraw()


class HMDIFF_OT_refine_clip(Idle, bpy.types.Operator):
    """Pull the body closer to all detected joints in these frames"""

    bl_idname = "hmdiff.refine_clip"
    bl_label = "Refine to the Picture"

    def work(self, context: Any) -> set[str]:
        root, work = whole_clip(context), context.window_manager.hmdiff_work
        options: dict[str, Any] = {"spread": work.blend, "detections": True}
        if work.scope != "CLIP":
            take, place = here(context, root)
            first, last = frames_meant(context, root, take, place)
            options["frame_range"] = [first, last + 1]
        corrections.ask(root, [], options, "refine")
        return {"FINISHED"}


class HMDIFF_OT_before_after(Idle, bpy.types.Operator):
    """Show the clip as it was before its last change; once more: as it is after it"""

    bl_idname = "hmdiff.before_after"
    bl_label = "Before / After"

    def work(self, context: Any) -> set[str]:
        root = whole_clip(context)
        other = stored_edits.previous_of(root)
        if other is None:
            raise HmdiffError("clip.unchanged", "Nothing of this clip has been changed yet.", "Change something first.")
        before = not stored_edits.shows_before(root)
        session.edit_clip(root, other, f"HMDiff {'before' if before else 'after'}", before=before)
        return {"FINISHED"}


def words(name: str) -> str:
    return name.replace("_", " ")


CLASSES = (
    HMDIFF_OT_move_keypoint, HMDIFF_OT_hide_keypoint, HMDIFF_OT_drag_keypoint, HMDIFF_OT_refine_clip,
    HMDIFF_OT_before_after,
)  # fmt: skip
