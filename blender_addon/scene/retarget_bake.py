"""A solution becomes keys: one new action on the character, or keys at one frame of the action it has."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..core.bone_maps import BoneMap
from . import compat
from .retarget_rig import Rig, set_switches
from .retarget_solve import Solution
from .rotations import continuous, quaternions

Array = NDArray[np.floating[Any]]

Channel = tuple[str, Array]
"""A data path and its values (n,k)."""


def write_action(
    armature: Any, name: str, frames: Array, rig: Rig, solution: Solution, bone_map: BoneMap,
    only: frozenset[str] | None = None,
) -> Any:  # fmt: skip
    """A new action with all keys, assigned to the character; the one it had stays in the file. only: bones to move,
    everything else in the new action is a copy of the one it had."""
    animation = armature.animation_data or armature.animation_data_create()
    before = animation.action
    if before is not None:
        before.use_fake_user = True
    if only is not None and before is not None:
        compat.exchange_action(armature, before.copy())
        animation.action.name = name
    else:
        animation.action = bpy.data.actions.new(name)
    set_switches(armature, bone_map)
    for path, values, group in _channels(armature, rig, solution, only):
        for index in range(values.shape[1]):
            compat.set_keys(compat.ensure_fcurve(armature, path, index, group), frames, values[:, index])
        _set(armature, path, values[0])
    for switch in bone_map.switches:
        value = armature.pose.bones[switch.bone].get(switch.name)
        if value is not None:
            path = f'pose.bones["{bpy.utils.escape_identifier(switch.bone)}"]["{switch.name}"]'
            curve = compat.ensure_fcurve(armature, path, 0, switch.bone)
            compat.set_keys(curve, frames[:1], np.array([float(value)]), "CONSTANT")
    return animation.action


def set_pose(armature: Any, rig: Rig, solution: Solution, bone_map: BoneMap, frame: float | None) -> None:
    """Put the character into the solution's first pose; with a key on each of its bones at ``frame`` where given."""
    set_switches(armature, bone_map)
    for path, values, group in _channels(armature, rig, solution):
        _set(armature, path, values[0])
        if frame is not None:
            armature.keyframe_insert(path, frame=frame, group=group)
    for switch in bone_map.switches:
        if frame is not None and switch.name in armature.pose.bones[switch.bone]:
            path = f'pose.bones["{bpy.utils.escape_identifier(switch.bone)}"]["{switch.name}"]'
            armature.keyframe_insert(path, frame=frame, group=switch.bone)


def travel_carrier(armature: Any, rig: Rig, solution: Solution) -> str | None:
    """The bone that root motion goes to: the highest above the body's root; None: the object itself."""
    above = armature.data.bones[rig.bones[solution.root]].parent_recursive
    return above[-1].name if above else None


def _channels(
    armature: Any, rig: Rig, solution: Solution, only: frozenset[str] | None = None
) -> list[tuple[str, Array, str]]:
    found = []
    for index, name in enumerate(rig.bones):
        if only is not None and name not in only:
            continue
        bone = armature.pose.bones[name]
        path = _path(name)
        found.append((*_rotation(path, bone, solution.rotations[:, index]), name))
        if index == solution.root:
            found.append((f"{path}.location", solution.location, name))
    if np.abs(solution.travel).max() > 0 and (only is None or rig.bones[solution.root] in only):
        found.append(_travel(armature, rig, solution))
    return found


def _travel(armature: Any, rig: Rig, solution: Solution) -> tuple[str, Array, str]:
    carrier = travel_carrier(armature, rig, solution)
    if carrier is None:
        above = np.array(armature.parent.matrix_world)[:3, :3] if armature.parent else np.eye(3)
        return "location", np.array(armature.location) + solution.travel @ np.linalg.inv(above).T, "Object"
    rest = np.array(armature.data.bones[carrier].matrix_local)[:3, :3]
    return f"{_path(carrier)}.location", solution.travel @ np.linalg.inv(rig.world[:3, :3]).T @ rest, carrier


def _path(bone: str) -> str:
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'


def _rotation(path: str, bone: Any, matrices: Array) -> Channel:
    """In the bone's own way of turning, without jumps from one key to the next."""
    if bone.rotation_mode == "QUATERNION":
        return f"{path}.rotation_quaternion", continuous(quaternions(matrices))
    if bone.rotation_mode == "AXIS_ANGLE":
        rows = []
        for quaternion in continuous(quaternions(matrices)):
            half = np.arctan2(np.linalg.norm(quaternion[1:]), quaternion[0])
            rows.append([2 * half, *(quaternion[1:] / max(np.sin(half), 1e-9))])
        return f"{path}.rotation_axis_angle", np.array(rows)
    angles = []
    before = bone.rotation_euler.copy()
    before.zero()
    for matrix in matrices:
        before = Matrix(matrix.tolist()).to_euler(bone.rotation_mode, before)
        angles.append(list(before))
    return f"{path}.rotation_euler", np.array(angles)


def _set(armature: Any, path: str, values: Array) -> None:
    owner, _, name = path.rpartition(".")
    setattr(armature.path_resolve(owner) if owner else armature, name, values.tolist())
