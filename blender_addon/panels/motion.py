"""What acts on the whole clip: smoothing, feet, floor, body shape."""

from __future__ import annotations

from typing import Any

import bpy

from .. import session
from ..edits.shape import shape_names
from ..overlays.measured import measured
from ..scene import clips
from ..scene.body_shape import BODY
from ..scene.place import chosen_track
from ..sliders import get_betas
from .base import Tab


class _OfClip(Tab):
    @classmethod
    def poll(cls, context: Any) -> bool:
        root = clips.chosen_root(context)
        return root is not None and not clips.info(root).running


class HMDIFF_PT_motion(_OfClip, bpy.types.Panel):
    bl_label = "Motion"
    bl_parent_id = "HMDIFF_PT_clip"

    def draw(self, context: Any) -> None:
        layout, work = self.layout, context.window_manager.hmdiff_work
        layout.enabled = not session.is_importing()
        edits = session.edits_now(clips.chosen_root(context))
        column = layout.column(align=True)
        column.prop(work, "smooth", slider=True)
        column.prop(work, "feet", slider=True)
        column.prop(work, "floor", slider=True)
        row = layout.row()
        row.enabled = edits.smooth > 0
        row.prop(work, "keep_corrected")
        row = layout.row()
        row.enabled = edits.version < 2
        row.prop(work, "unsmoothed")


class HMDIFF_PT_shape(_OfClip, bpy.types.Panel):
    bl_label = "Body Shape"
    bl_parent_id = "HMDIFF_PT_clip"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        layout, work, root = self.layout, context.window_manager.hmdiff_work, clips.chosen_root(context)
        layout.enabled = not session.is_importing()
        size = measured(root, tuple(get_betas(work)))
        if size is not None:
            layout.label(text=f"{size[0]:.2f} m, about {size[1]:.0f} kg", icon="OUTLINER_OB_ARMATURE")
        column = layout.column(align=True)
        for index, name in enumerate(shape_names(str(root.get(BODY, "free")))):
            column.prop(work, "betas", index=index, text=name, slider=True)
        track = chosen_track(context, root)
        row = layout.row()
        row.enabled = track is not None and session.edits_now(root).of(track).betas is not None
        row.operator("hmdiff.reset_shape", icon="LOOP_BACK")


CLASSES = (HMDIFF_PT_motion, HMDIFF_PT_shape)
