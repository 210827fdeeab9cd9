"""The detected joints of the current frame as handles over the footage: where they are, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import JOINT_NAMES
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.landmarks import LANDMARK_NAMES
from hmdiff_wire.take_version import read_version
from numpy.typing import NDArray

from .. import corrections
from ..scene import clips, naming, opened, stored_edits
from ..scene.clock import Clock, clock_of
from ..scene.place import chosen_track, place_at
from .latest import Latest, redraw_views
from .pixels import Look, look_of

Array = NDArray[np.floating[Any]]

BODY = (
    "nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
    "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel", "right_heel", "left_foot_index",
    "right_foot_index",
)  # fmt: skip
"""The landmarks that are handles unless all are asked for."""
BONES = (
    ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    *((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in (
        ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("ankle", "heel"),
        ("ankle", "foot_index"), ("heel", "foot_index"), ("wrist", "index"),
    )),
)  # fmt: skip
OF_BODY = {
    **{name: name for name in LANDMARK_NAMES if name in JOINT_NAMES}, "nose": "head", "left_foot_index": "left_foot",
    "right_foot_index": "right_foot", "left_heel": "left_ankle", "right_heel": "right_ankle",
}  # fmt: skip
"""Landmark -> the body's joint that stands in where nothing was detected."""
LEFT, RIGHT, MIDDLE = (0.25, 0.6, 1.0), (1.0, 0.55, 0.2), (0.9, 0.9, 0.9)
EDITED, PENDING, HIDDEN = (0.3, 1.0, 0.35), (1.0, 0.95, 0.3), (0.5, 0.5, 0.5)
LOW = 0.5


@dataclass(frozen=True)
class Handle:
    """name: of the landmark; x, y: px of the picture; confidence 0 to 1; state: "detected", "guessed" (from the body),
    "edited" (in force), "pending" (on its way), "hidden" (does not count)."""

    name: str
    x: float
    y: float
    confidence: float
    state: str


@dataclass(frozen=True, eq=False)
class Joints:
    """Of one frame of one person. size: of the picture; focal: px of this frame."""

    clip: str
    track: int
    frame: int
    size: tuple[int, int]
    focal: float
    detected: dict[str, Handle]
    edits: dict[str, dict[str, Any]]

    def handles(self) -> list[Handle]:
        """As they are now, with what is on its way to the backend."""
        pending = {
            joint: edit for (frame, track, joint), edit in corrections.pending(self.clip).items()
            if (frame, track) == (self.frame, self.track)
        }  # fmt: skip
        found = []
        for name, handle in self.detected.items():
            joint = f"landmark:{name}"
            edit = pending.get(joint) or self.edits.get(joint)
            state = "pending" if joint in pending else "edited"
            if edit is None:
                found.append(handle)
            elif edit.get("remove"):
                found.append(Handle(name, handle.x, handle.y, 0.0, "hidden"))
            else:
                confidence = float(edit.get("confidence", 1.0))
                found.append(Handle(name, float(edit["x"]), float(edit["y"]), confidence, state))
        return found


@dataclass(frozen=True)
class _Asked:
    clip: str
    folder: Path
    track: int | None
    frame: float
    clock: Clock


_latest: Latest[Joints | None] = Latest(redraw_views)
_handle: Any = None
dragged: list[Handle] = []
"""The one that is being dragged, where the mouse is; empty otherwise."""


def current() -> Joints | None:
    return _latest.value


def wait() -> Joints | None:
    return _latest.wait()


def show() -> None:
    global _handle
    if _handle is None and not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")
    refresh()
    redraw_views()


def hide() -> None:
    global _handle
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None
    _latest.forget()
    dragged.clear()
    redraw_views()


def refresh() -> None:
    """Ask for the current frame of the chosen person; cheap."""
    context = bpy.context
    root = clips.chosen_root(context)
    if root is None or clips.info(root).running:
        _latest.forget()
        return
    try:
        folder = opened.folder_of(root, stored_edits.edits_of(root).version)
    except HmdiffError:
        _latest.forget()
        return
    frame = context.scene.frame_current_final
    asked = _Asked(root[naming.CLIP], folder, chosen_track(context, root), frame, clock_of(root))
    _latest.ask(asked, lambda: _compute(asked))


