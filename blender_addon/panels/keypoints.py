"""Corrections: the joints as handles, what they change, and the look back."""

from __future__ import annotations

from typing import Any

import bpy

from .. import corrections, session
from ..overlays import joints
from ..scene import clips, naming, stored_edits
from .base import Tab, paragraph


class HMDIFF_PT_keypoints(Tab, bpy.types.Panel):
    bl_label = "Corrections"
    bl_parent_id = "HMDIFF_PT_clip"

    @classmethod
    def poll(cls, context: Any) -> bool:
        root = clips.chosen_root(context)
        return root is not None and not clips.info(root).running

    def draw(self, context: Any) -> None:
        layout, work, root = self.layout, context.window_manager.hmdiff_work, clips.chosen_root(context)
        row = layout.row(align=True)
        row.prop(work, "keypoints", icon="EMPTY_AXIS", toggle=True)
        row.prop(work, "all_landmarks", toggle=True)
        found = joints.current() if work.keypoints else None
        if work.keypoints and not _in_camera(context, root):
            layout.operator("hmdiff.look_through_camera", icon="CAMERA_DATA")
        elif work.keypoints:
            paragraph(layout, context, "Drag a joint to where it is in the picture. Ctrl-click hides or shows it.")
        if found is not None and work.joint:
            one = next((handle for handle in found.handles() if handle.name == work.joint), None)
            if one is not None:
                row = layout.row(align=True)
                row.label(text=f"{work.joint.replace('_', ' ')}: {one.state}")
                text = "Show" if one.state == "hidden" else "Hide"
                row.operator("hmdiff.hide_keypoint", text=text).name = work.joint
        layout.operator("hmdiff.refine_clip", icon="MOD_PHYSICS")
        row = layout.row()
        row.enabled = stored_edits.previous_of(root) is not None
        text = "Show After" if stored_edits.shows_before(root) else "Show Before"
        row.operator("hmdiff.before_after", text=text, icon="UV_SYNC_SELECT")
        if corrections.pending(root[naming.CLIP]) and session.state().active_job is None:
            layout.label(text="Waiting for the backend", icon="SORTTIME")


def _in_camera(context: Any, root: Any) -> bool:
    region_3d, camera = context.space_data.region_3d, clips.camera_of(root)
    return region_3d is not None and region_3d.view_perspective == "CAMERA" and context.scene.camera == camera


CLASSES = (HMDIFF_PT_keypoints,)
