"""Where the model is not sure: going there, painting it, and the marks of missed frames."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import IntProperty
from hmdiff_wire.errors import HmdiffError

from ..scene import naming, opened, stored_edits
from ..scene.clock import clock_of
from ..scene.doubt import doubtful_frames, remove_marks
from ..scene.place import chosen_track
from ..scene.spread_paint import paint, spread_material
from .base import Speaking
from .picker import whole_clip


class HMDIFF_OT_next_doubt(Speaking, bpy.types.Operator):
    """Go to the next stretch of frames that the model is not sure of, or in which the person was missed"""

    bl_idname = "hmdiff.next_doubt"
    bl_label = "Next Doubtful Frame"

    step: IntProperty(default=1, options={"SKIP_SAVE"})

    def work(self, context: Any) -> set[str]:
        root, scene = whole_clip(context), context.scene
        track = chosen_track(context, root)
        body = next((b for b in naming.find("body", root[naming.CLIP]) if b.get(naming.PERSON) == track), None)
        take = opened.open_now(root, stored_edits.edits_of(root).version)
        if body is None or track not in take.track_ids:
            raise HmdiffError("clip.nobody", "This clip has no body.", "Import its take again.")
        person = take.track_ids.tolist().index(track)
        runs = doubtful_frames(body, take, person, clock_of(root).frame_map(take))
        worst = [round(frame) for _, _, frame in runs]
        now = scene.frame_current
        ahead = [frame for frame in worst if (frame - now) * self.step > 0]
        if not worst:
            self.report({"INFO"}, "No frame of this clip is more doubtful than the others.")
            return {"CANCELLED"}
        if not ahead:
            self.report({"INFO"}, "There are no more doubtful frames this way.")
            return {"CANCELLED"}
        scene.frame_set(min(ahead) if self.step > 0 else max(ahead))
        return {"FINISHED"}


class HMDIFF_OT_remove_marks(Speaking, bpy.types.Operator):
    """Remove the timeline markers of missed frames that were made for this clip"""

    bl_idname = "hmdiff.remove_marks"
    bl_label = "Remove Marks"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: Any) -> set[str]:
        remove_marks(context.scene, whole_clip(context))
        return {"FINISHED"}


class HMDIFF_OT_spread_material(Speaking, bpy.types.Operator):
    """Give the clip's bodies a material that shows the doubt in renders too; it shows the frame it was last painted at
    while Paint Doubt is off"""

    bl_idname = "hmdiff.spread_material"
    bl_label = "Doubt as Material"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: Any) -> set[str]:
        root = whole_clip(context)
        paint(root, context.scene.frame_current_final, context.window_manager.hmdiff_work.spread_top)
        material = spread_material()
        for body in naming.find("body", root[naming.CLIP]):
            if body.data.materials:
                body.data.materials[0] = material
            else:
                body.data.materials.append(material)
        context.window_manager.hmdiff_work.spread = True
        return {"FINISHED"}


CLASSES = (HMDIFF_OT_next_doubt, HMDIFF_OT_remove_marks, HMDIFF_OT_spread_material)
