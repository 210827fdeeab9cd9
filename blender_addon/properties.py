"""What the artist chooses (saved with the scene) and what was found meanwhile (on the window manager, never saved)."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .core.cost import PRESETS

SOURCES = (
    ("FILE", "Movie or photo", "A video file, or a picture for a single pose"),
    ("SEQUENCE", "Image sequence", "A folder of numbered pictures, or one of them"),
    ("CAMERA", "Camera background", "The footage behind the scene's camera"),
    ("CLIP", "Active movie clip", "The movie clip of the scene or of the Movie Clip Editor"),
    ("STRIP", "Sequencer strip", "The active movie or image strip; of a cut one, what is on the timeline"),
    ("RENDER", "Current render", "The picture that was rendered last, for a single pose"),
)
PEOPLE = (
    ("all", "Everybody", "All people of the clip, each with a body"),
    ("largest", "Largest person", "Only the person who fills most of the picture"),
    ("chosen", "Chosen people", "Those ticked below, as they stand in the first frame of the range"),
)
QUALITIES = (
    ("preview", "Preview", "One motion, quickly"),
    ("default", "Balanced", "Five hypotheses a frame; right for most clips"),
    ("quality", "Quality", "Twenty-five hypotheses a frame; about ten times as long"),
    ("thorough", "Paper", "The paper's twenty-five hypotheses in forty steps; about forty times as long as Balanced"),
)


def _footage_changed(settings: Any, context: Any) -> None:
    from .footage_choice import measure

    measure(settings, context.scene)


def _preset_changed(settings: Any, context: Any) -> None:
    settings.hypotheses = PRESETS[settings.preset].hypotheses


class HMDIFF_PG_settings(bpy.types.PropertyGroup):
    """Scene.hmdiff"""

    source: EnumProperty(name="Source", items=SOURCES, default="FILE", update=_footage_changed)
    filepath: StringProperty(
        name="Footage", description="The movie or picture", subtype="FILE_PATH", update=_footage_changed
    )
    sequence: StringProperty(
        name="Pictures", description="A folder of pictures or the first of them", subtype="FILE_PATH",
        update=_footage_changed,
    )  # fmt: skip
    use_range: BoolProperty(name="Part of the clip", description="Only some frames of the footage")
    first: IntProperty(name="First", description="First frame of the footage, counted from 1", default=1, min=1)
    last: IntProperty(name="Last", description="Last frame of the footage", default=100, min=1)
    people: EnumProperty(name="People", items=PEOPLE, default="all")
    preset: EnumProperty(name="Quality", items=QUALITIES, default="default", update=_preset_changed)
    hypotheses: IntProperty(
        name="Hypotheses", description="How many motions that explain the footage are sampled; more are slower",
        default=PRESETS["default"].hypotheses, min=1, max=100, soft_max=25,
    )  # fmt: skip
    smooth: FloatProperty(
        name="Smoothing", description="Seconds over which the motion is calmed; 0 for none", default=0.1, min=0.0,
        soft_max=0.5, subtype="TIME", unit="TIME",
    )  # fmt: skip
    use_smooth: BoolProperty(name="Own smoothing", description="Another smoothing than the usual one")
    start: EnumProperty(
        name="Start",
        items=(
            ("SCENE", "Scene start", "The clip begins on the scene's first frame"),
            ("CURRENT", "Current frame", "The clip begins on the current frame"),
        ),
    )
    follow: BoolProperty(
        name="Follow", description="Move the timeline along with the newest frame while the run goes on", default=True
    )
    count: IntProperty(options={"HIDDEN"})
    rate: FloatProperty(options={"HIDDEN"})
    measured: StringProperty(options={"HIDDEN"})


class HMDIFF_PG_person(bpy.types.PropertyGroup):
    """One person found in the first frame. box: x0, y0, x1, y1 pixels."""

    use: BoolProperty(name="Use", default=True)
    box: FloatVectorProperty(size=4)
    score: FloatProperty()
    icon: IntProperty()


class HMDIFF_PG_session(bpy.types.PropertyGroup):
    """WindowManager.hmdiff. found_for: the footage and frame the people were looked for in."""

    people: CollectionProperty(type=HMDIFF_PG_person)
    found_for: StringProperty()


CLASSES = (HMDIFF_PG_settings, HMDIFF_PG_person, HMDIFF_PG_session)


def register() -> None:
    bpy.types.Scene.hmdiff = PointerProperty(type=HMDIFF_PG_settings)
    bpy.types.WindowManager.hmdiff = PointerProperty(type=HMDIFF_PG_session)


def unregister() -> None:
    del bpy.types.WindowManager.hmdiff
    del bpy.types.Scene.hmdiff
