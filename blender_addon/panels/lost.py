"""A clip whose take is not where it was: said where the artist looks, before a button needs it."""

from __future__ import annotations

from typing import Any

from hmdiff_wire.take_format import MANIFEST

from ..scene import clips, naming
from .base import paragraph


def draw_lost_take(layout: Any, context: Any) -> None:
    root = clips.chosen_root(context)
    if root is None or clips.info(root).running:
        return
    folder = naming.folder_of(root)
    if folder is None or (folder / MANIFEST).is_file():
        return
    box = layout.box()
    paragraph(box, context, f"The take of {root.name} is not where it was. What is in the scene stays.", "ERROR")
    paragraph(box, context, str(folder))
    box.operator("hmdiff.find_take", icon="FILE_FOLDER")
