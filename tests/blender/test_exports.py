"""Exports are right when another import of them shows the same vertices."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from blender_look import go_to, show_hidden, shown_vertices
from blender_takes import Clip
from hmdiff_blender.scene import exports, naming
from hmdiff_blender.scene.build import BuildOptions, build_scene
from hmdiff_wire.errors import HmdiffError

OWN = BuildOptions(own_scene=True, hypotheses=1)


def expected_frames(objects) -> list[list[np.ndarray]]:
    shown = []
    for frame in range(1, 7):
        go_to(frame)
        shown.append([shown_vertices(person.body) for person in objects.people])
    return shown


def nearest(points: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    """Distance (n,) in millimetres from each point to the cloud: importers reorder and split vertices."""
    from mathutils.kdtree import KDTree

    tree = KDTree(len(cloud))
    for index, point in enumerate(cloud):
        tree.insert(point, index)
    tree.balance()
    return np.array([tree.find(point)[2] for point in points]) * 1000


def meshes() -> list:
    skinned = [item for item in bpy.data.objects if item.type == "MESH" and item.vertex_groups]
    return sorted(skinned, key=lambda item: item.name)


def skinned_frames(expected, frames, start) -> None:
    found = meshes()
    assert len(found) == len(expected[0])
    for frame in frames:
        go_to(start + frame)
        for person, item in enumerate(found):
            away = nearest(shown_vertices(item)[::23], expected[frame][person])
            assert away.mean() < 0.2 and away.max() < 8.0, (frame, person, away.mean(), away.max())


def test_glb_comes_back_with_the_motion_of_both_people(make_take, tmp_path):
    objects = build_scene(make_take(Clip(people=2)), OWN)
    before = {item.name: item.hide_viewport for item in bpy.data.objects}
    expected = expected_frames(objects)
    (written,) = exports.export(tmp_path / "out" / "two.glb")
    assert {item.name: item.hide_viewport for item in bpy.data.objects} == before
    fps = bpy.context.scene.render.fps
    camera = np.array(objects.camera.matrix_world)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = fps
    bpy.ops.import_scene.gltf(filepath=str(written))
    assert len([item for item in bpy.data.objects if item.type == "ARMATURE"]) == 2
    assert not any(item.data.shape_keys for item in meshes())
    skinned_frames(expected, range(6), 0)
    (seen,) = [item for item in bpy.data.objects if item.type == "CAMERA"]
    assert np.allclose(np.array(seen.matrix_world), camera, atol=1e-4)


def test_glb_of_a_photo_keeps_the_pose(make_take, tmp_path):
    objects = build_scene(make_take(Clip(times=(0.0,), kind="image")), OWN)
    go_to(1)
    expected = [[shown_vertices(objects.people[0].body)]]
    exports.export(tmp_path / "photo.glb")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "photo.glb"))
    skinned_frames(expected, [0], 0)


def test_fbx_comes_back_with_the_motion(make_take, tmp_path):
    objects = build_scene(make_take(Clip()), OWN)
    expected = expected_frames(objects)
    fps = bpy.context.scene.render.fps
    exports.export(tmp_path / "one.fbx")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = fps
    bpy.ops.import_scene.fbx(filepath=str(tmp_path / "one.fbx"), anim_offset=0.0)
    skinned_frames(expected, range(6), 1)


def test_bvh_has_one_file_per_person_and_the_joints_move_alike(make_take, tmp_path):
    objects = build_scene(make_take(Clip(people=2)), OWN)
    written = exports.export(tmp_path / "two.bvh")
    assert [path.name for path in written] == ["two_1.bvh", "two_2.bvh"]
    names = ["left_wrist", "head", "right_foot"]
    expected = []
    for frame in range(1, 7):
        go_to(frame)
        armature = objects.people[1].armature
        expected.append([np.array(armature.matrix_local @ armature.pose.bones[name].head) for name in names])
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_anim.bvh(filepath=str(written[1]), use_fps_scale=False, axis_forward="Y", axis_up="Z")
    (armature,) = [item for item in bpy.data.objects if item.type == "ARMATURE"]
    for frame in range(6):
        go_to(1 + frame)
        found = np.array([np.array(armature.matrix_world @ armature.pose.bones[name].head) for name in names])
        assert np.abs(found - expected[frame]).max() < 1e-3


def test_blend_reopens_with_everything_in_place(make_take, tmp_path):
    objects = build_scene(make_take(Clip(absent=((0, 3),))), OWN)
    expected = expected_frames(objects)
    uuids = sorted(item[naming.UUID] for item in bpy.data.objects)
    exports.export(tmp_path / "a.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert sorted(item[naming.UUID] for item in bpy.data.objects) == uuids
    (body,) = naming.find("body")
    (rigged,) = naming.find("rigged")
    show_hidden()
    for frame in (0, 2, 4, 5):
        go_to(1 + frame)
        assert np.abs(shown_vertices(body) - expected[frame][0]).max() < 1e-5
        assert np.abs(shown_vertices(rigged) - expected[frame][0]).max() < 5e-5


REFUSED = [("a.obj", "export.suffix"), ("a", "export.suffix"), ("a.glb", "export.nothing")]


@pytest.mark.parametrize(("name", "kind"), REFUSED)
def test_exports_that_cannot_be_say_why(make_take, tmp_path, name, kind):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with pytest.raises(HmdiffError) as caught:
        exports.export(Path(tmp_path / name))
    assert caught.value.kind == kind
