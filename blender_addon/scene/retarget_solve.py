"""The arithmetic of retargeting; numpy only. From how our joints turn to how a character's bones turn.

A character's rest pose is another one than ours: arms hang, bones roll, proportions differ. So what is carried over is
how far each joint has turned from rest, after the character's rest pose has been turned into ours limb by limb, each
by the smallest turn that brings its direction there. The trunk is left as the character stands; feet turn only about
the vertical, since the soles of both are flat on the ground at rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hmdiff_wire.body import JOINT_NAMES
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ..core.bone_maps import ROOT
from .retarget_legs import reach_ankle, smallest_turn
from .retarget_parts import PARTS
from .retarget_rig import Rig
from .retarget_source import ANKLES, SourceMotion
from .rotations import quaternions

Array = NDArray[np.floating[Any]]

# Joint, and the joint its limb points at, from the trunk outwards.
_LIMBS = tuple(
    (f"{side}_{part}", f"{side}_{end}")
    for side in ("left", "right")
    for part, end in (
        ("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "hand"),
    )
)  # fmt: skip
_BEFORE = {"knee": "hip", "elbow": "shoulder", "wrist": "elbow", "hand": "wrist"}
_SUPPORT = 0.03  # metres: of two feet, one that is so much lower has most of the say in where the ground is


@dataclass(frozen=True)
class Options:
    """root_motion: "HIPS" (as filmed), "ROOT" (travel on the rig's own root bone ``root_bone``), "NONE" (on the spot).
    place: "CLIP" (stands where the clip's body stands) or "CHARACTER" (begins where the character stands).
    size: True scales the travel by leg length, so that feet do not slide; False keeps metres. plant: bend the legs so
    that both ankles are where the body's are, to scale; False lets legs point exactly as the body's do. parts: of
    ``retarget_parts.PARTS``, what the clip moves."""

    root_motion: str = "HIPS"
    place: str = "CLIP"
    size: bool = True
    plant: bool = False
    parts: frozenset[str] = frozenset(PARTS)


@dataclass(frozen=True)
class Solution:
    """rotations (n,B,3,3) and location (n,3): each driven bone's own values, the location that of bone ``root``;
    world (n,B,3,3): where the bones point, armature space; heads (n,B,3) world, metres; travel (n,3): world, what a
    root bone or object has to carry, zero unless asked for."""

    rotations: Array
    location: Array
    root: int
    world: Array
    heads: Array
    travel: Array


def solve(source: SourceMotion, rig: Rig, options: Options | None = None) -> Solution:
    """Errors: ``retarget.rest_pose`` where the character's rest pose is not a standing person."""
    turns, _ = rest_turns(source, rig)
    world = np.empty((len(source.frames), len(rig.bones), 3, 3))
    for bone, (joint, wanted) in turns.items():
        world[:, bone] = rig.turn.T @ source.turned[:, joint] @ wanted
    for bone, (lower, upper, share) in rig.between.items():
        first, second = (world[:, end] @ rig.rest[end, :3, :3].T for end in (lower, upper))
        world[:, bone] = _slerp(first, second, share) @ rig.rest[bone, :3, :3]
    return _place(source, rig, options or Options(), world, rig.joints[ROOT])


def rest_turns(source: SourceMotion, rig: Rig) -> tuple[dict[int, tuple[int, Array]], Array]:
    """Per driven bone the joint it follows and how it is turned in the world (3,3) while our body is at rest; and the
    turn (3,3) that makes the character face as our body does. Errors: ``retarget.rest_pose``.
    """
    ours, theirs = source.facing, rig.turn @ _frame_of_rig(rig)
    onto = ours @ theirs.T
    fixes = _corrections(source, rig, ours, theirs)
    turns = {
        rig.joints[name]: (joint, onto @ fixes[name] @ rig.turn @ rig.rest[rig.joints[name], :3, :3])
        for joint, name in enumerate(JOINT_NAMES)
        if name in rig.joints
    }
    root = rig.joints[ROOT]
    turns.setdefault(root, (0, onto @ rig.turn @ rig.rest[root, :3, :3]))
    return turns, onto


def _place(source: SourceMotion, rig: Rig, options: Options, world: Array, root: int) -> Solution:
    """Own rotations of the bones, then the root's place: hips over the ground by leg length, then feet on it."""
    ratio = leg_length(rig) / source.leg
    rotations, heads = _forward(rig, world)
    hips = heads[:, [rig.joints["left_hip"], rig.joints["right_hip"]]].mean(1)
    shift = _to_scale(source, rig, options, ratio, source.hips) - hips
    heads = heads + shift[:, None]
    lift = _lift(source, rig, heads, ratio, _floor(source, rig, options))
    shift[:, 2] += lift
    heads[..., 2] += lift[:, None]
    if options.plant:
        world = world.copy()
        for side, ankle in zip(("left", "right"), ANKLES, strict=True):
            wanted = _to_scale(source, rig, options, ratio, source.joints[:, ankle])
            reach_ankle(rig, world, heads, side, wanted)
        rotations, heads = _forward(rig, world)
        heads = heads + shift[:, None]
    travel = np.zeros_like(shift)
    if options.root_motion in ("ROOT", "NONE"):
        away = heads[:, root] - heads[0, root]
        away[:, 2] = 0.0
        shift = shift - away
        if options.root_motion == "ROOT":
            travel = away
        else:
            heads = heads - away[:, None]
    into = np.linalg.inv(rig.world[:3, :3])
    carrier = rig.carriers[root]
    before = np.broadcast_to(rig.rest[root, :3, :3], world[:, root].shape)
    if carrier >= 0:
        before = world[:, carrier] @ rig.rest[carrier, :3, :3].T @ rig.rest[root, :3, :3]
    location = np.einsum("nji,nj->ni", before, shift @ into.T)
    return Solution(rotations, location, root, world, heads, travel)


def _forward(rig: Rig, world: Array) -> tuple[Array, Array]:
    """Each bone's own rotation (n,B,3,3) and where its head is in the world (n,B,3), the root left where it rests."""
    rotations = np.empty_like(world)
    moved = np.tile(np.eye(4), (len(world), len(rig.bones), 1, 1))
    for bone, carrier in enumerate(rig.carriers):
        before = np.broadcast_to(rig.rest[bone], moved[:, bone].shape)
        if carrier >= 0:
            before = moved[:, carrier] @ np.linalg.inv(rig.rest[carrier]) @ rig.rest[bone]
        rotations[:, bone] = before[:, :3, :3].transpose(0, 2, 1) @ world[:, bone]
        moved[:, bone, :3, :3], moved[:, bone, :3, 3] = world[:, bone], before[:, :3, 3]
    return rotations, moved[..., :3, 3] @ rig.world[:3, :3].T + rig.world[:3, 3]


def leg_length(rig: Rig) -> float:
    """Hip to ankle along the character's leg, metres in the world."""
    total = 0.0
    for side in ("left", "right"):
        hip, knee, ankle = (rig.head(f"{side}_{part}") for part in ("hip", "knee", "ankle"))
        total += float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))
    return rig.scale * total / 2


