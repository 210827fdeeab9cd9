"""The joints as handles one can grab: a gizmo on each, in views that look through the clip's camera."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from hmdiff_wire.landmarks import LANDMARK_NAMES
from mathutils import Matrix

from .overlays import joints

RADIUS = 9.0


class HMDIFF_GGT_joints(bpy.types.GizmoGroup):
    bl_label = "HMDiff joints"
    bl_space_type = "VIEW_3D"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT", "SCALE", "SHOW_MODAL_ALL"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        return context.window_manager.hmdiff_work.keypoints

    def setup(self, context: Any) -> None:
        for name in LANDMARK_NAMES:
            gizmo = self.gizmos.new("GIZMO_GT_button_2d")
            gizmo.icon = "NONE"
            gizmo.draw_options = {"BACKDROP"}
            gizmo.target_set_operator("hmdiff.drag_keypoint").name = name
            gizmo.color, gizmo.alpha = (1.0, 1.0, 1.0), 0.0
            gizmo.color_highlight, gizmo.alpha_highlight = (1.0, 1.0, 1.0), 0.5
            gizmo.scale_basis = RADIUS
            gizmo.use_draw_modal = True
            gizmo.hide = True

    def draw_prepare(self, context: Any) -> None:
        found = joints.current()
        seen = joints.look(context, found) if found is not None else None
        shown = {one.name: one for one in joints.visible(found)} if found is not None and seen is not None else {}
        for name, gizmo in zip(LANDMARK_NAMES, self.gizmos, strict=True):
            one = shown.get(name)
            gizmo.hide = one is None
            if one is not None and seen is not None:
                x, y = seen.to_region(np.array([[one.x, one.y]]))[0]
                gizmo.matrix_basis = Matrix.Translation((float(x), float(y), 0.0))


CLASSES = (HMDIFF_GGT_joints,)
