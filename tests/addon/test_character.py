"""The Character and Poses panels' buttons: retarget, bone maps, poses side by side, pose assets."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "blender"))

from blender_look import shown_vertices
from blender_takes import Clip, write_take
from character_rigs import character as make_character
from character_rigs import directions
from hmdiff_blender.core import bone_maps
from hmdiff_blender.scene import compat, naming, pose_asset, pose_row, thumbnail
from hmdiff_wire.body import JOINT_NAMES, skin
from hmdiff_wire.take import read_take

ARMS = [(f"{side}_{joint}", f"{side}_{end}") for side in ("left", "right") for joint, end in
        (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))]  # fmt: skip
PHOTO = Clip(times=(0.0,), kind="image", source="/nowhere/dance.jpg", hypotheses=3)


@pytest.fixture
def scene_of(addon, tmp_path):
    """scene_of(clip, kind of character) -> (settings, character), the take imported by its button."""

    def make(clip: Clip, kind: str = "mixamo"):
        addon()
        write_take(tmp_path / "take", clip)
        assert bpy.ops.hmdiff.import_take(directory=str(tmp_path / "take")) == {"FINISHED"}
        rig = make_character(kind)
        settings = bpy.context.scene.hmdiff_character
        settings.target = rig
        bpy.context.view_layer.objects.active = naming.find("clip")[0]
        bpy.ops.ed.undo_push(message="the artist's scene")
        return settings, rig

    return make


def curves(item) -> int:
    return sum(1 for _ in compat.iter_fcurves(item))


def test_one_button_animates_the_character_and_one_undo_takes_it_back(scene_of):
    settings, rig = scene_of(Clip(people=2))
    assert settings.map_name == "Mixamo" and all(line.bone for line in settings.bones if line.name != "root")
    settings.person = "2"
    assert bpy.ops.hmdiff.retarget("EXEC_DEFAULT", True) == {"FINISHED"}  # True: with an undo step, as a click has
    name = rig.name
    bpy.context.scene.frame_set(4)
    source = next(item for item in naming.find("armature") if item[naming.PERSON] == 2)
    bones = {line.name: line.bone for line in settings.bones}
    ours, theirs = directions(source, {n: n for n in JOINT_NAMES}, ARMS), directions(rig, bones, ARMS)
    assert min(float(ours[limb] @ theirs[limb]) for limb in ARMS) > 0.9999
    bpy.ops.ed.undo()
    rig = bpy.data.objects[name]
    assert not curves(rig) and len(naming.find("body")) == 2


def test_the_character_follows_until_it_is_told_not_to(scene_of):
    settings, rig = scene_of(Clip())
    settings.mode = "LIVE"
    assert bpy.ops.hmdiff.retarget() == {"FINISHED"} and not curves(rig)
    assert bpy.ops.hmdiff.unlink_character.poll() and bpy.ops.hmdiff.unlink_character() == {"FINISHED"}
    assert not bpy.ops.hmdiff.unlink_character.poll()
    settings.mode = "BAKE"
    bpy.ops.hmdiff.retarget()
    assert curves(rig) > 90


def test_a_map_is_edited_kept_used_again_and_given_away(scene_of, tmp_path):
    settings, rig = scene_of(Clip())
    settings.bones["left_collar"].bone = ""
    assert bpy.ops.hmdiff.save_bone_map(name="Mixamo, no collar") == {"FINISHED"}
    assert (tmp_path / "user" / "bone_maps" / "Mixamo, no collar.json").is_file()
    assert bpy.ops.hmdiff.fill_bone_map() == {"FINISHED"} and settings.bones["left_collar"].bone
    assert bpy.ops.hmdiff.load_bone_map(choice="own:Mixamo, no collar") == {"FINISHED"}
    assert not settings.bones["left_collar"].bone and settings.bones["left_hip"].bone == "mixamorig:LeftUpLeg"
    bpy.ops.hmdiff.export_bone_map(filepath=str(tmp_path / "for you"))
    bpy.ops.hmdiff.load_bone_map(choice="known:Mixamo")
    assert settings.bones["left_collar"].bone
    bpy.ops.hmdiff.import_bone_map(filepath=str(tmp_path / "for you.json"))
    assert not settings.bones["left_collar"].bone and settings.map_name == "Mixamo, no collar"
    (tmp_path / "bad.json").write_text('{"format": "something"}')
    with pytest.raises(RuntimeError, match="not a bone map of HMDiff"):
        bpy.ops.hmdiff.import_bone_map(filepath=str(tmp_path / "bad.json"))
    settings.bones["left_hip"].bone = ""
    with pytest.raises(RuntimeError, match="no bone for left hip"):
        bpy.ops.hmdiff.retarget()
    assert rig.animation_data is None or rig.animation_data.action is None


def test_poses_of_a_photo_stand_side_by_side_by_their_scores(scene_of, tmp_path):
    scene_of(PHOTO)
    assert bpy.ops.hmdiff.lay_out_poses() == {"FINISHED"}
    row = naming.find(pose_row.ROLE)
    take = read_take(tmp_path / "take")
    score = take.hypotheses_score[0, 0]
    assert [item[naming.HYPOTHESIS] for item in row] == np.argsort(-score).tolist()
    body = naming.find("body")[0]
    points = [shown_vertices(item) for item in (body, *row)]
    for left, right in zip(points, points[1:], strict=False):
        assert 0.2 < right[:, 0].min() - left[:, 0].max() < 0.3
    poses = skin(take.body, take.betas[0], take.hypotheses_pose[0, 0], take.hypotheses_transl[0, 0])[0]
    for item, shown in zip(row, points[1:], strict=True):
        wanted = poses[item[naming.HYPOTHESIS]]
        centred = [cloud - cloud.mean(axis=0) for cloud in (shown, wanted)]
        assert np.abs(np.linalg.norm(centred[0], axis=1) - np.linalg.norm(centred[1], axis=1)).max() < 1e-3
    assert len([item for item in bpy.data.objects if item.type == "FONT"]) == 3
    assert bpy.ops.hmdiff.lay_out_poses() == {"FINISHED"} and len(naming.find(pose_row.ROLE)) == 3
    assert bpy.ops.hmdiff.clear_poses() == {"FINISHED"}
    assert not naming.find(pose_row.ROLE) and not any(item.type == "FONT" for item in bpy.data.objects)


def choose(hypothesis: int):
    bpy.ops.hmdiff.lay_out_poses()
    item = next(item for item in naming.find(pose_row.ROLE) if item[naming.HYPOTHESIS] == hypothesis)
    bpy.context.view_layer.objects.active = item
    return item


def limbs_of(take, hypothesis: int) -> dict:
    """Where the limbs of a hypothesis point, from its own joints, in the clip's space."""
    from hmdiff_blender.scene.axes import world_from_camera

    world = world_from_camera(np.asarray(take.header.up))
    pose, transl = take.hypotheses_pose[0, 0, hypothesis], take.hypotheses_transl[0, 0, hypothesis]
    joints = skin(take.body, take.betas[0], pose[None], transl[None])[1][0] @ world.T
    ways = {(a, b): joints[JOINT_NAMES.index(b)] - joints[JOINT_NAMES.index(a)] for a, b in ARMS}
    return {limb: way / np.linalg.norm(way) for limb, way in ways.items()}


