"""The whole way: a clip onto a character, the character into a file, the file into another scene."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from blender_takes import Clip
from character_rigs import character, directions, rigify
from hmdiff_blender.character import automatic
from hmdiff_blender.scene import retarget
from hmdiff_blender.scene.build import BuildOptions, build_scene
from hmdiff_blender.scene.exports.character import export_character
from hmdiff_wire.body import JOINT_NAMES

LIMBS = [
    (f"{side}_{joint}", f"{side}_{end}")
    for side in ("left", "right")
    for joint, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]
DEFORM = {
    f"{side}_{part}": f"DEF-{name}.{mark}"
    for side, mark in (("left", "L"), ("right", "R"))
    for part, name in {"hip": "thigh", "knee": "shin", "ankle": "foot", "shoulder": "upper_arm", "elbow": "forearm",
                       "wrist": "hand"}.items()
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [("rigify", "a.fbx"), ("rigify", "a.glb"), ("unreal", "a.fbx")])
def test_a_retargeted_character_comes_back_from_its_file(make_take, tmp_path, kind, name):
    body = build_scene(make_take(Clip()), BuildOptions(own_scene=True, hypotheses=0)).people[0].armature
    rig = rigify(True) if kind == "rigify" else character(kind)
    bone_map = automatic(rig)
    retarget.retarget(body, rig, bone_map)
    expected = []
    for frame in range(1, 7):
        bpy.context.scene.frame_set(frame)
        expected.append(directions(body, {joint: joint for joint in JOINT_NAMES}, LIMBS))
    (path,) = export_character(tmp_path / name, rig)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 25
    if name.endswith(".fbx"):
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    (back,) = [item for item in bpy.data.objects if item.type == "ARMATURE"]
    first, last = back.animation_data.action.frame_range
    assert last - first == pytest.approx(5, abs=0.02)
    bones = DEFORM if kind == "rigify" else bone_map.bones
    for number, ours in enumerate(expected):
        bpy.context.scene.frame_set(round(first) + number)
        theirs = directions(back, bones, LIMBS)
        away = [np.degrees(np.arccos(np.clip(ours[limb] @ theirs[limb], -1, 1))) for limb in LIMBS]
        assert max(away) < 0.1
