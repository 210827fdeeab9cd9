"""What the artist is doing just now: WindowManager.hmdiff_work. Never saved and no part of undo."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import session
from .core.events import StartAsked
from .edits.record import SHAPE_COUNT
from .sliders import get_betas, getter, set_betas, setter

SCOPES = (
    ("FRAME", "This frame", "Only the current frame"),
    ("RANGE", "Range", "From the first to the last frame below"),
    ("CLIP", "Whole clip", "All frames of the clip"),
)


def _ghosts_changed(work: Any, context: Any) -> None:
    from .overlays import ghosts

    (ghosts.show if work.ghosts else ghosts.hide)()


def _spread_changed(work: Any, context: Any) -> None:
    from . import spread_view

    (spread_view.begin if work.spread else spread_view.end)(context)


def _scale_changed(work: Any, context: Any) -> None:
    from .scene import spread_paint

    if work.spread:
        spread_paint.paint_all(work.spread_top)


def _keypoints_changed(work: Any, context: Any) -> None:
    from .overlays import joints

    (joints.show if work.keypoints else joints.hide)()
    if work.keypoints and session.state().backend.phase == "stopped":
        session.dispatch(StartAsked())  # so that the first correction need not wait for it


class HMDIFF_PG_work(bpy.types.PropertyGroup):
    ghosts: BoolProperty(
        name="Compare", description="Show the other explanations of this frame as ghosts", update=_ghosts_changed
    )
    candidate: IntProperty(description="The hypothesis that is looked at; -1 for none", default=-1, min=-1)
    scope: EnumProperty(name="Where", items=SCOPES, default="FRAME")
    first: IntProperty(name="First", description="First frame of the scene that is meant", default=1)
    last: IntProperty(name="Last", description="Last frame of the scene that is meant", default=1)
    blend: IntProperty(
        name="Blend", description="Frames over which a choice or a lock fades into its neighbours", default=5, min=0,
        soft_max=30, max=500,
    )  # fmt: skip
    keypoints: BoolProperty(
        name="Joints", description="The detected joints as handles over the footage", update=_keypoints_changed
    )
    all_landmarks: BoolProperty(name="Hands and Face", description="The landmarks of hands and face too")
    joint: StringProperty(description="The joint that was touched last")
    smooth: FloatProperty(
        name="Smoothing", description="Seconds over which the motion is calmed, besides what the run did", min=0.0,
        max=2.0, soft_max=0.5, subtype="TIME", unit="TIME", get=getter("smooth"), set=setter("smooth", "smoothing"),
    )  # fmt: skip
    keep_corrected: BoolProperty(
        name="Keep Corrected Frames", description="Smoothing leaves frames with dragged joints and short picks as they "
        "are, and their neighbours lead up to them",
        get=getter("keep_corrected"), set=setter("keep_corrected", "corrected frames"),
    )  # fmt: skip
    feet: FloatProperty(
        name="Foot Lock", description="How much of the sliding of standing feet is taken out", min=0.0, max=1.0,
        subtype="FACTOR", get=getter("feet"), set=setter("feet", "foot lock"),
    )  # fmt: skip
    floor: FloatProperty(
        name="Floor", description="How far standing feet are brought onto the floor, and none below it", min=0.0,
        max=1.0, subtype="FACTOR", get=getter("floor"), set=setter("floor", "floor"),
    )  # fmt: skip
    unsmoothed: BoolProperty(
        name="As Detected", description="Begin with the motion as each frame gave it, without the run's smoothing",
        get=getter("unsmoothed"), set=setter("unsmoothed", "as detected"),
    )  # fmt: skip
    betas: FloatVectorProperty(
        name="Body Shape", size=SHAPE_COUNT, min=-5.0, max=5.0, soft_min=-3.0, soft_max=3.0, get=get_betas,
        set=set_betas,
    )  # fmt: skip
    spread: BoolProperty(
        name="Paint Doubt", description="Colour the bodies by how much the explanations of the frame differ there",
        update=_spread_changed,
    )  # fmt: skip
    spread_top: FloatProperty(
        name="Red at", description="Millimetres that are painted red", default=200.0, min=1.0, soft_max=500.0,
        update=_scale_changed,
    )  # fmt: skip


CLASSES = (HMDIFF_PG_work,)


def register() -> None:
    bpy.types.WindowManager.hmdiff_work = PointerProperty(type=HMDIFF_PG_work)


def close() -> None:
    """Take everything off the screen that is drawn over it: another file comes, or the add-on goes."""
    work = bpy.context.window_manager.hmdiff_work
    for name in ("ghosts", "keypoints", "spread"):
        if getattr(work, name):
            setattr(work, name, False)
    work.candidate, work.joint = -1, ""


def unregister() -> None:
    close()
    del bpy.types.WindowManager.hmdiff_work
