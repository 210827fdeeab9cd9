"""Which bone is which, by names alone; and maps as files."""

from __future__ import annotations

import pytest
from hmdiff_blender.core.bone_map_names import KNOWN, by_name, recognise
from hmdiff_blender.core.bone_maps import NEEDED, BoneMap, Switch, from_json, read_map, to_json
from hmdiff_wire.errors import HmdiffError

# Rigs as their makers name them, left side only where the right is alike.
BIPED = ["Bip01", "Bip01 Pelvis", "Bip01 Spine", "Bip01 Spine1", "Bip01 Neck", "Bip01 Head", "Bip01 # Clavicle",
         "Bip01 # UpperArm", "Bip01 # Forearm", "Bip01 # Hand", "Bip01 # Thigh", "Bip01 # Calf", "Bip01 # Foot",
         "Bip01 # Toe0"]  # fmt: skip
VRM = [
    "J_Bip_C_Hips",
    "J_Bip_C_Neck",
    "J_Bip_C_Head",
    "J_Bip_#_Shoulder",
    "J_Bip_#_UpperArm",
    "J_Bip_#_LowerArm",
    "J_Bip_#_Hand",
    "J_Bip_#_UpperLeg",
    "J_Bip_#_LowerLeg",
    "J_Bip_#_Foot",
    "J_Bip_#_ToeBase",
    "J_Bip_#_Index1",
]
UNITY = [
    "Hips",
    "Spine",
    "Chest",
    "Neck",
    "Head",
    "#Shoulder",
    "#UpperArm",
    "#LowerArm",
    "#Hand",
    "#UpperLeg",
    "#LowerLeg",
    "#Foot",
    "#Toes",
    "#Eye",
]
PLAIN = [
    "Root",
    "Hips",
    "Torso",
    "Chest",
    "Neck",
    "Head",
    "Shoulder.#",
    "Arm.#",
    "Forearm.#",
    "Hand.#",
    "Leg.#",
    "Shin.#",
    "Foot.#",
    "Toes.#",
    "Foot.IK.#",
    "Thumb.#",
]
GUESSED = {
    "biped": (
        BIPED,
        ("L", "R"),
        {
            "left_hip": "Bip01 L Thigh",
            "right_knee": "Bip01 R Calf",
            "left_foot": "Bip01 L Toe0",
            "left_collar": "Bip01 L Clavicle",
            "pelvis": "Bip01 Pelvis",
        },
    ),
    "vrm": (
        VRM,
        ("L", "R"),
        {"left_elbow": "J_Bip_L_LowerArm", "right_hip": "J_Bip_R_UpperLeg", "left_wrist": "J_Bip_L_Hand"},
    ),
    "unity": (
        UNITY,
        ("Left", "Right"),
        {"left_knee": "LeftLowerLeg", "right_shoulder": "RightUpperArm", "head": "Head"},
    ),
    "plain": (
        PLAIN,
        ("L", "R"),
        {
            "left_hip": "Leg.L",
            "left_knee": "Shin.L",
            "right_ankle": "Foot.R",
            "left_shoulder": "Arm.L",
            "left_collar": "Shoulder.L",
        },
    ),
}


def both(names: list[str], marks: tuple[str, str]) -> list[str]:
    return [name.replace("#", mark) for mark in marks for name in names if "#" in name or mark == marks[0]]


@pytest.mark.parametrize("rig", GUESSED)
def test_names_tell_which_bone_is_which(rig):
    names, marks, wanted = GUESSED[rig]
    found = recognise(both(names, marks))
    assert found.name == "By names" and all(found.bones.get(joint) for joint in NEEDED)
    assert {joint: found.bones.get(joint) for joint in wanted} == wanted
    assert not any(word in bone for bone in found.bones.values() for word in ("IK", "Thumb", "Index", "Eye"))


@pytest.mark.parametrize("rig", KNOWN, ids=lambda rig: rig.name)
def test_known_rigs_are_known_again(rig):
    names = [*rig.bones().values(), "extra bone"]
    found = recognise(names)
    assert found.name == rig.name and dict(found.bones) == rig.bones()
    found.check(names)
    assert by_name(rig.name, names) == BoneMap(rig.name, found.bones, found.switches)


def test_mixamo_has_many_prefixes():
    bones = next(rig for rig in KNOWN if rig.name == "Mixamo").bones()
    for prefix in ("mixamorig:", "mixamorig9:", "mixamorig_", "hero:mixamorig:", ""):
        found = recognise([prefix + bone for bone in bones.values()])
        assert found.name == "Mixamo" and found.bones["left_hip"] == f"{prefix}LeftUpLeg"


def test_maps_come_back_from_their_text():
    kept = BoneMap("Hero", {"root": "cog", "pelvis": "hüfte"}, (Switch("arm", "IK_FK", 1.0),))
    assert from_json(to_json(kept)) == kept


HOSTILE = ["", "[]", "{", '{"format": "x"}', "null", "[" * 100_000, '{"format": "hmdiff-bone-map", "version": 9}',
           to_json(BoneMap("a", {"pelvis": "b"})).replace('"pelvis"', '"tail"'),
           to_json(BoneMap("a", {"pelvis": "b"})).replace('"b"', "7")]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_something_else_is_no_bone_map(text, tmp_path):
    path = tmp_path / "map.json"
    path.write_text(text)
    with pytest.raises(HmdiffError) as caught:
        read_map(path)
    assert caught.value.kind == "map.unreadable" and caught.value.fix
