"""Edit > Preferences > Add-ons > HMDiff."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

PACKAGE = __package__ or "hmdiff_blender"


SHAPE_KEYS = 300
"""Blender's copy of so many for its undo holds it up for some 40 ms (``tests/window/run pauses``)."""
ACCELERATORS = (
    ("auto", "What is there", "The graphics card where it is one by NVIDIA, else the processor"),
    ("cpu", "Processor", "Works everywhere; the smallest download"),
    ("cuda", "NVIDIA card", "About ten times as large; needs NVIDIA's driver"),
)


def _changed(preferences: Any, context: Any) -> None:
    from . import session

    session.look_again()


class HMDIFF_AP_preferences(bpy.types.AddonPreferences):
    """Where the backend is and where takes go."""

    bl_idname = PACKAGE

    backend: StringProperty(
        name="Backend",
        description="Python of the backend's environment, its folder, or the hmdiff program. Empty: look for it",
        subtype="FILE_PATH",
        update=_changed,
    )
    environment: StringProperty(
        name="Folder for the backend",
        description="Where Set Up puts it, 1.3 GB and more. Empty: with Blender's own data of this user",
        subtype="DIR_PATH",
        update=_changed,
    )
    accelerator: EnumProperty(
        name="Compute with", description="Which build Set Up fetches", items=ACCELERATORS, update=_changed
    )
    takes: StringProperty(
        name="Takes",
        description="Where results are kept. Empty: beside the .blend file, or with Blender's own data before the "
        "file is saved",
        subtype="DIR_PATH",
    )

    shape_keys: IntProperty(
        name="Shape keys up to",
        description="Frames of a clip that become shape keys, a part of the .blend file. Longer clips play from a file "
        "beside it: Blender copies shape keys when it remembers a step to undo, 1,000 of them for 0.1 s and more",
        default=SHAPE_KEYS,
        min=1,
        max=5000,
    )

    follow_drags: BoolProperty(
        name="Follow while dragging",
        description="Show where the body will be while a joint is dragged, not only when it is let go",
        default=True,
    )

    def draw(self, context: Any) -> None:
        from .panels.preferences import draw_preferences

        draw_preferences(self.layout, context, self)


def get() -> Any | None:
    """The preferences; None where the add-on runs without being installed (tests)."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon else None


def backend_path() -> str:
    preferences = get()
    return bpy.path.abspath(preferences.backend) if preferences and preferences.backend else ""


def environment_folder() -> Path:
    """Where the set-up puts the backend."""
    preferences = get()
    if preferences and preferences.environment:
        return Path(bpy.path.abspath(preferences.environment))
    return user_folder() / "environment"


def accelerator() -> str:
    preferences = get()
    return preferences.accelerator if preferences else "auto"


def shape_key_limit() -> int:
    """The most frames of a clip that become shape keys."""
    preferences = get()
    return preferences.shape_keys if preferences else SHAPE_KEYS


def follows_drags() -> bool:
    """The body is to follow while a joint is dragged."""
    preferences = get()
    return preferences.follow_drags if preferences else True


def takes_folder() -> Path:
    """Where takes of an unsaved file go, or all of them where the user has said so."""
    preferences = get()
    if preferences and preferences.takes:
        return Path(bpy.path.abspath(preferences.takes))
    return user_folder() / "takes"


def takes_chosen() -> bool:
    """The user has said where all takes go."""
    preferences = get()
    return bool(preferences and preferences.takes)


def user_folder() -> Path:
    """A folder of ours that is never shared, synchronised or read-only."""
    if PACKAGE.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(PACKAGE, create=True))
    return Path(bpy.utils.user_resource("DATAFILES", path="hmdiff", create=True))
