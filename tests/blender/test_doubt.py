"""How sure the model is, as it lies in the file: the curve, the colours, the doubtful frames, the markers."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from blender_takes import Clip
from hmdiff_blender.edits.doubt import spread
from hmdiff_blender.scene import naming, spread_paint
from hmdiff_blender.scene.build import BuildOptions, build_scene
from hmdiff_blender.scene.doubt import SPREAD, doubtful_frames, has_marks, remove_marks, spread_keys
from hmdiff_blender.scene.importer import iter_import, remove_clip

LEVELS = np.full(20, 0.03)
LEVELS[12:15] = 0.08, 0.10, 0.07
CLIP = Clip(times=tuple(np.arange(20) / 25), held=(5, 6, 7), spread=tuple(LEVELS))


@pytest.fixture
def clip(make_take):
    def make():
        take = make_take(CLIP)
        scene = bpy.context.scene
        scene.render.fps, scene.render.fps_base = 25, 1.0
        return take, scene, build_scene(take, BuildOptions(hypotheses=0, start=11), scene)

    return make


def test_the_curve_says_in_millimetres_how_sure_each_frame_is(clip):
    take, scene, objects = clip()
    body = objects.people[0].body
    share = np.sqrt(np.mean(np.where(take.body.v_template[:, 1] > 0.9, 0.5, 1.0) ** 2))
    scene.frame_set(11 + 13)
    assert body[SPREAD] == pytest.approx(100 * share, rel=2e-3)
    scene.frame_set(11)
    assert body[SPREAD] == pytest.approx(30 * share, rel=2e-3)
    frames, values = spread_keys(body)
    assert frames.tolist() == list(range(11, 31)) and np.allclose(values, spread(take, 0), rtol=1e-4)
    runs = doubtful_frames(body, take, 0, objects.frame_map)
    assert (16.0, 18.0) in [run[:2] for run in runs] and 24.0 in [run[2] for run in runs]


def test_the_colours_are_those_of_the_frame(clip):
    _, scene, objects = clip()
    body = objects.people[0].body

    def colours():
        values = np.empty(4 * len(body.data.vertices), np.float32)
        body.data.color_attributes[spread_paint.ATTRIBUTE].data.foreach_get("color", values)
        return values.reshape(-1, 4)

    spread_paint.paint(objects.root, 11, 100.0)
    calm = colours()
    spread_paint.paint(objects.root, 24, 100.0)
    wild = colours()
    high = body.data.vertices[int(np.argmax([v.co.z for v in body.data.vertices]))].index
    low = body.data.vertices[int(np.argmin([v.co.z for v in body.data.vertices]))].index
    assert calm[low, 2] > calm[low, 0] and wild[low, 0] > wild[low, 2], "blue is sure, red is not"
    assert wild[high, 1] > wild[high, 0], "the half that is surer is green where the other is red"
    assert body.data.color_attributes.active_color.name == spread_paint.ATTRIBUTE
    spread_paint.remove_all()
    assert spread_paint.ATTRIBUTE not in body.data.color_attributes
    material = spread_paint.spread_material()
    assert spread_paint.spread_material() == material


def test_missed_frames_are_marked_and_the_marks_go_with_the_clip(clip):
    take, scene, objects = clip()
    assert [(m.name, m.frame) for m in scene.timeline_markers] == [("Person 1 missed to 18", 16)]
    own = scene.timeline_markers.new("cut", frame=16)
    for _ in iter_import(take.folder, 11, True, scene):
        pass
    assert sorted(m.name for m in scene.timeline_markers) == ["Person 1 missed to 18", "cut"]
    root = naming.find("clip")[0]
    assert has_marks(root)
    remove_clip(take.header.uuid)
    assert [m.name for m in scene.timeline_markers] == [own.name]


def test_a_marker_that_the_artist_has_renamed_stays(clip):
    _, scene, objects = clip()
    scene.timeline_markers[0].name = "look here"
    remove_marks(scene, objects.root)
    assert [m.name for m in scene.timeline_markers] == ["look here"] and not has_marks(objects.root)
