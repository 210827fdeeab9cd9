"""A character's rig as the solver sees it: rest pose, which mapped bone carries which, height over the ground.

Rigs with constraints (Rigify and other control rigs) move bones by other bones than their parents. Which mapped bone
carries which is then found by trying: turn one, see what turns with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.errors import HmdiffError
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from ..core.bone_maps import ROOT, BoneMap

Array = NDArray[np.floating[Any]]

LIVE_PREFIX = "HMDiff "
_TRIAL = 0.35  # radians; far above rounding, far below what a rig would limit


@dataclass(frozen=True)
class Rig:
    """bones: those that are driven, each after what carries it; carriers: index of the carrier, -1 for none; rest
    (B,4,4): armature space, all driven bones at rest; joints: joint -> index; ends: joint -> where its bone ends (3,),
    armature space; world (4,4); ground: height of the soles under the armature's own origin, along the world's z, in
    metres; between: index -> (lower, upper, share) for trunk bones between two mapped ones.
    """

    bones: tuple[str, ...]
    carriers: tuple[int, ...]
    rest: Array
    joints: Mapping[str, int]
    ends: Mapping[str, Array]
    world: Array
    sole: float
    between: Mapping[int, tuple[int, int, float]]

    @property
    def turn(self) -> Array:
        """Rotation (3,3) from the armature to the world."""
        scale = np.cbrt(abs(np.linalg.det(self.world[:3, :3])))
        return self.world[:3, :3] / scale

    @property
    def scale(self) -> float:
        return float(np.cbrt(abs(np.linalg.det(self.world[:3, :3]))))

    def head(self, joint: str) -> Array:
        return self.rest[self.joints[joint], :3, 3]


def read_rig(armature: Any, bone_map: BoneMap) -> Rig:
    """Errors: those of ``BoneMap.check``, ``retarget.hidden``, ``retarget.not_armature``."""
    if armature is None or armature.type != "ARMATURE":
        raise HmdiffError("retarget.not_armature", "No character is chosen.", "Choose its armature.")
    bone_map.check(armature.data.bones.keys())
    names = _names(armature, bone_map)
    with at_rest(armature, names, bone_map):
        rest = {name: _pose_matrix(armature, name) for name in names}
        if _plain(armature, names):
            carried = {name: _mapped_above(armature, name, names) for name in names}
        else:
            carried = _tried(armature, names, rest)
    order = _ordered(names, carried)
    index = {name: at for at, name in enumerate(order)}
    joints = {joint: index[bone] for joint, bone in bone_map.bones.items() if bone}
    joints.setdefault(ROOT, joints["pelvis"])
    carriers = tuple(index[carried[name]] if carried[name] is not None else -1 for name in order)
    at = np.array([rest[name] for name in order])
    ends = {
        joint: at[index[bone]][:3, :3] @ np.array([0.0, armature.data.bones[bone].length, 0.0]) + at[index[bone]][:3, 3]
        for joint, bone in bone_map.bones.items()
        if bone
    }
    world = np.array(armature.matrix_world)
    return Rig(tuple(order), carriers, at, joints, ends, world, _sole(armature, at, joints, world),
               _between(armature, bone_map, index))  # fmt: skip


@contextmanager
def at_rest(armature: Any, names: list[str], bone_map: BoneMap) -> Iterator[None]:
    """The armature with the named bones at rest, without its animation and our own constraints; then as it was."""
    if armature.name not in bpy.context.view_layer.objects or not armature.visible_get():
        raise HmdiffError(
            "retarget.hidden", f"{armature.name} is hidden, so Blender does not move it.",
            "Show it in the viewport and try again.",
        )  # fmt: skip
    animation = armature.animation_data
    action = animation.action if animation else None
    slot = getattr(animation, "action_slot", None) if animation else None
    nla = animation.use_nla if animation else False
    bases = {bone.name: bone.matrix_basis.copy() for bone in armature.pose.bones}
    constraints = [constraint for bone in armature.pose.bones for constraint in bone.constraints]
    ours = [one for one in constraints if one.name.startswith(LIVE_PREFIX) and one.enabled]
    before = {
        (switch.bone, switch.name): armature.pose.bones[switch.bone].get(switch.name) for switch in bone_map.switches
    }
    if animation:
        animation.action, animation.use_nla = None, False
    try:
        for constraint in ours:
            constraint.enabled = False
        set_switches(armature, bone_map)
        for name in names:
            armature.pose.bones[name].matrix_basis = Matrix()
        bpy.context.view_layer.update()
        yield
    finally:
        for name, basis in bases.items():
            armature.pose.bones[name].matrix_basis = basis
        for (bone, name), value in before.items():
            if value is not None:
                armature.pose.bones[bone][name] = value
        for constraint in ours:
            constraint.enabled = True
        if animation:
            animation.use_nla = nla
            if action is not None:
                animation.action = action
                if slot is not None:
                    animation.action_slot = slot
        bpy.context.view_layer.update()


def set_switches(armature: Any, bone_map: BoneMap) -> None:
    """Put the rig's switches as the map says; a property keeps its type."""
    for switch in bone_map.switches:
        bone = armature.pose.bones.get(switch.bone)
        if bone is not None and switch.name in bone:
            kind = type(bone[switch.name])
            bone[switch.name] = kind(switch.value) if kind in (bool, int, float) else switch.value
    armature.update_tag()


def _names(armature: Any, bone_map: BoneMap) -> list[str]:
    names = [bone for bone in dict.fromkeys(bone_map.bones.values()) if bone]
    return names + [name for name in _trunk_between(armature, bone_map) if name not in names]


def _pose_matrix(armature: Any, name: str) -> Array:
    return np.array(armature.pose.bones[name].matrix)


