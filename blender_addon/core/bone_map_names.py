"""The bone names of rigs that are everywhere, and which of these rigs a list of bones is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hmdiff_wire.body import JOINT_NAMES

from .bone_map_guess import guess
from .bone_maps import NEEDED, BoneMap, Switch

TRUNK = ("root", "pelvis", "spine1", "spine2", "spine3", "neck", "head")
SIDE = ("collar", "shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot")


@dataclass(frozen=True)
class KnownRig:
    """trunk: bones for TRUNK; side: bones for SIDE, # standing for what tells left and right apart; "" where a rig has
    none. prefix: what may stand before every name (a pattern)."""

    name: str
    trunk: tuple[str, ...]
    side: tuple[str, ...]
    left: str
    right: str
    prefix: str = ""
    switches: tuple[Switch, ...] = ()

    def bones(self) -> dict[str, str]:
        found: dict[str, str] = dict(zip(TRUNK, self.trunk, strict=True))
        for word, mark in (("left", self.left), ("right", self.right)):
            for part, bone in zip(SIDE, self.side, strict=True):
                found[f"{word}_{part}"] = bone.replace("#", mark)
        return {joint: bone for joint, bone in found.items() if bone}


_FK = tuple(
    Switch(f"{limb}_parent.{side}", "IK_FK", 1.0) for limb in ("upper_arm", "thigh") for side in ("L", "R")
) + (Switch("torso", "neck_follow", 1.0), Switch("torso", "head_follow", 1.0))  # fmt: skip

_ARP_SIDE = ("c_shoulder.#", "c_arm_fk.#", "c_forearm_fk.#", "c_hand_fk.#", "c_middle1.#", "c_thigh_fk.#", "c_leg_fk.#",
             "c_foot_fk.#", "c_toes_fk.#")  # fmt: skip
_ARP_FK = tuple(Switch(f"c_{end}_ik.{side}", "ik_fk_switch", 1.0) for end in ("hand", "foot") for side in "lr")

KNOWN = (
    KnownRig(
        "Rigify",
        ("torso", "spine_fk", "spine_fk.001", "spine_fk.002", "spine_fk.003", "neck", "head"),
        ("shoulder.#", "upper_arm_fk.#", "forearm_fk.#", "hand_fk.#", "f_middle.01.#", "thigh_fk.#", "shin_fk.#",
         "foot_fk.#", "toe_fk.#"),
        "L", "R", switches=_FK,
    ),
    KnownRig(
        "Auto-Rig Pro",
        ("", "c_root_master.x", "c_spine_01.x", "c_spine_02.x", "c_spine_03.x", "c_neck.x", "c_head.x"),
        _ARP_SIDE, "l", "r", switches=_ARP_FK,
    ),
    KnownRig(
        "Auto-Rig Pro, short spine",
        ("", "c_root_master.x", "c_spine_01.x", "", "c_spine_02.x", "c_neck.x", "c_head.x"),
        _ARP_SIDE, "l", "r", switches=_ARP_FK,
    ),
    KnownRig(
        "Rigify metarig",
        ("", "spine", "spine.001", "spine.002", "spine.003", "spine.004", "spine.006"),
        ("shoulder.#", "upper_arm.#", "forearm.#", "hand.#", "f_middle.01.#", "thigh.#", "shin.#", "foot.#", "toe.#"),
        "L", "R",
    ),
    KnownRig(
        "Mixamo",
        ("", "Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"),
        ("#Shoulder", "#Arm", "#ForeArm", "#Hand", "#HandMiddle1", "#UpLeg", "#Leg", "#Foot", "#ToeBase"),
        "Left", "Right", prefix=r"(?:.*mixamorig\d*[:_])?",
    ),
    KnownRig(
        "CMU",
        ("", "Hips", "LowerBack", "Spine", "Spine1", "Neck", "Head"),
        ("#Shoulder", "#Arm", "#ForeArm", "#Hand", "#FingerBase", "#UpLeg", "#Leg", "#Foot", "#ToeBase"),
        "Left", "Right",
    ),
    KnownRig(
        "Unreal 5 mannequin",
        ("", "pelvis", "spine_01", "spine_03", "spine_05", "neck_01", "head"),
        ("clavicle_#", "upperarm_#", "lowerarm_#", "hand_#", "middle_01_#", "thigh_#", "calf_#", "foot_#", "ball_#"),
        "l", "r",
    ),
    KnownRig(
        "Unreal mannequin",
        ("", "pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head"),
        ("clavicle_#", "upperarm_#", "lowerarm_#", "hand_#", "middle_01_#", "thigh_#", "calf_#", "foot_#", "ball_#"),
        "l", "r",
    ),
    KnownRig(
        "MakeHuman",
        ("", "root", "spine05", "spine03", "spine01", "neck01", "head"),
        ("clavicle.#", "upperarm01.#", "lowerarm01.#", "wrist.#", "finger3-1.#", "upperleg01.#", "lowerleg01.#",
         "foot.#", "toe2-1.#"),
        "L", "R",
    ),
    KnownRig(
        "SMPL",
        ("", "pelvis", "spine1", "spine2", "spine3", "neck", "head"),
        ("#_collar", "#_shoulder", "#_elbow", "#_wrist", "#_hand", "#_hip", "#_knee", "#_ankle", "#_foot"),
        "left", "right",
    ),
    KnownRig(
        "SMPL (add-on of the authors)",
        ("", "Pelvis", "Spine1", "Spine2", "Spine3", "Neck", "Head"),
        ("#_Collar", "#_Shoulder", "#_Elbow", "#_Wrist", "#_Hand", "#_Hip", "#_Knee", "#_Ankle", "#_Foot"),
        "L", "R", prefix=r"(?:[mf]_avg_)?",
    ),
)  # fmt: skip
ESSENTIAL = tuple(
    joint for joint in (*NEEDED, *JOINT_NAMES[12:22])
    if "collar" not in joint and joint != "neck"
)  # fmt: skip


def recognise(names: Iterable[str], parents: Mapping[str, str | None] | None = None) -> BoneMap:
    """The map for a rig with these bones: a known rig's where its names are there, else what the words in the names
    say. parents (bone -> bone above it, None at the top) helps to tell apart what is called alike.
    """
    present = list(names)
    for rig in KNOWN:
        found = _matched(rig, present)
        if all(joint in found for joint in ESSENTIAL):
            switches = tuple(switch for switch in rig.switches if switch.bone in present)
            return BoneMap(rig.name, found, switches)
    return BoneMap("By names", guess(present, parents or {}))


def by_name(name: str, names: Iterable[str]) -> BoneMap | None:
    """A known rig's map with the bones that are there."""
    present = list(names)
    for rig in KNOWN:
        if rig.name == name:
            switches = tuple(switch for switch in rig.switches if switch.bone in present)
            return BoneMap(rig.name, _matched(rig, present), switches)
    return None


def _matched(rig: KnownRig, present: list[str]) -> dict[str, str]:
    lowered = {}
    for bone in present:
        plain = re.sub(rf"^{rig.prefix}", "", bone) if rig.prefix else bone
        lowered.setdefault(plain.lower(), bone)
    wanted = rig.bones()
    found = {joint: lowered[bone.lower()] for joint, bone in wanted.items() if bone.lower() in lowered}
    # Two rigs may differ in their trunk alone.
    return found if all(joint in found for joint in TRUNK if joint in wanted) else {}
