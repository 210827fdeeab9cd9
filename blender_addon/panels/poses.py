"""Poses of a photo or of one frame: side by side, onto the character, into the Asset Browser."""

from __future__ import annotations

from typing import Any

import bpy

from ..scene import clips, naming, pose_row
from .base import Tab, paragraph


class HMDIFF_PT_poses(Tab, bpy.types.Panel):
    bl_label = "Poses"
    bl_parent_id = "HMDIFF_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        root = clips.chosen_root(context)
        return root is not None and not clips.info(root).running

    def draw(self, context: Any) -> None:
        layout, active = self.layout, context.active_object
        root = clips.chosen_root(context)
        if clips.info(root).hypotheses:
            row = layout.row(align=True)
            row.operator("hmdiff.lay_out_poses", icon="ARMATURE_DATA")
            row.operator("hmdiff.clear_poses", text="", icon="X")
        if pose_row.is_pose(active):
            score = active.get(naming.SCORE)
            words = f"{active.name}" + (f", {score:+.1f} mm" if score is not None else "")
            layout.label(text=words, icon="RESTRICT_SELECT_OFF")
            layout.operator("hmdiff.use_pose", icon="CHECKMARK")
        else:
            words = "What is shown at the current frame is meant."
            if naming.find(pose_row.ROLE, root[naming.CLIP]):
                words = "Click a body to choose its pose. " + words
            paragraph(layout, context, words, "INFO")
        column = layout.column(align=True)
        column.operator("hmdiff.apply_pose", icon="POSE_HLT")
        column.operator("hmdiff.save_pose", icon="ASSET_MANAGER")
        target = context.scene.hmdiff_character.target
        if target is None:
            paragraph(layout, context, "No character is chosen under Character: poses are kept for HMDiff's skeleton.")


CLASSES = (HMDIFF_PT_poses,)