def _plain(armature: Any, names: list[str]) -> bool:
    """Whether every named bone is carried by its parents alone."""
    todo = set(names)
    for name in names:
        todo |= {bone.name for bone in armature.data.bones[name].parent_recursive}
    if any(curve.data_path.startswith("pose.bones") for curve in _drivers(armature)):
        return False
    for name in todo:
        bone = armature.data.bones[name]
        live = [c for c in armature.pose.bones[name].constraints if not c.mute and not c.name.startswith(LIVE_PREFIX)]
        if live or not bone.use_inherit_rotation:
            return False
    return True


def _drivers(armature: Any) -> list[Any]:
    return list(armature.animation_data.drivers) if armature.animation_data else []


def _mapped_above(armature: Any, name: str, names: list[str]) -> str | None:
    return next((bone.name for bone in armature.data.bones[name].parent_recursive if bone.name in names), None)


def _tried(armature: Any, names: list[str], rest: dict[str, Array]) -> dict[str, str | None]:
    """Each bone's nearest carrier, by turning one bone after the other."""
    trial = Matrix.Rotation(_TRIAL, 4, Vector((1.0, 0.7, 0.4)))
    carried_by: dict[str, list[str]] = {name: [] for name in names}
    for turned in names:
        bone = armature.pose.bones[turned]
        bone.matrix_basis = trial
        bpy.context.view_layer.update()
        move = _pose_matrix(armature, turned) @ np.linalg.inv(rest[turned])
        for other in names:
            if other != turned:
                expected = move @ rest[other]
                now = _pose_matrix(armature, other)
                if np.abs(now[:3, :3] - expected[:3, :3]).max() < 2e-3:
                    carried_by[other].append(turned)
        bone.matrix_basis = Matrix()
    bpy.context.view_layer.update()
    return {name: max(above, key=lambda one: len(carried_by[one]), default=None) for name, above in carried_by.items()}


def _ordered(names: list[str], carried: Mapping[str, str | None]) -> list[str]:
    order: list[str] = []
    waiting = list(names)
    while waiting:
        ready = [name for name in waiting if carried[name] is None or carried[name] in order]
        if not ready:
            raise HmdiffError(
                "retarget.circle", "The bones of this rig carry each other in a circle.",
                "Map its deform bones instead of its controls.", ", ".join(waiting),
            )  # fmt: skip
        order += ready
        waiting = [name for name in waiting if name not in order]
    return order


def _trunk_between(armature: Any, bone_map: BoneMap) -> dict[str, tuple[str, str, float]]:
    """Trunk bones that lie between two mapped ones: name -> (lower, upper, share of the way up)."""
    found: dict[str, tuple[str, str, float]] = {}
    trunk = [bone_map.bones[joint] for joint in ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
             if bone_map.bones.get(joint)]  # fmt: skip
    for lower, upper in zip(trunk, trunk[1:], strict=False):
        chain = []
        bone = armature.data.bones[upper].parent
        while bone is not None and bone.name != lower:
            chain.append(bone.name)
            bone = bone.parent
        if bone is None or any(armature.pose.bones[name].constraints for name in chain):
            continue
        for at, name in enumerate(reversed(chain), 1):
            if name not in bone_map.bones.values() and not name.startswith(("MCH", "ORG", "DEF")):
                found[name] = (lower, upper, at / (len(chain) + 1))
    return found


def _between(armature: Any, bone_map: BoneMap, index: Mapping[str, int]) -> dict[int, tuple[int, int, float]]:
    return {
        index[name]: (index[lower], index[upper], share)
        for name, (lower, upper, share) in _trunk_between(armature, bone_map).items()
    }


def _sole(armature: Any, rest: Array, joints: Mapping[str, int], world: Array) -> float:
    """How far the ankles are over the ground at rest, metres in the world: by the character's meshes, else its bones.

    Up is the direction from the ankles to the hips.
    """
    ankles = np.mean([rest[joints[f"{side}_ankle"], :3, 3] for side in ("left", "right")], axis=0)
    hips = np.mean([rest[joints[f"{side}_hip"], :3, 3] for side in ("left", "right")], axis=0)
    up = hips - ankles
    leg = float(np.linalg.norm(up))
    axis = int(np.abs(up).argmax())
    sign = float(np.sign(up[axis]))
    height = sign * ankles[axis]
    scale = float(np.cbrt(abs(np.linalg.det(world[:3, :3]))))
    balls = [sign * rest[joints[joint], axis, 3] for joint in ("left_foot", "right_foot") if joint in joints]
    bones = height - min(balls, default=height - 0.08 * leg) + 0.02 * leg
    by_mesh = height - _lowest_mesh(armature, axis, sign)
    return scale * float(by_mesh if 0.0 <= by_mesh < 0.35 * leg else bones)


def _lowest_mesh(armature: Any, axis: int, sign: float) -> float:
    lowest = np.inf
    into = armature.matrix_world.inverted_safe()
    for item in character_meshes(armature):
        if not len(item.data.vertices):
            continue
        points = np.empty(3 * len(item.data.vertices), np.float32)
        item.data.vertices.foreach_get("co", points)
        matrix = np.array(into @ item.matrix_world)
        along = points.reshape(-1, 3) @ matrix[axis, :3] + matrix[axis, 3]
        lowest = min(lowest, float((sign * along).min()))
    return lowest


def character_meshes(armature: Any) -> list[Any]:
    """The meshes that this armature deforms."""
    return [
        item
        for item in bpy.data.objects
        if item.type == "MESH" and any(m.type == "ARMATURE" and m.object == armature for m in item.modifiers)
    ]