def test_the_clip_shows_the_chosen_pose(scene_of, tmp_path):
    from hmdiff_blender import session

    scene_of(PHOTO)
    choose(2)
    assert bpy.ops.hmdiff.use_pose() == {"FINISHED"}
    while session.get().work.busy:
        session.pump()
    wanted = limbs_of(read_take(tmp_path / "take"), 2)
    bpy.context.view_layer.update()
    shown = directions(naming.find("armature")[0], {name: name for name in JOINT_NAMES}, ARMS)
    assert min(float(wanted[limb] @ shown[limb]) for limb in ARMS) > 0.9999


def test_the_chosen_pose_goes_onto_the_character_at_the_current_frame(scene_of, tmp_path):
    settings, rig = scene_of(PHOTO)
    choose(2)
    take = read_take(tmp_path / "take")
    wanted = limbs_of(take, 2)
    (tmp_path / "take").rename(tmp_path / "gone")  # each body of the row carries its own pose
    bpy.context.scene.frame_set(17)
    assert bpy.ops.hmdiff.apply_pose() == {"FINISHED"}
    shown = directions(rig, {line.name: line.bone for line in settings.bones}, ARMS)
    assert min(float(wanted[limb] @ shown[limb]) for limb in ARMS) > 0.9999
    assert {point.co[0] for curve in compat.iter_fcurves(rig) for point in curve.keyframe_points} == {17.0}


