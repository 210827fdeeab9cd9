"""How sure the model is of this frame, and the way to the next doubtful one."""

from __future__ import annotations

from typing import Any

import bpy

from ..scene import clips, naming
from ..scene.doubt import SPREAD, has_marks
from ..scene.place import chosen_track
from .base import Tab


class HMDIFF_PT_doubt(Tab, bpy.types.Panel):
    bl_label = "Doubt"
    bl_parent_id = "HMDIFF_PT_clip"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        root = clips.chosen_root(context)
        return root is not None and not clips.info(root).running

    def draw(self, context: Any) -> None:
        layout, work, root = self.layout, context.window_manager.hmdiff_work, clips.chosen_root(context)
        track = chosen_track(context, root)
        body = next((b for b in naming.find("body", root[naming.CLIP]) if b.get(naming.PERSON) == track), None)
        spread = body.get(SPREAD) if body is not None else None
        row = layout.row(align=True)
        row.operator("hmdiff.next_doubt", text="", icon="TRIA_LEFT").step = -1
        row.label(text=f"Hypotheses differ by {spread:.0f} mm here" if spread is not None else "Not known")
        row.operator("hmdiff.next_doubt", text="", icon="TRIA_RIGHT").step = 1
        row = layout.row(align=True)
        row.prop(work, "spread", icon="COLOR", toggle=True)
        row.prop(work, "spread_top")
        layout.operator("hmdiff.spread_material", icon="MATERIAL")
        if has_marks(root):
            layout.operator("hmdiff.remove_marks", icon="MARKER_HLT")


CLASSES = (HMDIFF_PT_doubt,)
