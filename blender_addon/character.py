"""What the artist chooses for the character: which, by which bone map, and how. ``Scene.hmdiff_character``."""

from __future__ import annotations

import json
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from hmdiff_wire.errors import HmdiffError

from .core.bone_map_names import recognise
from .core.bone_maps import JOINTS, BoneMap, Switch
from .scene import clips, naming
from .scene.retarget_solve import Options

MODES = (
    ("BAKE", "Keyframes", "One action with a key wherever the clip has one"),
    ("LIVE", "Follow", "Constraints: what you change on the clip shows on the character at once. Bake later"),
)
ROOT_MOTIONS = (
    ("HIPS", "Hips", "The hips travel as filmed"),
    ("ROOT", "Root bone", "The travel along the ground goes to the rig's topmost bone, as game engines want it"),
    ("NONE", "On the spot", "No travel along the ground"),
)
PARTS = (
    ("TRUNK", "Body", "Hips, spine, and the character's travel"),
    ("HEAD", "Head", "Neck and head"),
    ("ARMS", "Arms", "Shoulders, arms and hands"),
    ("LEGS", "Legs", "Legs and feet"),
)
PLACES = (
    ("CLIP", "Clip", "The character stands where the clip's body stands, so that camera and footage fit"),
    ("CHARACTER", "Character", "The motion begins where the character stands"),
)


def _is_character(self: Any, item: Any) -> bool:
    if item.type == "ARMATURE":
        return item.get(naming.ROLE) is None
    return (
        item.type == "EMPTY" and item.instance_collection is not None and item.instance_collection.library is not None
    )


def _target_changed(settings: Any, context: Any) -> None:
    armature = armature_of(settings.target)
    store_map(settings, automatic(armature) if armature else BoneMap("", {}))


_people: list[tuple[str, str, str]] = []


def _people_items(settings: Any, context: Any) -> list[tuple[str, str, str]]:
    root = clips.chosen_root(context or bpy.context)
    tracks = sorted({int(item[naming.PERSON]) for item in naming.find("armature", root[naming.CLIP])}) if root else []
    # Blender does not keep the strings itself.
    _people[:] = [(str(track), f"Person {track}", "Whose motion the character gets") for track in tracks]
    return _people or [("0", "Nobody", "There is no clip in this scene")]


class HMDIFF_PG_bone(bpy.types.PropertyGroup):
    """One line of the bone map; ``name`` is the joint."""

    bone: StringProperty(name="Bone", description="The character's bone that moves as this joint does")


class HMDIFF_PG_character(bpy.types.PropertyGroup):
    """Scene.hmdiff_character"""

    target: PointerProperty(
        name="Character", description="The armature that gets the motion; one linked from another file will do",
        type=bpy.types.Object, poll=_is_character, update=_target_changed,
    )  # fmt: skip
    person: EnumProperty(name="Person", items=_people_items)
    mode: EnumProperty(name="As", items=MODES)
    root_motion: EnumProperty(name="Travel on", items=ROOT_MOTIONS)
    place: EnumProperty(name="Stand at", items=PLACES)
    size: BoolProperty(
        name="Travel by leg length", default=True,
        description="A smaller character goes less far, so that its feet do not slide. Off: metres as filmed",
    )  # fmt: skip
    plant: BoolProperty(
        name="Plant feet",
        description="Bend the legs so that feet stand where the body's feet stand. Off: legs point exactly as filmed",
    )
    parts: EnumProperty(
        name="Parts", items=PARTS, options={"ENUM_FLAG"}, default={part[0] for part in PARTS},
        description="What the clip moves; all else goes on as in the character's own action",
    )  # fmt: skip
    map_name: StringProperty(name="Map", description="Name of the bone map")
    bones: CollectionProperty(type=HMDIFF_PG_bone)
    active: IntProperty(options={"HIDDEN"})
    switches: StringProperty(options={"HIDDEN"}, default="[]")


def armature_of(item: Any) -> Any | None:
    """The armature that a chosen object stands for: itself, or the one in a linked collection's instance."""
    if item is None or item.type == "ARMATURE":
        return item
    collection = item.instance_collection
    found = [one for one in collection.all_objects if one.type == "ARMATURE"] if collection else []
    return found[0] if found else None


def automatic(armature: Any) -> BoneMap:
    """The bone map for a character by the names of its bones."""
    bones = armature.data.bones
    return recognise(bones.keys(), {bone.name: bone.parent.name if bone.parent else None for bone in bones})


def store_map(settings: Any, bone_map: BoneMap) -> None:
    settings.bones.clear()
    for joint in JOINTS:
        line = settings.bones.add()
        line.name, line.bone = joint, bone_map.bones.get(joint, "")
    settings.map_name = bone_map.name
    settings.switches = json.dumps([[one.bone, one.name, one.value] for one in bone_map.switches])


def chosen_map(settings: Any) -> BoneMap:
    """The map as the list shows it. Errors: ``retarget.not_armature`` where there is no list yet."""
    if not len(settings.bones):
        raise HmdiffError("retarget.not_armature", "No character is chosen.", "Choose its armature in Character.")
    switches = tuple(Switch(*values) for values in json.loads(settings.switches))
    return BoneMap(
        settings.map_name or "Own map", {line.name: line.bone for line in settings.bones if line.bone}, switches
    )


def options(settings: Any) -> Options:
    return Options(settings.root_motion, settings.place, settings.size, settings.plant, frozenset(settings.parts))


CLASSES = (HMDIFF_PG_bone, HMDIFF_PG_character)


def register() -> None:
    bpy.types.Scene.hmdiff_character = PointerProperty(type=HMDIFF_PG_character)


def unregister() -> None:
    del bpy.types.Scene.hmdiff_character
