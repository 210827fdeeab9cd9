"""A take in Blender: mesh, bones and camera show what the take says, on every frame."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from blender_look import go_to, millimetres, show_hidden, shown_vertices
from blender_takes import BODY, Clip, poses
from bpy_extras.object_utils import world_to_camera_view
from hmdiff_blender.scene import compat, naming
from hmdiff_blender.scene.axes import world_from_camera
from hmdiff_blender.scene.build import BuildOptions, build_scene, iter_build
from hmdiff_wire.body import load_body, rest_shape, save_body
from hmdiff_wire.errors import HmdiffError
from mathutils import Vector

OWN = BuildOptions(own_scene=True)
UNEVEN = (0.0, 0.04, 0.083, 0.2, 0.21, 0.3333)


def truth(take, person, frame, objects, hypothesis=None):
    """The take's vertices in Blender's world."""
    world = world_from_camera(np.array(take.header.up))
    return take.decode(person, frame, hypothesis)[0] @ world.T + np.array(objects.root.location)


@pytest.mark.parametrize("times", [Clip().times, UNEVEN], ids=["constant", "variable"])
def test_mesh_bones_and_shape_keys_agree_on_every_frame(make_take, times):
    take = make_take(Clip(times=times))
    objects = build_scene(take, OWN)
    show_hidden()
    person = objects.people[0]
    frames = objects.frame_map.frames(take.times)
    assert np.allclose(frames, 1 + np.asarray(times) * 25, atol=0.03)
    for frame, at in enumerate(frames):
        go_to(at)
        expected = truth(take, 0, frame, objects)
        assert millimetres(shown_vertices(person.body), expected) < 0.05
        assert millimetres(shown_vertices(person.rigged), expected) < 0.05
        for index, item in enumerate(person.hypotheses):
            assert millimetres(shown_vertices(item), truth(take, 0, frame, objects, index)) < 0.05


def test_eval_time_meets_each_key_at_its_time(make_take):
    take = make_take(Clip(times=UNEVEN))
    body = build_scene(take, OWN).people[0].body
    keys = body.data.shape_keys
    assert not keys.use_relative and len(keys.key_blocks) == len(UNEVEN)
    (curve,) = compat.iter_fcurves(keys)
    points = np.array([point.co[:] for point in curve.keyframe_points])
    assert np.allclose(points[:, 0], 1 + np.array(UNEVEN) * 25, atol=0.03)
    assert points[:, 1].tolist() == [key.frame for key in keys.key_blocks]
    assert {point.interpolation for point in curve.keyframe_points} == {"LINEAR"}


def test_body_has_quads_uvs_and_smooth_shading(make_take):
    take = make_take(Clip())
    mesh = build_scene(take, OWN).people[0].body.data
    assert len(mesh.polygons) == len(take.body.quads) and {len(p.vertices) for p in mesh.polygons} == {4}
    assert all(polygon.use_smooth for polygon in mesh.polygons)
    uv = np.array([loop.vector[:] for loop in mesh.uv_layers[0].uv])
    assert np.allclose(uv, take.body.uv[take.body.uv_quads.ravel()])
    assert not mesh.validate(verbose=True)
    assert mesh.materials[0] is not None


@pytest.mark.parametrize("size", [(640, 480), (404, 720)], ids=["landscape", "portrait"])
def test_camera_sees_the_pixels_the_take_says(make_take, size):
    take = make_take(Clip(size=size, focals=(700.0, 710.0, 720.0, 730.0, 740.0, 750.0), pitch=-35.0))
    objects = build_scene(take, OWN)
    scene = bpy.context.scene
    assert (scene.render.resolution_x, scene.render.resolution_y) == size
    for frame, at in enumerate(objects.frame_map.frames(take.times)):
        go_to(at)
        camera_points = take.decode(0, frame)[0]
        expected = take.focal[frame] * camera_points[:, :2] / camera_points[:, 2:] + np.array(take.center)
        seen = np.array(
            [
                world_to_camera_view(scene, objects.camera, Vector(point))[:2]
                for point in shown_vertices(objects.people[0].body)[::97]
            ]
        )
        pixels = np.stack([seen[:, 0] * size[0], (1 - seen[:, 1]) * size[1]], axis=1)
        assert np.abs(pixels - expected[::97]).max() < 0.05


@pytest.mark.parametrize("pitch", [30.0, -25.0])
def test_people_stand_upright_on_the_ground_however_the_camera_was_held(make_take, pitch):
    take = make_take(Clip(pitch=pitch, standing=True))
    objects = build_scene(take, OWN)
    lowest = []
    for frame in range(1, 7):
        go_to(frame)
        lowest.append(shown_vertices(objects.people[0].body)[:, 2].min())
    vertices = shown_vertices(objects.people[0].body)
    rest = rest_shape(take.body, take.betas[0])[0]
    assert abs(min(lowest)) < 0.01
    assert np.isclose(np.ptp(vertices[:, 2]), np.ptp(rest[:, 1]), atol=1e-3)
    assert np.isclose(np.ptp(vertices[:, 0]), np.ptp(rest[:, 0]), atol=1e-3)


def test_two_people_have_collections_motion_and_marks_of_their_own(make_take):
    take = make_take(Clip(people=2))
    objects = build_scene(take, OWN)
    show_hidden()
    assert [person.track_id for person in objects.people] == [1, 2]
    for index, person in enumerate(objects.people):
        assert person.collection.name in objects.collection.children
        go_to(3)
        assert millimetres(shown_vertices(person.body), truth(take, index, 2, objects)) < 0.05
        assert millimetres(shown_vertices(person.rigged), truth(take, index, 2, objects)) < 0.05
    marked = [item for item in bpy.data.objects if naming.UUID in item]
    assert len(marked) == len(bpy.data.objects) and len({item[naming.UUID] for item in marked}) == len(marked)
    assert {item[naming.CLIP] for item in marked} == {take.header.uuid}
    assert {item[naming.TAKE] for item in marked} == {str(take.folder.resolve())}


def test_absent_frames_are_hidden_and_the_rest_stays_in_time(make_take):
    take = make_take(Clip(people=2, absent=((0, 2), (0, 3), (1, 0))))
    objects = build_scene(take, OWN)
    show_hidden()
    first, second = objects.people
    for frame in range(6):
        go_to(1 + frame)
        for item in (first.body, first.rigged, first.hypotheses[0]):
            assert (item.hide_viewport, item.hide_render) == ((frame in (2, 3)),) * 2
        assert second.body.hide_render == (frame == 0)
    go_to(5)
    assert millimetres(shown_vertices(first.body), truth(take, 0, 4, objects)) < 0.05


def test_hypotheses_are_hidden_translucent_and_scored(make_take):
    take = make_take(Clip(hypotheses=6))
    objects = build_scene(take, OWN)
    items = objects.people[0].hypotheses
    assert len(items) == 4 and [item[naming.HYPOTHESIS] for item in items] == [0, 1, 2, 3]
    assert not any(item.name in bpy.context.view_layer.objects for item in (*items, objects.people[0].rigged))
    assert objects.people[0].body.name in bpy.context.view_layer.objects
    assert np.allclose([item[naming.SCORE] for item in items], np.linspace(-1, -2, 6)[:4])
    assert all(item.data.materials[0].diffuse_color[3] < 0.5 for item in items)
    assert len({tuple(item.data.materials[0].diffuse_color) for item in items}) == 4
    assert build_scene(take, BuildOptions(hypotheses=0)).people[0].hypotheses == ()


def test_pose_corrections_of_a_licensed_body_reach_the_rigged_copy(make_take, tmp_path):
    body = load_body(BODY)
    posedirs = np.random.default_rng(0).normal(0, 0.003, (body.n_vertices, 3, 207)).astype(np.float32)
    save_body(tmp_path / "smpl.npz", replace(body, posedirs=posedirs))
    take = make_take(Clip(body=tmp_path / "smpl.npz", hypotheses=0))
    objects = build_scene(take, OWN)
    show_hidden()
    for frame in range(6):
        go_to(1 + frame)
        expected = truth(take, 0, frame, objects)
        assert millimetres(shown_vertices(objects.people[0].body), expected) < 0.05
        assert millimetres(shown_vertices(objects.people[0].rigged), expected) < 0.1


def test_a_photo_is_one_pose_with_all_hypotheses(make_take):
    take = make_take(Clip(times=(0.0,), hypotheses=6, kind="image", fps=1.0))
    objects = build_scene(take, OWN)
    show_hidden()
    person = objects.people[0]
    assert len(person.hypotheses) == 6 and person.body.data.shape_keys is None
    go_to(1)
    assert millimetres(shown_vertices(person.body), truth(take, 0, 0, objects)) < 0.05
    assert millimetres(shown_vertices(person.rigged), truth(take, 0, 0, objects)) < 0.05


def test_long_motions_play_from_a_point_cache(make_take, tmp_path):
    take = make_take(Clip(times=UNEVEN, absent=((0, 1),)))
    blend = tmp_path / "clip" / "long.blend"
    blend.parent.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    objects = build_scene(take, BuildOptions(own_scene=True, shape_key_limit=3))
    body = objects.people[0].body
    assert body.data.shape_keys is None
    assert body.modifiers[0].filepath.startswith("//long.cache")
    bpy.ops.wm.save_mainfile()
    moved = tmp_path / "elsewhere"
    blend.parent.rename(moved)
    bpy.ops.wm.open_mainfile(filepath=str(moved / "long.blend"))
    (body,) = naming.find("body")
    (root,) = naming.find("clip")
    world = world_from_camera(np.array(take.header.up))
    for frame, at in enumerate(objects.frame_map.frames(take.times)):
        if frame == 1:
            continue
        go_to(at)
        expected = take.decode(0, frame)[0] @ world.T + np.array(root.location)
        assert millimetres(shown_vertices(body), expected) < 0.05


def test_an_artists_scene_keeps_its_rate_range_size_and_camera(make_take):
    take = make_take(Clip())
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base, scene.frame_end = 60, 1.0, 77
    before = (scene.render.fps, scene.frame_start, 77, scene.render.resolution_x, scene.camera, scene.frame_current)
    objects = build_scene(take, BuildOptions(start=101))
    show_hidden()
    render = scene.render
    assert before == (
        render.fps, scene.frame_start, scene.frame_end, render.resolution_x, scene.camera, scene.frame_current
    )  # fmt: skip
    frames = objects.frame_map.frames(take.times)
    assert np.allclose(frames, 101 + np.arange(6) * 60 / 25)
    for frame, at in enumerate(frames):
        go_to(at)
        assert millimetres(shown_vertices(objects.people[0].body), truth(take, 0, frame, objects)) < 0.05
        assert millimetres(shown_vertices(objects.people[0].rigged), truth(take, 0, frame, objects)) < 0.05


def test_bones_point_at_their_children_and_turn_the_short_way(make_take):
    times = tuple(np.arange(60) / 25)
    take = make_take(Clip(times=times, hypotheses=0))
    armature = build_scene(take, OWN).people[0].armature
    bones = armature.data.bones
    assert len(bones) == 24
    assert (bones["left_knee"].tail_local - bones["left_ankle"].head_local).length < 1e-4
    assert (bones["spine3"].tail_local - bones["neck"].head_local).length < 1e-4
    assert bones["left_wrist"].head_local.x > 0.3 and bones["head"].tail_local.z > bones["head"].head_local.z
    assert bones["left_foot"].tail_local.y < bones["left_foot"].head_local.y
    curves = {(c.data_path, c.array_index): c for c in compat.iter_fcurves(armature)}
    assert len(curves) == 24 * 4 + 3
    turns = [curves['pose.bones["pelvis"].rotation_quaternion', axis] for axis in range(4)]
    keys = np.array([[point.co[1] for point in curve.keyframe_points] for curve in turns])
    assert (np.sum(keys[:, 1:] * keys[:, :-1], axis=0) > 0.9).all()
    assert np.allclose(np.linalg.norm(keys, axis=0), 1, atol=1e-5)
    turned = poses(Clip(times=times), 0)[0][:, :3]
    assert np.ptp(np.linalg.norm(turned, axis=1)) < 1e-5  # the test does turn through the half turn where signs flip


def test_the_build_comes_in_slices_that_count_up(make_take):
    take = make_take(Clip(people=2, hypotheses=1))
    steps = list(iter_build(take, OWN))
    assert len(steps) > 2 * 6 * 2
    done = [step.done for step in steps]
    assert done == sorted(done) and steps[-1].done == steps[-1].total == 2 * 6 * 2
    assert max(np.diff(done)) == 1 or max(np.diff(done[:-1])) == 1


def test_a_take_without_people_says_so(make_take):
    take = make_take(Clip(absent=tuple((0, frame) for frame in range(6))))
    with pytest.raises(HmdiffError) as caught:
        build_scene(take, OWN)
    assert caught.value.kind == "take.empty"
