"""From a clip to a character: the door to retargeting. ``retarget`` writes a whole action, ``follow`` sets up
constraints, ``pose`` puts one pose on the character at one frame.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ..core.bone_maps import BoneMap
from . import naming
from .retarget_bake import set_pose, write_action
from .retarget_live import link_live, unlink
from .retarget_parts import PARTS, driven_bones, with_switches_of
from .retarget_rig import Rig, read_rig
from .retarget_solve import Options, leg_length, solve
from .retarget_source import SourceMotion, read_source

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Retargeted:
    """What was made. frames: keys per curve; ratio: the character's leg length to the body's."""

    action: Any | None
    frames: int
    ratio: float


def retarget(source: Any, target: Any, bone_map: BoneMap, options: Options | None = None) -> Retargeted:
    """The motion of one of our armatures as one new action on the character.

    Of a character that gets only some parts, all else goes on as in the action it plays. Errors: those of
    ``read_source``, ``read_rig`` and ``solve``, ``retarget.linked``, ``.no_parts``.
    """
    options = options or Options()
    motion = read_source(source)
    rig = _rig(target, bone_map, source)
    only = _only(rig, options.parts)
    solution = solve(motion, rig, options)
    unlink(target)
    name = f"{target.name} {source.name.replace(' armature', '')}"
    action = write_action(target, name, motion.frames, rig, solution, with_switches_of(bone_map, options.parts), only)
    _refresh()
    return Retargeted(action, len(motion.frames), leg_length(rig) / motion.leg)


def follow(
    source: Any, target: Any, bone_map: BoneMap, plant: bool = False, parts: Collection[str] = PARTS
) -> Retargeted:
    """The character follows by constraints, until it is baked or unlinked. plant, parts: as in ``Options``.

    Errors: as ``retarget``.
    """
    motion = read_source(source)
    rig = _rig(target, bone_map, source)
    link_live(source, motion, target, rig, with_switches_of(bone_map, parts), plant, _only(rig, parts))
    _refresh()
    return Retargeted(None, len(motion.frames), leg_length(rig) / motion.leg)


def pose(motion: SourceMotion, target: Any, bone_map: BoneMap, frame: float, key: bool = True) -> None:
    """The first pose of ``motion`` on the character, with keys at ``frame``. It stands where it stood.

    Errors: as ``retarget``.
    """
    rig = _rig(target, bone_map, None)
    set_pose(target, rig, solve(motion, rig, Options(place="CHARACTER")), bone_map, frame if key else None)
    _refresh()


def pose_action(motion: SourceMotion, target: Any, bone_map: BoneMap, name: str) -> Any:
    """The first pose of ``motion`` as an action of its own, which the target does not play. Errors: as ``retarget``."""
    rig = read_rig(target, bone_map)
    solution = solve(motion, rig, Options(place="CHARACTER"))
    carrier = target.copy()
    try:
        carrier.animation_data_clear()
        return write_action(carrier, name, np.array([1.0]), rig, solution, bone_map)
    finally:
        bpy.data.objects.remove(carrier)


def movable(item: Any) -> Any:
    """The armature that may be animated: the item itself, or the override of a linked one, which is made where there
    is none yet. An instance of a linked collection counts too. Errors: ``retarget.linked``, ``retarget.not_armature``.
    """
    if item is None:
        raise HmdiffError("retarget.not_armature", "No character is chosen.", "Choose its armature.")
    if item.type == "EMPTY" and item.instance_collection is not None and item.instance_collection.library is not None:
        return _override(item)
    if item.type != "ARMATURE":
        raise HmdiffError(
            "retarget.not_armature", f"{item.name} is not an armature.", "Choose the character's armature."
        )
    if item.library is None:
        return item
    return _override(item)


def _override(item: Any) -> Any:
    scene, layer = bpy.context.scene, bpy.context.view_layer
    instance = item.type == "EMPTY"
    linked = item.instance_collection if instance else item
    try:
        made = linked.override_hierarchy_create(scene, layer, reference=item if instance else None)
    except (RuntimeError, TypeError, ReferenceError) as error:
        raise _locked(item, repr(error)) from error
    if made is None:
        raise _locked(item, "no override was made")
    found = [made] if made.id_type == "OBJECT" else list(made.all_objects)
    armatures = [one for one in found if one.type == "ARMATURE"]
    if not armatures:
        raise HmdiffError("retarget.not_armature", f"There is no armature in {item.name}.", "Choose another character.")
    for armature in armatures:
        if armature.override_library is not None:
            armature.override_library.is_system_override = False
    return armatures[0]


def _locked(item: Any, detail: str) -> HmdiffError:
    return HmdiffError(
        "retarget.linked", f"{item.name} is linked from another file, and no override of it could be made.",
        "Make one with Object > Library Override > Make, then choose the override.", detail,
    )  # fmt: skip


def _only(rig: Rig, parts: Collection[str]) -> frozenset[str] | None:
    found = driven_bones(rig, parts)
    if found is not None and not found:
        raise HmdiffError("retarget.no_parts", "No part of the character is chosen.", "Tick body, head, arms or legs.")
    return found


def _rig(target: Any, bone_map: BoneMap, source: Any) -> Rig:
    if target is not None and (target == source or target.get(naming.ROLE) == "armature"):
        raise HmdiffError(
            "retarget.itself", "The clip's own skeleton cannot be the character.", "Choose your character's armature."
        )
    if target is not None and target.library is not None:
        raise _locked(target, "linked")
    if target is not None and target.data.pose_position == "REST":
        if target.data.library is not None:
            raise HmdiffError(
                "retarget.rest", f"{target.name} shows its rest position, in a file that is linked.",
                "Set it to Pose Position in its own file.",
            )  # fmt: skip
        target.data.pose_position = "POSE"
    return read_rig(target, bone_map)


def _refresh() -> None:
    scene = bpy.context.scene
    scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
