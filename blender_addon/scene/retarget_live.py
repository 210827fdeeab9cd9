"""A character that follows the clip by constraints: edits of the clip show on the character at once.

A hidden helper armature plays what the clip's armature plays, scaled by leg length about the ground. Under each of its
24 bones hangs one more bone that is turned as the character's bone has to be; the character's bones copy these.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import JOINT_NAMES
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from ..core.bone_maps import ROOT, BoneMap
from . import naming
from .armature import edit_mode
from .retarget_live_legs import plant_legs, planted
from .retarget_rig import LIVE_PREFIX, Rig, set_switches
from .retarget_solve import leg_length, rest_turns
from .retarget_source import ANKLES, HIPS, SourceMotion

Array = NDArray[np.floating[Any]]

ROLE = "retarget helper"
ROTATION, LOCATION = f"{LIVE_PREFIX}rotation", f"{LIVE_PREFIX}place"
FOLLOWS = "hmdiff_follows"


def link_live(
    source_armature: Any, source: SourceMotion, armature: Any, rig: Rig, bone_map: BoneMap, plant: bool = False,
    only: frozenset[str] | None = None,
) -> Any:  # fmt: skip
    """Let the character follow; returns the helper. The character's own action is taken off, and stays in the file.
    plant: bend the legs so that both ankles are where the body's are, to scale. only: bones that follow; the others go
    on with the character's action."""
    unlink(armature)
    helper = _helper(source_armature, source, armature, rig)
    if only is None and armature.animation_data and armature.animation_data.action:
        armature.animation_data.action.use_fake_user = True
        armature.animation_data.action = None
    set_switches(armature, bone_map)
    copied = {name: _follower(name) for index, name in enumerate(rig.bones) if index not in rig.between}
    if plant:
        copied |= {name: planted(name) for name in plant_legs(helper, armature, rig, copied)}
    helper.hide_viewport = helper.hide_render = True
    for index, name in enumerate(rig.bones):
        if index in rig.between or (only is not None and name not in only):
            continue
        bone = armature.pose.bones[name]
        bone.matrix_basis = Matrix()
        follow = bone.constraints.new("COPY_ROTATION")
        follow.name, follow.target, follow.subtarget = ROTATION, helper, copied[name]
        if index == rig.joints[ROOT]:
            follow = bone.constraints.new("COPY_LOCATION")
            follow.name, follow.target, follow.subtarget = LOCATION, helper, _follower(name)
    return helper


def unlink(armature: Any) -> bool:
    """Take our constraints off the character and remove the helper; whether there was anything."""
    found = False
    for bone in armature.pose.bones:
        for constraint in [c for c in bone.constraints if c.name.startswith(LIVE_PREFIX)]:
            bone.constraints.remove(constraint)
            found = True
    for item in [o for o in bpy.data.objects if o.get(naming.ROLE) == ROLE and o.get(FOLLOWS) == armature]:
        data = item.data
        bpy.data.objects.remove(item)
        bpy.data.armatures.remove(data)
    return found


def is_live(armature: Any) -> bool:
    return any(c.name.startswith(LIVE_PREFIX) for bone in armature.pose.bones for c in bone.constraints)


def _helper(source_armature: Any, source: SourceMotion, armature: Any, rig: Rig) -> Any:
    helper = source_armature.copy()
    helper.data = source_armature.data.copy()
    helper.animation_data_clear()
    helper.name = f"{armature.name} follows {source_armature.name}"
    helper[naming.ROLE], helper[FOLLOWS] = ROLE, armature
    for collection in source_armature.users_collection:
        collection.objects.link(helper)
    ratio = leg_length(rig) / source.leg
    _add_followers(helper, source, rig, ratio)
    for name in JOINT_NAMES:
        follow = helper.pose.bones[name].constraints.new("COPY_TRANSFORMS")
        follow.target, follow.subtarget = source_armature, name
        follow.owner_space = follow.target_space = "LOCAL"
        helper.pose.bones[name].matrix_basis = Matrix()
    helper.parent = None
    helper.matrix_world = _scaled(source_armature.matrix_world, source, rig, ratio)
    return helper


def _scaled(world: Any, source: SourceMotion, rig: Rig, ratio: float) -> Any:
    """The clip's armature, larger or smaller about the point between its feet at the start."""
    start = source.hips[0]
    ours = Vector((start[0], start[1], source.floor + source.soles[list(ANKLES)].mean()))
    theirs = Vector((start[0], start[1], source.floor + rig.sole))
    return Matrix.Translation(theirs) @ Matrix.Scale(ratio, 4) @ Matrix.Translation(-ours) @ world


def _add_followers(helper: Any, source: SourceMotion, rig: Rig, ratio: float) -> None:
    rest = {name: np.array(helper.data.bones[name].matrix_local) for name in JOINT_NAMES}
    world = np.array(helper.matrix_world)
    turn = world[:3, :3] / np.cbrt(abs(np.linalg.det(world[:3, :3])))
    scale = float(np.cbrt(abs(np.linalg.det(world[:3, :3]))))
    turns, onto = rest_turns(source, rig)
    hips = np.mean([rest[JOINT_NAMES[joint]][:3, 3] for joint in HIPS], axis=0)
    their_hips = np.mean([rig.head("left_hip"), rig.head("right_hip")], axis=0)
    with edit_mode(helper):
        for index, name in enumerate(rig.bones):
            if index not in turns:
                continue
            joint, wanted = turns[index]
            matrix = np.eye(4)
            matrix[:3, :3] = turn.T @ wanted
            matrix[:3, 3] = rest[JOINT_NAMES[joint]][:3, 3]
            if index == rig.joints[ROOT]:
                away = onto @ rig.world[:3, :3] @ (rig.rest[index, :3, 3] - their_hips)
                matrix[:3, 3] = hips + turn.T @ away / (ratio * scale)
            bone = helper.data.edit_bones.new(_follower(name))
            bone.length = 0.05
            bone.matrix = Matrix(matrix.tolist())
            bone.length = 0.05
            bone.parent = helper.data.edit_bones[JOINT_NAMES[joint]]
            bone.use_connect = False


def _follower(bone: str) -> str:
    return f"for {bone}"
