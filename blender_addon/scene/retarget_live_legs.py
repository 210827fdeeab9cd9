"""Planted feet while a character follows: in the helper, legs of the character's lengths reach for the body's ankles.

Per leg and after the joint it follows: a chain that Blender's inverse kinematics bends, and for thigh and shin a bone
that first turns as filmed and is then brought, by the smallest turn, to where the chain points. What the character's
thigh and shin copy hangs under these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from .armature import edit_mode
from .retarget_rig import Rig

Array = NDArray[np.floating[Any]]

SIDES = ("left", "right")
_BENT = 0.35  # radians that the chain is bent at rest: a straight one does not know which way to bend
_SHORT = 0.05


def planted(bone: str) -> str:
    """The helper's bone that a thigh or shin of this name copies."""
    return f"planted {bone}"


def plant_legs(helper: Any, armature: Any, rig: Rig, filmed: dict[str, str]) -> list[str]:
    """Add the legs to a helper that stands where it will stand, and plays. filmed: the character's bone -> the
    helper's bone that turns as filmed. Returns the character's bones that have a ``planted`` one to copy.
    """
    into = np.linalg.inv(np.array(helper.matrix_world))
    done: list[str] = []
    for side in SIDES:
        _build(helper, rig, side, filmed, into)
        _move(helper, armature, rig, side, filmed)
        done += [rig.bones[rig.joints[f"{side}_{part}"]] for part in ("hip", "knee")]
    return done


def _build(helper: Any, rig: Rig, side: str, filmed: dict[str, str], into: Array) -> None:
    hip, knee, ankle = (rig.joints[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
    start = _at(into, rig.world @ rig.rest[hip, :, 3])
    size = rig.scale * float(np.cbrt(abs(np.linalg.det(into[:3, :3]))))
    with edit_mode(helper):
        bones = helper.data.edit_bones

        def add(name: str, matrix: Array, length: float, parent: str | None) -> None:
            bone = bones.new(name)
            bone.length = length
            bone.matrix = Matrix(matrix.tolist())
            bone.length = length
            bone.parent = bones[parent] if parent else None

        anchor = f"{side} leg"
        add(anchor, _frame(start, np.eye(3)), _SHORT, None)
        limbs, turns = [], []
        for first, last in ((hip, knee), (knee, ankle)):
            turn = np.array(bones[filmed[rig.bones[first]]].matrix)[:3, :3]
            turns.append(turn)
            limbs.append(size * (turn @ rig.rest[first, :3, :3].T @ (rig.rest[last, :3, 3] - rig.rest[first, :3, 3])))
        for part, at, limb, turn in zip(("thigh", "shin"), (hip, knee), limbs, turns, strict=True):
            name = rig.bones[at]
            place = start if part == "thigh" else start + limbs[0]
            add(f"{side} {part} filmed", _frame(place, turn), _SHORT, anchor)
            add(f"{side} {part} aimed", _frame(place, _along(limb)), _SHORT, f"{side} {part} filmed")
            add(planted(name), _frame(place, turn), _SHORT, f"{side} {part} aimed")
        add(f"{side} knee filmed", _frame(start + limbs[0], np.eye(3)), _SHORT, f"{side} thigh filmed")
        # Bent in the plane of y and x, with x at the knee's side, where a pole of angle 0 is looked for.
        frame = _along(limbs[0])
        lengths = [float(np.linalg.norm(limb)) for limb in limbs]
        thigh, shin = frame @ _about_z(-_BENT), frame @ _about_z(_BENT)
        add(f"{side} thigh", _frame(start, thigh), lengths[0], anchor)
        add(f"{side} shin", _frame(start + lengths[0] * thigh[:, 1], shin), lengths[1], f"{side} thigh")


def _move(helper: Any, armature: Any, rig: Rig, side: str, filmed: dict[str, str]) -> None:
    pose = helper.pose.bones
    hip, knee = (rig.joints[f"{side}_{part}"] for part in ("hip", "knee"))
    carrier = rig.carriers[hip]
    hang = pose[f"{side} leg"].constraints.new("CHILD_OF")
    hang.target, hang.owner_space = armature, "WORLD"
    rest = rig.world
    if carrier >= 0:
        hang.subtarget, rest = rig.bones[carrier], rig.world @ rig.rest[carrier]
    hang.inverse_matrix = Matrix(np.linalg.inv(rest).tolist())
    for part, at in (("thigh", hip), ("shin", knee)):
        turn = pose[f"{side} {part} filmed"].constraints.new("COPY_ROTATION")
        turn.target, turn.subtarget = helper, filmed[rig.bones[at]]
        aim = pose[f"{side} {part} aimed"].constraints.new("DAMPED_TRACK")
        aim.target, aim.subtarget, aim.track_axis = helper, f"{side} shin", "TRACK_Y"
        aim.head_tail = 0.0 if part == "thigh" else 1.0
    stand = pose[f"{side} shin filmed"].constraints.new("COPY_LOCATION")
    stand.target, stand.subtarget = helper, f"{side} shin"
    reach = pose[f"{side} shin"].constraints.new("IK")
    reach.target, reach.subtarget, reach.chain_count = helper, f"{side}_ankle", 2
    reach.pole_target, reach.pole_subtarget, reach.pole_angle = helper, f"{side} knee filmed", 0.0
    reach.use_stretch = False


def _frame(place: Array, turn: Array) -> Array:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, place
    return matrix


def _at(matrix: Array, point: Array) -> Array:
    return (matrix @ point)[:3]


def _along(direction: Array) -> Array:
    """A rotation (3,3) whose y lies along the direction."""
    y = direction / np.linalg.norm(direction)
    x = np.cross(y, np.eye(3)[int(np.abs(y).argmin())])
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _about_z(angle: float) -> Array:
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
