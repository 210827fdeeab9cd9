"""A clip that is edited: bodies and bones follow, only where they must, undo and the saved file keep it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from blender_look import go_to, millimetres, show_hidden, shown_vertices
from blender_takes import Clip
from hmdiff_blender.edits.played import played
from hmdiff_blender.edits.record import Edits, Lock, PersonEdits, Pick
from hmdiff_blender.scene import clips, naming, stored_edits
from hmdiff_blender.scene.axes import world_from_camera
from hmdiff_blender.scene.build import BuildOptions, iter_build
from hmdiff_blender.scene.importer import iter_import
from hmdiff_blender.scene.reading import WAIT
from hmdiff_blender.scene.replay import iter_replay, roots_without_motion
from hmdiff_blender.scene.shown import ESTIMATE, iter_show, shown
from hmdiff_wire.body import skin
from hmdiff_wire.errors import HmdiffError

CLIP = Clip(times=tuple(np.arange(12) / 25), people=2, hypotheses=2, absent=((1, 3),))


def finish(slices):
    while True:
        try:
            next(slices)
        except StopIteration as finished:
            return finished.value


@pytest.fixture
def clip(make_take):
    def make(limit=1500):
        take = make_take(CLIP)
        scene = bpy.context.scene
        scene.render.fps, scene.render.fps_base = 25, 1.0
        objects = finish(iter_build(take, BuildOptions(hypotheses=0, shape_key_limit=limit), scene))
        show_hidden()
        return take, objects.root

    return make


def expected(take, root, edits, person, position):
    floor = -float(root[naming.ORIGIN][2])
    motion = played(take, person, edits, floor)
    shape = skin(take.body, motion.betas, motion.poses.pose[[position]], motion.poses.transl[[position]])[0][0]
    return shape @ world_from_camera(np.array(take.header.up)).T + np.array(root.location)


def agree(take, root, edits, positions=(0, 2, 4, 6, 9, 11)):
    for position in positions:
        go_to(1 + position)
        for person in range(2):
            wanted = expected(take, root, edits, person, position)
            for role in ("body", "rigged"):
                item = next(i for i in naming.find(role, root[naming.CLIP]) if i[naming.PERSON] == person + 1)
                assert millimetres(shown_vertices(item), wanted) < 0.1, (role, person, position)


EDITS = (
    Edits()
    .picked(1, Pick(4, 6, 1, 2))
    .picked(2, Pick(0, 11, 0, 0))
    .with_person(1, PersonEdits((Pick(4, 6, 1, 2),), (), (1.5, -0.5, 2.0) + (0.0,) * 7))
)


@pytest.mark.parametrize("limit", [1500, 3], ids=["shape keys", "point cache"])
def test_bodies_and_bones_play_the_edits_and_the_file_keeps_them(clip, limit, tmp_path):
    take, root = clip(limit)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "artist.blend"))
    objects = set(bpy.data.objects)
    finish(iter_show(root, 1))
    finish(iter_replay(root, EDITS))
    assert shown(root) == ESTIMATE and stored_edits.edits_of(root) == EDITS and not stored_edits.is_stale(root)
    agree(take, root, EDITS)
    assert set(bpy.data.objects) == objects
    more = replace(EDITS, smooth=0.1, feet=1.0, floor=1.0)
    finish(iter_replay(root, more))
    agree(take, root, more)
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "artist.blend"))
    root = clips.roots()[0]
    agree(take, root, more)
    finish(iter_replay(root, Edits()))
    agree(take, root, Edits())


def test_only_frames_that_change_are_written(clip):
    take, root = clip()
    body = naming.find("body")[0]
    key = body.data.shape_keys.key_blocks[0]
    points = np.empty(3 * len(body.data.vertices), np.float32)
    key.points.foreach_get("co", points)
    key.points.foreach_set("co", points + 1.0)  # what the artist sculpted into a frame far away
    finish(iter_replay(root, Edits().picked(1, Pick(6, 6, 1, 2))))
    after = np.empty_like(points)
    key.points.foreach_get("co", after)
    assert np.array_equal(after, points + 1.0)
    go_to(7)
    wanted = expected(take, root, Edits().picked(1, Pick(6, 6, 1, 2)), 0, 6)
    assert millimetres(shown_vertices(body), wanted) < 0.1


def test_a_hypothesis_that_is_looked_at_has_the_body_shape_of_the_clip(clip):
    take, root = clip()
    finish(iter_show(root, 1))
    finish(iter_replay(root, EDITS))
    finish(iter_show(root, 1))
    go_to(3)
    pose, transl = take.read("hypotheses_pose", 0, [2])[:, 1], take.read("hypotheses_transl", 0, [2])[:, 1]
    shape = skin(take.body, np.array(EDITS.of(1).betas, np.float32), pose, transl)[0][0]
    wanted = shape @ world_from_camera(np.array(take.header.up)).T + np.array(root.location)
    for role in ("body", "rigged"):
        assert millimetres(shown_vertices(naming.find(role)[0]), wanted) < 0.1


def test_a_change_cut_short_is_known_and_made_good(clip):
    take, root = clip()
    slices = iter_replay(root, EDITS)
    while not stored_edits.is_stale(root):
        next(slices)
    written = 0
    while written < 5:
        written += next(slices) != WAIT
    slices.close()
    assert stored_edits.is_stale(root) and stored_edits.applied_to(root) is None
    finish(iter_replay(root, stored_edits.edits_of(root)))
    agree(take, root, EDITS)


def test_edits_outlive_a_resumed_run_that_comes_in_again(clip):
    take, root = clip()
    pose, transl = take.read("pose", 0, [5])[0], take.read("transl", 0, [5])[0]
    edits = EDITS.locked(1, Lock(5, tuple(pose.tolist()), tuple(transl.tolist()), 1))
    finish(iter_replay(root, edits))
    again = finish(iter_import(take.folder, 1, True, bpy.context.scene))
    show_hidden()
    assert stored_edits.edits_of(again.root) == edits
    agree(take, again.root, edits)


def test_a_long_clip_gets_its_motion_file_again(clip):
    take, root = clip(3)
    for number in range(7):
        finish(iter_replay(root, replace(EDITS, smooth=0.02 * number)))
    files = sorted((take.folder / "blender").glob("*_*.pc2"))
    assert 1 < len(files) <= 2 * 4, "old ones are cleared away"
    for body in naming.find("body"):
        Path(bpy.path.abspath(body.modifiers[0].filepath)).unlink()
    assert roots_without_motion() == [root]
    stored_edits.mark_unfinished(root)
    finish(iter_replay(root, stored_edits.edits_of(root)))
    assert roots_without_motion() == []
    agree(take, root, replace(EDITS, smooth=0.12), (0, 5, 11))


def test_a_take_that_is_gone_is_said_and_the_clip_stays(clip):
    take, root = clip()
    take.folder.rename(take.folder.with_name("elsewhere"))
    with pytest.raises(HmdiffError) as caught:
        finish(iter_replay(root, EDITS))
    assert caught.value.kind == "take.missing" and naming.find("body")
    assert stored_edits.edits_of(root) == Edits() and not stored_edits.is_stale(root)
