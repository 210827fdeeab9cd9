"""Corrections through the running add-on and the fake backend: a dragged keypoint, and the clip that follows it."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from hmdiff_blender import corrections, request
from hmdiff_blender.core.events import RunAsked
from hmdiff_blender.edits.record import Pick
from hmdiff_blender.overlays import joints, pixels
from hmdiff_blender.scene import clips, naming, refined, stored_edits
from hmdiff_wire.take import read_take
from hmdiff_wire.take_version import read_version
from seen import vertices


@pytest.fixture
def walk(finished_clip):
    return finished_clip, clips.roots()[0]


def test_a_correction_makes_the_clip_follow_a_new_version_of_its_take(walk):
    here, root = walk
    take = read_take(naming.folder_of(root))
    body = naming.find("body")[0]
    before = [vertices(frame, body) for frame in (3, 13)]
    x, y = take.joints_2d[0, 12, 20]
    edit = {"frame": 12, "track_id": int(take.track_ids[0]), "joint": "left_wrist", "x": float(x) + 60, "y": float(y)}
    asked = request.for_refine(root, {"edits": [edit], "spread": 3}, "left wrist")
    here.session.dispatch(RunAsked(asked, request.new_id()))
    here.finished()
    assert here.job.phase == "done", here.job
    assert stored_edits.edits_of(root).version == 2 and not stored_edits.is_stale(root)
    after = [vertices(frame, body) for frame in (3, 13)]
    assert np.array_equal(before[0], after[0]) and np.linalg.norm(after[1] - before[1], axis=1).max() > 0.05
    assert refined.edits_in_force(root)[0]["frame"] == 12
    assert len(naming.find("body")) == 1 and read_version(naming.folder_of(root)).number == 1


def test_picks_travel_with_a_correction_and_are_in_its_version(walk):
    here, root = walk
    track = int(naming.find("body")[0][naming.PERSON])
    edits = stored_edits.edits_of(root).picked(track, Pick(-5, 8, 1, 2))
    here.session.edit_clip(root, edits, "HMDiff use here")
    here.pump(lambda: not here.session.get().work.busy)
    chosen = vertices(5)
    asked = request.for_refine(root, {"spread": 2, "frame_range": [0, 12]}, "again")
    assert asked.options["choose"] == [{"frame": 0, "end": 9, "track_id": track, "hypothesis": 1}]
    here.session.dispatch(RunAsked(asked, request.new_id()))
    here.finished()
    assert here.job.phase == "done", here.job
    edits = stored_edits.edits_of(root)
    assert edits.version == 2 and not edits.people
    assert np.abs(vertices(5) - chosen).max() < 2e-3


def test_a_correction_that_fails_or_is_cancelled_leaves_the_clip_as_it_is(walk):
    here, root = walk
    before = vertices(13)
    asked = request.for_refine(root, {"edits": [{"frame": 999, "joint": "head", "x": 1.0, "y": 1.0}]}, "nowhere")
    here.session.dispatch(RunAsked(asked, request.new_id()))
    here.finished()
    assert here.job.phase == "failed" and here.job.problem.kind == "refine.frame" and not here.job.resumable
    assert np.array_equal(vertices(13), before)
    assert stored_edits.edits_of(root).version == 0 and clips.info(root).complete


def test_a_moved_joint_is_an_edit_in_force_and_before_and_after_can_be_compared(walk):
    here, root = walk
    work, scene, body = bpy.context.window_manager.hmdiff_work, bpy.context.scene, naming.find("body")[0]
    before = vertices(13, body)
    scene.frame_set(13)
    work.keypoints, work.blend = True, 2
    handles = {one.name: one for one in joints.wait().handles()}
    assert handles["left_wrist"].state == "detected" and joints.current().frame == 12
    old = handles["left_wrist"]
    assert bpy.ops.hmdiff.move_keypoint(name="left_wrist", place=(old.x + 50, old.y)) == {"FINISHED"}
    assert {one.name: one for one in joints.current().handles()}["left_wrist"].state == "pending"
    here.pump(lambda: not corrections.waits() and not here.session.get().work.busy)
    assert here.job.phase == "done" and work.joint == "left_wrist"
    after = vertices(13, body)
    assert np.linalg.norm(after - before, axis=1).max() > 0.05
    joints.refresh()
    moved = {one.name: one for one in joints.wait().handles()}["left_wrist"]
    assert moved.state == "edited" and moved.x == pytest.approx(old.x + 50)

    bpy.ops.hmdiff.before_after()
    here.pump(lambda: not here.session.get().work.busy)
    assert stored_edits.shows_before(root) and np.abs(vertices(13, body) - before).max() < 1e-5
    bpy.ops.hmdiff.before_after()
    here.pump(lambda: not here.session.get().work.busy)
    assert not stored_edits.shows_before(root) and np.abs(vertices(13, body) - after).max() < 1e-5
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert np.abs(vertices(13) - after).max() < 1e-5
    bpy.ops.ed.undo()
    assert np.abs(vertices(13) - before).max() < 1e-5
    joints.refresh()
    assert {one.name: one for one in joints.wait().handles()}["left_wrist"].state == "detected"


def test_a_joint_is_hidden_and_shown_again(walk):
    here, root = walk
    bpy.context.scene.frame_set(13)
    bpy.context.window_manager.hmdiff_work.keypoints = True

    def state_after_hide():
        bpy.ops.hmdiff.hide_keypoint(name="nose")
        here.pump(lambda: not corrections.waits() and not here.session.get().work.busy)
        joints.refresh()
        return {one.name: one for one in joints.wait().handles()}["nose"].state

    assert state_after_hide() == "hidden" and refined.edits_in_force(root)[0]["remove"]
    assert state_after_hide() == "edited" and not refined.edits_in_force(root)[0].get("remove")


def test_joints_dragged_while_one_is_being_refined_go_together_afterwards(addon):
    here = addon("--frames", "20", "--delay", "0.05")
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0
    here.run()
    here.finished()
    root = clips.roots()[0]
    work = bpy.context.window_manager.hmdiff_work
    work.keypoints, work.blend = True, 1
    bpy.context.scene.frame_set(6)
    start = {one.name: one for one in joints.wait().handles()}
    for name in ("left_wrist", "right_wrist", "left_knee"):
        bpy.ops.hmdiff.move_keypoint(name=name, place=(start[name].x + 10, start[name].y))
    here.pump(lambda: not corrections.waits() and not here.session.get().work.busy)
    assert len(refined.edits_in_force(root)) == 3 and stored_edits.edits_of(root).version == 3


def test_pixels_of_view_and_picture_are_one_another(walk):
    _, root = walk
    camera = clips.camera_of(root)
    camera.rotation_euler.z += 0.3
    bpy.context.view_layer.update()
    projection = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=800, y=600)
    perspective = np.array(projection) @ np.linalg.inv(np.array(camera.matrix_world))
    look = pixels.Look(np.array(camera.matrix_world), perspective, (800, 600), (1280, 720), 1000.0)
    points = np.array([[640.0, 360.0], [100.0, 50.0], [1200.0, 700.0]])
    seen = look.to_region(points)
    assert np.allclose(seen[0], [400, 300], atol=1e-3) and seen[1][0] < 400 and seen[1][1] > 300
    for point, place in zip(points, seen, strict=True):
        assert look.to_picture(tuple(place)) == pytest.approx(tuple(point), abs=1e-2)