@pytest.mark.parametrize("whose", ["character", "skeleton"])
def test_a_pose_asset_has_a_picture_tags_and_a_catalog_and_brings_the_pose_back(scene_of, tmp_path, whose):
    settings, rig = scene_of(PHOTO)
    bones = {line.name: line.bone for line in settings.bones}
    item = choose(1)
    if whose == "skeleton":
        settings.target, rig, bones = None, naming.find("armature")[0], {name: name for name in JOINT_NAMES}
        bpy.context.view_layer.objects.active = item
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert bpy.ops.hmdiff.save_pose(name="Leap", tags="jump, photo") == {"FINISHED"}
    action = bpy.data.actions["Leap"]
    data = action.asset_data
    assert data.catalog_id == pose_asset.CATALOG_ID and {tag.name for tag in data.tags} == {"HMDiff", "jump", "photo"}
    assert "HMDiff/Poses" in (tmp_path / pose_asset.CATALOGS).read_text()
    assert rig.animation_data is None or rig.animation_data.action != action
    pixels = np.empty(thumbnail.SIZE**2 * 4, np.float32)
    action.preview.image_pixels_float.foreach_get(pixels)
    covered = pixels.reshape(-1, 4)[:, 3] > 0.5
    assert 0.05 < covered.mean() < 0.6
    if rig.animation_data:
        rig.animation_data.action = None
    rig.pose.apply_pose_from_action(action, evaluation_time=1.0)
    bpy.context.view_layer.update()
    wanted, shown = limbs_of(read_take(tmp_path / "take"), 1), directions(rig, bones, ARMS)
    assert min(float(wanted[limb] @ shown[limb]) for limb in ARMS) > 0.9999
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert bpy.data.actions["Leap"].asset_data is not None


def test_a_pose_goes_into_the_users_asset_library_and_overwrites_nothing(scene_of, tmp_path):
    scene_of(PHOTO)
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / pose_asset.CATALOGS).write_text("VERSION 1\n11111111-2222-3333-4444-555555555555:HMDiff/Poses:mine")
    libraries = bpy.context.preferences.filepaths.asset_libraries
    bpy.ops.preferences.asset_library_add(directory=str(folder))
    name = libraries[-1].name
    try:
        for _ in range(2):
            choose(0)
            assert bpy.ops.hmdiff.save_pose(name="Sit", library=name) == {"FINISHED"}
        assert "Sit" not in bpy.data.actions
        assert sorted(path.name for path in (folder / "HMDiff poses").iterdir()) == ["Sit 2.blend", "Sit.blend"]
        with bpy.data.libraries.load(str(folder / "HMDiff poses" / "Sit 2.blend"), assets_only=True) as (there, into):
            into.actions = list(there.actions)
        assert into.actions[0].asset_data.catalog_id == "11111111-2222-3333-4444-555555555555"
    finally:
        bpy.ops.preferences.asset_library_remove(index=len(libraries) - 1)


def test_bone_map_files_of_any_name_come_back(tmp_path):
    kept = bone_maps.BoneMap("Café / hero: 2?", {"pelvis": "Hüfte"}, (bone_maps.Switch("arm", "IK_FK", 1.0),))
    path = tmp_path / bone_maps.file_name(kept.name)
    bone_maps.write_map(path, kept)
    assert bone_maps.read_map(path) == kept and list(bone_maps.stored_maps(tmp_path)) == ["Café _ hero_ 2_"]
