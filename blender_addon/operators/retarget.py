"""The clip's motion on a character: as keyframes, by constraints, or off again."""

from __future__ import annotations

from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError

from .. import character
from ..scene import clips, naming
from .base import Speaking


def source_of(context: Any) -> Any:
    """The clip's armature whose motion is meant: the active object's person, else the one chosen in the panel."""
    from ..scene import retarget_source

    root = clips.chosen_root(context)
    if root is None:
        raise HmdiffError("clip.none", "There is no clip in this scene.", "Choose footage and press Run.")
    active, chosen = context.active_object, context.scene.hmdiff_character.person
    person = int(chosen) if chosen else None
    if active is not None and active.get(naming.CLIP) == root[naming.CLIP] and active.get(naming.PERSON) is not None:
        person = int(active[naming.PERSON])
    return retarget_source.of_clip(root[naming.CLIP], person or None)


def target_of(context: Any) -> Any:
    """The character to animate; a linked one becomes an override. Errors: ``retarget.not_armature``, ``.linked``."""
    from ..scene import retarget

    settings = context.scene.hmdiff_character
    target = retarget.movable(settings.target)
    if target != settings.target:
        kept = character.chosen_map(settings)
        settings.target = target
        character.store_map(settings, kept)
    return target


class HMDIFF_OT_retarget(Speaking, bpy.types.Operator):
    """Give the clip's motion to the character. Its earlier action stays in the file"""

    bl_idname = "hmdiff.retarget"
    bl_label = "Animate Character"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        return context.scene.hmdiff_character.target is not None and clips.chosen_root(context) is not None

    def work(self, context: Any) -> set[str]:
        from ..scene import retarget

        settings = context.scene.hmdiff_character
        source, bone_map = source_of(context), character.chosen_map(settings)
        target = target_of(context)
        if settings.mode == "LIVE":
            retarget.follow(source, target, bone_map, settings.plant, settings.parts)
            self.report({"INFO"}, f"{target.name} follows {source.name}")
        else:
            made = retarget.retarget(source, target, bone_map, character.options(settings))
            self.report({"INFO"}, f"{target.name}: {made.frames} keys, travel times {made.ratio:.2f}")
        return {"FINISHED"}


class HMDIFF_OT_unlink_character(Speaking, bpy.types.Operator):
    """Take the constraints off that make the character follow the clip"""

    bl_idname = "hmdiff.unlink_character"
    bl_label = "Stop Following"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        from ..scene.retarget_live import is_live

        target = context.scene.hmdiff_character.target
        return target is not None and target.type == "ARMATURE" and is_live(target)

    def work(self, context: Any) -> set[str]:
        from ..scene.retarget_live import unlink

        unlink(context.scene.hmdiff_character.target)
        return {"FINISHED"}


CLASSES = (HMDIFF_OT_retarget, HMDIFF_OT_unlink_character)
