"""Edit > Preferences > Add-ons > HMDiff."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

PACKAGE = __package__ or "hmdiff_blender"


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