def look(context: Any, joints: Joints) -> Look | None:
    """How the region of ``context`` looks at the footage; None where it does not look through the clip's camera."""
    region_3d = context.region_data
    if region_3d is None or region_3d.view_perspective != "CAMERA":
        return None
    root = next((item for item in clips.roots() if item[naming.CLIP] == joints.clip), None)
    camera = clips.camera_of(root) if root is not None else None
    space = context.space_data
    shown = space.camera if space is not None and space.use_local_camera else context.scene.camera
    if camera is None or shown != camera:
        return None
    return look_of(camera, context.region, region_3d, joints.size, joints.focal)


def _compute(asked: _Asked) -> Joints | None:
    take = opened.read_here(asked.folder)
    place = place_at(take, asked.clock.frame_map(take), asked.track, asked.frame)
    if place is None or not place.seen:
        return None
    landmarks = take.read("landmarks_2d", place.person, [place.position])[0]
    body = take.read("joints_2d", place.person, [place.position])[0]
    detected = {}
    for number, name in enumerate(LANDMARK_NAMES):
        x, y, confidence = landmarks[number].tolist()
        if np.isfinite(landmarks[number]).all() and confidence > 0:
            detected[name] = Handle(name, x, y, confidence, "detected")
        elif name in OF_BODY and np.isfinite(body[JOINT_NAMES.index(OF_BODY[name])]).all():
            x, y = body[JOINT_NAMES.index(OF_BODY[name])].tolist()
            detected[name] = Handle(name, x, y, 0.0, "guessed")
    edits = {
        str(edit["joint"]): dict(edit) for edit in read_version(asked.folder).edits
        if edit["frame"] == place.frame and edit.get("track_id") in (None, place.track)
    }  # fmt: skip
    size = take.header.width, take.header.height
    return Joints(asked.clip, place.track, place.frame, size, float(take.focal[place.position]), detected, edits)


def visible(joints: Joints) -> list[Handle]:
    """The handles that are asked for."""
    every = bpy.context.window_manager.hmdiff_work.all_landmarks
    return [one for one in joints.handles() if every or one.name in BODY or one.state in ("edited", "pending")]


def _draw() -> None:
    from . import paint

    refresh()
    joints = current()
    if joints is None:
        return
    seen = look(bpy.context, joints)
    if seen is None:
        return
    handles = {one.name: one for one in visible(joints)}
    handles.update({one.name: one for one in dragged})
    if not handles:
        return
    places = dict(zip(handles, seen.to_region(np.array([(one.x, one.y) for one in handles.values()])), strict=True))
    scale = bpy.context.preferences.system.ui_scale
    for side, colour in (("left", LEFT), ("right", RIGHT), ("", MIDDLE)):
        lines = [
            places[end] for bone in BONES for end in bone
            if _side(bone) == side and all(end in places and handles[end].state != "hidden" for end in bone)
        ]  # fmt: skip
        paint.draw_lines(np.array(lines), (*colour, 0.55), 2.0 * scale)
    discs = []
    for name, one in handles.items():
        centre, hollow = (float(places[name][0]), float(places[name][1])), one.state in ("guessed", "hidden")
        discs.append(paint.Disc(centre, 6.5 * scale, (0.0, 0.0, 0.0, 0.6)))
        discs.append(paint.Disc(centre, 5.0 * scale, (*_colour(one), 0.95), 3.5 * scale if hollow else 0.0))
    paint.draw_discs(discs)


def _side(bone: tuple[str, str]) -> str:
    sides = {end.partition("_")[0] for end in bone}
    return sides.pop() if len(sides) == 1 else ""


def _colour(one: Handle) -> tuple[float, float, float]:
    special = {"edited": EDITED, "pending": PENDING, "hidden": HIDDEN}
    if one.state in special:
        return special[one.state]
    colour = {"left": LEFT, "right": RIGHT}.get(one.name.partition("_")[0], MIDDLE)
    share = 1.0 if one.confidence >= LOW else 0.5
    return colour[0] * share, colour[1] * share, colour[2] * share