def _to_scale(source: SourceMotion, rig: Rig, options: Options, ratio: float, points: Array) -> Array:
    """Where points (n,3) of the body belong on the character, in the world: as much larger over the ground and away
    from the start as its legs are longer."""
    start = source.hips[0, :2]
    found = points.copy()
    found[:, :2] = start + (ratio if options.size else 1.0) * (points[:, :2] - start)
    if not options.size:  # the body is to scale, only its travel is not
        found[:, :2] += (ratio - 1.0) * (points[:, :2] - source.hips[:, :2])
    if options.place == "CHARACTER":
        found[:, :2] += _at_rest(rig, "hip")[:2] - start
    ankle = source.soles[list(ANKLES)].mean()
    found[:, 2] = _floor(source, rig, options) + rig.sole + ratio * (points[:, 2] - source.floor - ankle)
    return found


def _floor(source: SourceMotion, rig: Rig, options: Options) -> float:
    if options.place == "CLIP":
        return source.floor
    return float(_at_rest(rig, "ankle")[2] - rig.sole)


def _at_rest(rig: Rig, part: str) -> Array:
    """The middle between left and right (3,) in the rest pose, in the world."""
    middle = (rig.head(f"left_{part}") + rig.head(f"right_{part}")) / 2
    return rig.world[:3, :3] @ middle + rig.world[:3, 3]


