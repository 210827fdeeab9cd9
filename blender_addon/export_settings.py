"""What the artist chose to export: Scene.hmdiff_export, saved with the file."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty, PointerProperty, StringProperty

from .scene.exports import FORMATS, WORDS, What
from .scene.exports.character import WRITERS, armature_of

SUBJECTS = (
    ("CLIP", "Clip", "The people of the active clip"),
    ("CHARACTER", "Character", "The selected character, as it moves in this scene"),
)
FORMAT_ITEMS = tuple((form.name, form.label, f"Write a {form.suffix} file") for form in FORMATS)
WHAT_ITEMS = (
    ("RIGGED", "With bones", "Bodies that bones move"),
    ("BODY", "Vertices", "Bodies whose vertices move by themselves"),
    ("ARMATURE", "Bones", "The bones alone"),
)
RATE_ITEMS = (
    ("TAKE", "Footage's Rate", "As many frames a second as the footage has, whatever the scene plays at"),
    ("SCENE", "Scene's Rate", "As many frames a second as the scene has"),
)
CHARACTER_FORMATS = tuple(form.name for form in FORMATS if form.suffix in WRITERS)
assert {item[0] for item in WHAT_ITEMS} == {what.value for what in WORDS}


def _format_changed(settings: Any, context: Any) -> None:
    settings.what = chosen_format(settings).holds[0].value
    path = settings.filepath
    if path:
        settings.filepath = with_suffix(path, chosen_format(settings).suffix)


def _subject_changed(settings: Any, context: Any) -> None:
    if settings.subject == "CHARACTER" and settings.format not in CHARACTER_FORMATS:
        settings.format = CHARACTER_FORMATS[0]


class HMDIFF_PG_export(bpy.types.PropertyGroup):
    subject: EnumProperty(name="Export", items=SUBJECTS, update=_subject_changed)
    format: EnumProperty(name="Format", items=FORMAT_ITEMS, update=_format_changed)
    what: EnumProperty(name="What", items=WHAT_ITEMS)
    rate: EnumProperty(name="Frame Rate", items=RATE_ITEMS)
    filepath: StringProperty(name="File", description="Where to write; empty asks each time", subtype="FILE_PATH")


def chosen_format(settings: Any) -> Any:
    return next(form for form in FORMATS if form.name == settings.format)


def chosen_what(settings: Any) -> What:
    """What is asked for, where the format can hold it, else what it holds best."""
    wanted, holds = What(settings.what), chosen_format(settings).holds
    return wanted if wanted in holds else holds[0]


def with_suffix(path: str, suffix: str) -> str:
    """The path with the ending of a format in place of that of another one."""
    for known in sorted((one for form in FORMATS for one in form.suffixes), key=len, reverse=True):
        if path.lower().endswith(known):
            return path[: -len(known)] + suffix
    return path + suffix


def draw_choices(layout: Any, settings: Any) -> None:
    """Subject, format, what and rate; for the panel and the file browser."""
    layout.row(align=True).prop(settings, "subject", expand=True)
    column = layout.column()
    if settings.subject == "CHARACTER":
        row = column.row(align=True)
        for name in CHARACTER_FORMATS:
            row.prop_enum(settings, "format", name)
    else:
        column.prop(settings, "format", text="")
        holds = chosen_format(settings).holds
        if len(holds) > 1:
            row = column.row(align=True)
            for what in holds:
                row.prop_enum(settings, "what", what.value)
    column.row(align=True).prop(settings, "rate", expand=True)


def character_name(context: Any) -> str:
    """Of the character that is selected, "" for none. For the panel too."""
    item = context.active_object
    armature = armature_of(item) if item is not None else None
    return armature.name if armature is not None else ""


CLASSES = (HMDIFF_PG_export,)


def register() -> None:
    bpy.types.Scene.hmdiff_export = PointerProperty(type=HMDIFF_PG_export)


def unregister() -> None:
    del bpy.types.Scene.hmdiff_export
