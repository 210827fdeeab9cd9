"""The sliders of a clip: what they are set to is played, as one undo step when they rest."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from hmdiff_blender.edits.record import Pick
from hmdiff_blender.overlays import measured
from hmdiff_blender.scene import clips, naming, opened, stored_edits
from hmdiff_blender.scene.doubt import spread_keys
from seen import vertices


@pytest.fixture
def walk(finished_clip):
    return finished_clip, finished_clip.settled


def test_a_dragged_slider_is_one_undo_step_and_shows_what_it_will_be(walk):
    here, settled = walk
    work = bpy.context.window_manager.hmdiff_work
    before = vertices(11)
    for value in (0.05, 0.2, 0.3):
        work.smooth = value
        assert work.smooth == pytest.approx(value)
        for _ in range(3):
            here.session.pump()
    settled()
    assert stored_edits.edits_of(clips.roots()[0]).smooth == pytest.approx(0.3)
    after = vertices(11)
    assert np.abs(after - before).max() > 1e-3
    assert stored_edits.previous_of(clips.roots()[0]).smooth == 0.0
    bpy.ops.ed.undo()
    assert work.smooth == 0.0 and np.array_equal(vertices(11), before)
    bpy.ops.ed.redo()
    assert work.smooth == pytest.approx(0.3) and np.array_equal(vertices(11), after)


def test_body_shape_is_named_measured_and_the_same_in_every_frame(walk):
    _, settled = walk
    work = bpy.context.window_manager.hmdiff_work
    root = clips.roots()[0]
    was = tuple(work.betas)
    assert was == pytest.approx(tuple(opened.open_now(root).betas[0]), abs=1e-5)
    taller = (was[0] + 2.0, *was[1:])
    work.betas = taller
    settled()
    assert tuple(work.betas) == pytest.approx(taller)
    measured.measured(root, tuple(work.betas))
    height, weight = measured.wait()
    assert 1.6 < height < 2.2 and 45 < weight < 140
    heights = [np.ptp(vertices(frame)[:, 2]) for frame in (2, 15, 28)]
    bpy.ops.hmdiff.reset_shape()
    settled()
    assert tuple(work.betas) == pytest.approx(was, abs=1e-5)
    for frame, height in zip((2, 15, 28), heights, strict=True):
        assert height - np.ptp(vertices(frame)[:, 2]) > 0.1


def test_changes_in_quick_succession_all_count_and_each_is_its_own_step(walk):
    here, settled = walk
    root = clips.roots()[0]
    before = vertices(6)
    work = bpy.context.window_manager.hmdiff_work
    bpy.context.scene.frame_set(6)
    bpy.ops.hmdiff.use_here(hypothesis=1)
    bpy.context.scene.frame_set(20)
    bpy.ops.hmdiff.use_here(hypothesis=2)
    work.smooth = 0.1
    settled()
    edits = stored_edits.edits_of(root)
    assert edits.of(0).picks == (Pick(5, 5, 1, work.blend), Pick(19, 19, 2, work.blend)) and edits.smooth > 0
    bpy.ops.ed.undo()
    assert len(stored_edits.edits_of(clips.roots()[0]).of(0).picks) == 2 and work.smooth == 0.0
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert not stored_edits.edits_of(clips.roots()[0]).people and np.array_equal(vertices(6), before)


def test_a_slider_says_when_the_take_is_gone(walk):
    here, settled = walk
    folder = naming.folder_of(clips.roots()[0])
    Path(folder).rename(folder.with_name("elsewhere"))
    bpy.context.window_manager.hmdiff_work.smooth = 0.2
    assert here.session.notice().kind == "take.missing"


def test_scene_and_video_are_matched_both_ways(walk):
    _, _ = walk
    scene, root, body = bpy.context.scene, clips.roots()[0], naming.find("body")[0]
    shape = vertices(11)
    scene.render.fps = 60
    bpy.ops.hmdiff.video_to_scene()
    assert np.abs(vertices(21) - shape).max() < 1e-5
    frames, _ = spread_keys(body)
    assert frames[10] == 21 and root[naming.RATE] == 60
    scene.render.fps, scene.render.resolution_x = 24, 100
    bpy.ops.hmdiff.scene_to_video()
    take = opened.open_now(root)
    assert (scene.render.fps, scene.render.resolution_x) == (30, take.header.width)
    assert (scene.frame_start, scene.frame_end) == (1, 30)
    assert np.abs(vertices(11) - shape).max() < 1e-5
