"""Choosing hypotheses and locking frames with the panel's buttons, against the fake backend."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from hmdiff_blender.edits.record import Pick
from hmdiff_blender.overlays import ghosts
from hmdiff_blender.scene import clips, naming, opened, stored_edits
from hmdiff_blender.scene.axes import world_from_camera
from hmdiff_wire.body import at_depth_of, rest_shape, skin
from seen import vertices


@pytest.fixture
def walk(finished_clip):
    return clips.roots()[0], finished_clip.settled


def test_candidates_come_in_the_order_of_their_scores_and_one_is_used_here(walk):
    root, settled = walk
    work = bpy.context.window_manager.hmdiff_work
    bpy.context.scene.frame_set(11)
    bpy.ops.hmdiff.candidate()
    found = ghosts.current()
    take = opened.open_now(root)
    assert found.frame == 10 and len(found.shapes) == take.n_hypotheses > 1
    assert list(found.score[list(found.order)]) == sorted(found.score, reverse=True)
    assert work.candidate == found.order[0]
    bpy.ops.hmdiff.candidate()
    assert work.candidate == found.order[1]
    bpy.ops.hmdiff.candidate(step=-1)
    bpy.ops.hmdiff.candidate(step=-1)
    assert work.candidate == found.order[-1]

    world = world_from_camera(np.array(take.header.up))
    pelvis = rest_shape(take.body, take.betas[0])[1][0]
    place = at_depth_of(
        take.read("hypotheses_transl", 0, [10])[:, work.candidate], take.read("transl", 0, [10]), pelvis
    )
    pose = take.read("hypotheses_pose", 0, [10])[:, work.candidate]
    wanted = skin(take.body, take.betas[0], pose, place)[0][0] @ world.T
    assert np.abs(found.shapes[work.candidate] - wanted).max() < 1e-4
    far = vertices(25)
    bpy.context.scene.frame_set(11)
    work.blend = 3
    assert bpy.ops.hmdiff.use_here() == {"FINISHED"}
    settled()
    assert np.abs(vertices(11) - wanted).max() < 1e-4
    assert np.array_equal(vertices(25), far)
    assert stored_edits.edits_of(root).of(0).picks == (Pick(10, 10, work.candidate, 3),)


def test_undo_takes_a_choice_back_in_one_step_and_redo_brings_it_again(walk):
    _, settled = walk
    before = vertices(11)
    bpy.context.scene.frame_set(11)
    bpy.ops.hmdiff.candidate()
    bpy.ops.hmdiff.use_here()
    settled()
    after = vertices(11)
    assert np.abs(after - before).max() > 1e-3
    bpy.ops.ed.undo()
    assert np.array_equal(vertices(11), before)
    assert not stored_edits.edits_of(clips.roots()[0]).people and not stored_edits.is_stale(clips.roots()[0])
    bpy.ops.ed.redo()
    assert np.array_equal(vertices(11), after)


def test_a_locked_frame_outlives_a_choice_for_the_whole_clip(walk):
    root, settled = walk
    work = bpy.context.window_manager.hmdiff_work
    bpy.context.scene.frame_set(11)
    before, beside = vertices(11), vertices(20)
    bpy.context.scene.frame_set(11)
    bpy.ops.hmdiff.lock_frame()
    settled()
    work.scope = "CLIP"
    bpy.ops.hmdiff.candidate()
    bpy.ops.hmdiff.use_here()
    settled()
    assert np.abs(vertices(11) - before).max() < 1e-4
    assert np.abs(vertices(20) - beside).max() > 1e-3
    bpy.context.scene.frame_set(11)
    bpy.ops.hmdiff.lock_frame()
    settled()
    assert np.abs(vertices(11) - before).max() > 1e-3
    bpy.ops.hmdiff.drop_edits()
    settled()
    assert np.abs(vertices(11) - before).max() < 1e-4 and not stored_edits.edits_of(root).people


def test_a_range_is_meant_in_scene_frames_and_an_empty_one_is_said(walk):
    root, settled = walk
    work = bpy.context.window_manager.hmdiff_work
    work.scope = "RANGE"
    bpy.context.scene.frame_set(6)
    bpy.ops.hmdiff.range_end()
    bpy.context.scene.frame_set(9)
    bpy.ops.hmdiff.range_end(last=True)
    bpy.ops.hmdiff.use_here(hypothesis=1)
    settled()
    assert stored_edits.edits_of(root).of(0).picks == (Pick(5, 8, 1, work.blend),)
    work.first, work.last = 500, 600
    with pytest.raises(RuntimeError, match="No frame of the clip"):
        bpy.ops.hmdiff.use_here(hypothesis=1)
    with pytest.raises(RuntimeError, match="hypotheses"):
        bpy.ops.hmdiff.use_here(hypothesis=99)


def test_paint_follows_the_frame_and_the_doubtful_frames_can_be_visited(walk):
    from hmdiff_blender.scene.doubt import SPREAD, spread_keys
    from hmdiff_blender.scene.spread_paint import ATTRIBUTE

    root, _ = walk
    work, scene, body = bpy.context.window_manager.hmdiff_work, bpy.context.scene, naming.find("body")[0]
    frames, values = spread_keys(body)
    assert len(frames) == 30 and np.isfinite(values).all() and SPREAD in body
    work.spread = True
    scene.frame_set(7)
    assert ATTRIBUTE in body.data.color_attributes
    work.spread = False
    assert ATTRIBUTE not in body.data.color_attributes
    scene.frame_set(8)
    assert ATTRIBUTE not in body.data.color_attributes

    from hmdiff_blender.scene import compat

    values[19] *= 4
    curve = next(c for c in compat.iter_fcurves(body) if c.data_path == f'["{SPREAD}"]')
    compat.set_keys(curve, frames, values)
    scene.frame_set(1)
    bpy.ops.hmdiff.next_doubt()
    assert scene.frame_current == 20
    assert bpy.ops.hmdiff.next_doubt() == {"CANCELLED"} and scene.frame_current == 20
    scene.frame_set(28)
    bpy.ops.hmdiff.next_doubt(step=-1)
    assert scene.frame_current == 20
