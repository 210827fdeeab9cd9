"""Footage dropped onto a 3D view whose HMDiff tab is open becomes the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import CollectionProperty, StringProperty
from hmdiff_wire.errors import HmdiffError

from ..core.source import MOVIE_SUFFIXES, PHOTO_SUFFIXES, resolve
from .base import Speaking

TAB = "HMDiff"


class HMDIFF_OT_drop_footage(Speaking, bpy.types.Operator):
    """Take a dropped movie, photo or several pictures of a sequence as the footage"""

    bl_idname = "hmdiff.drop_footage"
    bl_label = "Use as Footage"
    bl_options = {"INTERNAL"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        return self.execute(context)

    def work(self, context: Any) -> set[str]:
        paths = sorted(Path(self.directory) / one.name for one in self.files if one.name)
        if not paths:
            raise HmdiffError("input.none", "Nothing was dropped.", "Drop a movie, a photo or pictures of a sequence.")
        photos = [path for path in paths if path.suffix.lower() in PHOTO_SUFFIXES]
        if len(paths) > 1 and len(photos) != len(paths):
            raise HmdiffError("input.several", "Only one clip can be the footage.", "Drop one; a batch takes several.")
        settings = context.scene.hmdiff
        kind, name = ("SEQUENCE", "sequence") if len(paths) > 1 else ("FILE", "filepath")
        footage = resolve(kind, str(paths[0]))
        settings.source = kind
        setattr(settings, name, str(paths[0]))
        self.report({"INFO"}, f"{footage.name} is the footage now; press Run.")
        return {"FINISHED"}


class HMDIFF_FH_footage(bpy.types.FileHandler):
    bl_idname = "HMDIFF_FH_footage"
    bl_label = "HMDiff footage"
    bl_import_operator = "hmdiff.drop_footage"
    bl_file_extensions = ";".join(sorted(MOVIE_SUFFIXES | PHOTO_SUFFIXES))

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        """Only where the tab is open: elsewhere a dropped picture is what Blender makes of it."""
        area = context.area
        if area is None or area.type != "VIEW_3D" or not area.spaces.active.show_region_ui:
            return False
        return any(region.type == "UI" and region.active_panel_category == TAB for region in area.regions)


CLASSES = (HMDIFF_OT_drop_footage, HMDIFF_FH_footage)
