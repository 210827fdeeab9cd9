"""Poses: hypotheses side by side, one of them onto the character or into the Asset Browser."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty
from hmdiff_wire.errors import HmdiffError

from .. import character, session
from ..core.bone_maps import BoneMap
from ..scene import naming
from .base import Speaking
from .picker import here, whole_clip
from .retarget import target_of


class HMDIFF_OT_lay_out_poses(Speaking, bpy.types.Operator):
    """Show the explanations of this photo or frame as bodies side by side, the likeliest first"""

    bl_idname = "hmdiff.lay_out_poses"
    bl_label = "Side by Side"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        return not session.is_importing()

    def work(self, context: Any) -> set[str]:
        from ..scene import pose_row

        root = whole_clip(context)
        take, place = here(context, root)
        made = pose_row.lay_out(root, take, place)
        self.report({"INFO"}, f"{len(made)} poses; click one to choose it")
        return {"FINISHED"}


class HMDIFF_OT_clear_poses(Speaking, bpy.types.Operator):
    """Take the bodies that stand side by side away again"""

    bl_idname = "hmdiff.clear_poses"
    bl_label = "Clear"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: Any) -> set[str]:
        from ..scene import pose_row

        pose_row.clear(whole_clip(context)[naming.CLIP])
        return {"FINISHED"}


class HMDIFF_OT_use_pose(Speaking, bpy.types.Operator):
    """Let the clip show the pose of the chosen body"""

    bl_idname = "hmdiff.use_pose"
    bl_label = "Use This Pose"

    @classmethod
    def poll(cls, context: Any) -> bool:
        from ..scene import pose_row

        return pose_row.is_pose(context.active_object) and not session.is_importing()

    def work(self, context: Any) -> set[str]:
        wanted = int(context.active_object[naming.HYPOTHESIS])
        whole_clip(context)
        return bpy.ops.hmdiff.use_here(hypothesis=wanted)


class HMDIFF_OT_apply_pose(Speaking, bpy.types.Operator):
    """Put the chosen pose on the character, with keys at the current frame"""

    bl_idname = "hmdiff.apply_pose"
    bl_label = "Apply to Character"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        return context.scene.hmdiff_character.target is not None

    def work(self, context: Any) -> set[str]:
        from ..scene import pose_subject, retarget

        scene = context.scene
        chosen = pose_subject.subject(context.active_object, whole_clip(context), scene.frame_current_final)
        bone_map = character.chosen_map(scene.hmdiff_character)
        target = target_of(context)
        retarget.pose(chosen.motion, target, bone_map, scene.frame_current_final)
        self.report({"INFO"}, f"{target.name}: keys at frame {scene.frame_current}")
        return {"FINISHED"}


_libraries: list[tuple[str, str, str]] = []


def _library_items(self: Any, context: Any) -> list[tuple[str, str, str]]:
    from ..scene import pose_asset

    # Blender does not keep the strings itself.
    _libraries[:] = [(pose_asset.CURRENT, "This file", "The asset stays in this .blend")]
    _libraries.extend((name, name, str(path)) for name, path in pose_asset.libraries().items())
    return _libraries


class HMDIFF_OT_save_pose(Speaking, bpy.types.Operator):
    """Keep the chosen pose in the Asset Browser, for the character or for HMDiff's own skeleton"""

    bl_idname = "hmdiff.save_pose"
    bl_label = "Save as Pose Asset"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Name", options={"SKIP_SAVE"})
    library: EnumProperty(name="Library", items=_library_items)
    tags: StringProperty(name="Tags", description="Words to find it by, with commas between", default="photo")

    def invoke(self, context: Any, event: Any) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def work(self, context: Any) -> set[str]:
        from ..scene import pose_asset, pose_subject, retarget, thumbnail

        scene = context.scene
        chosen = pose_subject.subject(context.active_object, whole_clip(context), scene.frame_current_final)
        settings = scene.hmdiff_character
        folder = None if self.library == pose_asset.CURRENT else pose_asset.libraries().get(self.library)
        if folder is None and self.library != pose_asset.CURRENT:
            raise HmdiffError("asset.no_library", "This asset library is gone.", "Choose another one.")
        if settings.target is not None:
            target, bone_map = target_of(context), character.chosen_map(settings)
        else:
            target, bone_map = (
                chosen.armature,
                BoneMap("HMDiff", {name: name for name in chosen.armature.data.bones.keys()}),
            )
        catalog = pose_asset.catalog_here() if folder is None else pose_asset.ensure_catalog(folder)
        action = retarget.pose_action(chosen.motion, target, bone_map, self.name.strip() or chosen.name)
        tags = tuple(word.strip() for word in self.tags.split(",") if word.strip())
        picture = thumbnail.draw(chosen.vertices, chosen.triangles)
        described = f"Pose for {bone_map.name} rigs, made by HMDiff"
        pose_asset.mark(action, picture, ("HMDiff", *tags), described, catalog)
        name = action.name
        where = "this file" if folder is None else str(pose_asset.store(action, folder))
        self.report({"INFO"}, f"{name} is in the Asset Browser ({where})")
        return {"FINISHED"}


CLASSES = (
    HMDIFF_OT_lay_out_poses, HMDIFF_OT_clear_poses, HMDIFF_OT_use_pose, HMDIFF_OT_apply_pose, HMDIFF_OT_save_pose,
)  # fmt: skip