def _lift(source: SourceMotion, rig: Rig, heads: Array, ratio: float, floor: float) -> Array:
    """How much higher (n,) the character must be, so that the foot it stands on is as far from the ground as ours."""
    ankles = [rig.joints["left_ankle"], rig.joints["right_ankle"]]
    ours = source.joints[:, list(ANKLES), 2] - source.soles[list(ANKLES)] - source.floor
    theirs = heads[:, ankles, 2] - rig.sole - floor
    weight = np.exp(-(ours - ours.min(axis=1, keepdims=True)) / _SUPPORT)
    return np.sum(weight * (ratio * ours - theirs), axis=1) / weight.sum(axis=1)


def _frame_of_rig(rig: Rig) -> Array:
    """(3,3), columns left, up and front in the rest pose, armature space; along the axes that the rig is built on,
    which a leaning spine or legs that are not quite level must not tilt."""
    hips = (rig.head("left_hip") + rig.head("right_hip")) / 2
    top = next(joint for joint in ("head", "neck", "spine3") if joint in rig.joints)
    left, up = _axis(rig.head("left_hip") - rig.head("right_hip")), _axis(rig.head(top) - hips)
    left = left / max(np.linalg.norm(left), 1e-9)
    up = up - (up @ left) * left
    if np.linalg.norm(up) < 0.7:
        raise HmdiffError(
            "retarget.rest_pose", "This character's rest pose is not a standing person, as far as its map tells.",
            "Check the bones for hips and head in the list.",
        )  # fmt: skip
    up = up / np.linalg.norm(up)
    return np.stack([left, up, np.cross(left, up)], axis=1)


def _axis(direction: Array) -> Array:
    """The nearest axis, unless the direction lies clearly between two."""
    largest = int(np.abs(direction).argmax())
    axis = np.zeros(3)
    axis[largest] = np.sign(direction[largest]) or 1.0
    length = np.linalg.norm(direction)
    return axis if length > 0 and abs(direction[largest]) > 0.92 * length else direction / max(length, 1e-9)


def _corrections(source: SourceMotion, rig: Rig, ours: Array, theirs: Array) -> dict[str, Array]:
    """Per joint the turn (3,3), in the world, that brings the character's rest pose into ours."""
    fixes = {name: np.eye(3) for name in JOINT_NAMES}
    into = theirs @ ours.T
    index = JOINT_NAMES.index
    for joint, end in _LIMBS:
        side, part = joint.split("_")
        start = fixes[f"{side}_{_BEFORE[part]}"] if part in _BEFORE else np.eye(3)
        fixes[joint] = start
        if joint in rig.joints and end in rig.joints:
            has = start @ rig.turn @ (rig.head(end) - rig.head(joint))
            wants = into @ (source.rest[index(end)] - source.rest[index(joint)])
            fixes[joint] = smallest_turn(has, wants) @ start
    up = theirs[:, 1]
    for side in ("left", "right"):
        ankle, ball = f"{side}_ankle", f"{side}_foot"
        if ankle in rig.joints:
            tip = rig.head(ball) if ball in rig.joints else rig.ends[ankle]
            has = rig.turn @ (tip - rig.head(ankle))
            wants = into @ (source.rest[index(ball)] - source.rest[index(ankle)])
            fixes[ankle] = fixes[ball] = _yaw(has, wants, up)
        fixes[f"{side}_hand"] = fixes[f"{side}_wrist"]
    return fixes


def _yaw(has: Array, wants: Array, up: Array) -> Array:
    flat = [vector - (vector @ up) * up for vector in (has, wants)]
    if min(np.linalg.norm(flat[0]) / max(np.linalg.norm(has), 1e-9), np.linalg.norm(flat[1])) < 0.02:
        return np.eye(3)  # a foot bone that points straight down tells nothing
    return smallest_turn(*flat)


def _slerp(first: Array, second: Array, share: float) -> Array:
    """Rotations (n,3,3) this share of the way from the first to the second."""
    between = quaternions(first.transpose(0, 2, 1) @ second)
    between = np.where(between[:, :1] < 0, -between, between)
    half = np.arccos(np.clip(between[:, 0], -1, 1))
    length = np.linalg.norm(between[:, 1:], axis=1)
    axis = between[:, 1:] / np.maximum(length, 1e-12)[:, None]
    angle = 2 * half * share
    x, y, z = axis.T
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return first @ (np.eye(3) + sine * skew + (1 - cosine) * skew @ skew)
