"""A run as the scene sees it: the growing preview, the import that takes its place, undo in between, hypotheses."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from blender_look import go_to, millimetres, shown_vertices
from blender_takes import Clip
from hmdiff_blender.scene import clips, naming
from hmdiff_blender.scene.axes import world_from_camera
from hmdiff_blender.scene.importer import iter_import, remove_clip
from hmdiff_blender.scene.preview import Preview, preview_objects
from hmdiff_blender.scene.reading import WAIT
from hmdiff_blender.scene.shown import ESTIMATE, iter_show, shown
from hmdiff_wire.errors import HmdiffError


def frames_of(take):
    """What the backend would have sent of a take: (time, arrays) for every frame."""
    for frame, time in enumerate(take.times):
        here = [person for person in range(take.n_people) if take.valid[person, frame]]
        arrays = {
            name: np.stack([take.read(name, person, frame).reshape(-1) for person in here])
            for name in ("pose", "transl", "betas")
        }
        yield float(time), {"track_id": take.track_ids[here], **arrays}


def finish(slices):
    while True:
        try:
            next(slices)
        except StopIteration as finished:
            return finished.value


def play(preview):
    while (done := preview.advance()) is not None:
        assert done is True or done == WAIT


@pytest.fixture
def artist(make_take):
    """make_take without the empty file's factory settings: an artist's own scene at 25 frames a second."""

    def make(clip):
        take = make_take(clip)
        scene = bpy.context.scene
        scene.render.fps, scene.render.fps_base = 25, 1.0
        return take, scene

    return make


def test_preview_shows_every_frame_as_it_came(artist):
    take, _ = artist(Clip(people=2, absent=((1, 0), (1, 1))))
    preview = Preview(take.folder, 11)
    world = world_from_camera(np.array(take.header.up))
    for number, (time, arrays) in enumerate(frames_of(take)):
        preview.feed(time, arrays)
        play(preview)
        go_to(11 + number)
        for track, pose, transl in zip(arrays["track_id"], arrays["pose"], arrays["transl"], strict=True):
            person = list(take.track_ids).index(track)
            body = next(item for item in preview_objects(preview.clip) if item.get(naming.PERSON) == track)
            expected = take.decode(person, number)[0] @ world.T
            assert millimetres(shown_vertices(body), expected + np.array(body.parent.location)) < 0.05, (
                pose.shape,
                transl.shape,
            )
    second = next(item for item in preview_objects() if item.get(naming.PERSON) == 2)
    go_to(11)
    assert second.hide_viewport and second.hide_render
    go_to(14)
    assert not second.hide_viewport
    camera = next(item for item in preview_objects() if item.type == "CAMERA")
    assert camera.data.lens == pytest.approx(take.focal[0] * 36 / take.header.width)
    preview.close()


def test_preview_survives_an_undo_and_a_lost_object(artist):
    take, _ = artist(Clip())
    frames = list(frames_of(take))
    preview = Preview(take.folder, 1)
    for time, arrays in frames[:3]:
        preview.feed(time, arrays)
    play(preview)
    preview.feed(*frames[3])
    assert preview.advance() is True  # in the middle of a slice
    preview.interrupt()
    bpy.data.batch_remove(preview_objects())
    for time, arrays in frames[4:]:
        preview.feed(time, arrays)
    play(preview)
    body = next(item for item in preview_objects() if item.type == "MESH")
    world = world_from_camera(np.array(take.header.up))
    for number in (0, 2, 4, 5):
        go_to(1 + number)
        expected = take.decode(0, number)[0] @ world.T + np.array(body.parent.location)
        assert millimetres(shown_vertices(body), expected) < 0.05
    preview.close()


def test_import_takes_the_place_of_the_preview_and_keeps_what_the_artist_did(artist):
    take, scene = artist(Clip())
    cube = bpy.data.objects.new("cube", bpy.data.meshes.new("cube"))
    scene.collection.objects.link(cube)
    preview = Preview(take.folder, 5)
    for time, arrays in frames_of(take):
        preview.feed(time, arrays)
    play(preview)
    preview.close()
    root = next(item for item in preview_objects() if item.type == "EMPTY")
    root.location.x += 3.0
    root.location.z += 0.5
    scene.camera = next(item for item in preview_objects() if item.type == "CAMERA")
    objects = finish(iter_import(take.folder, 5, False, scene))
    assert not preview_objects() and not list(take.folder.glob("blender/preview-*"))
    assert scene.camera == objects.camera and "cube" in scene.objects
    moved = np.array(objects.root.location) - np.array(objects.root[naming.ORIGIN])
    assert np.allclose(moved, [3.0, 0.0, 0.5], atol=1e-5)
    go_to(7)
    world = world_from_camera(np.array(take.header.up))
    expected = take.decode(0, 2)[0] @ world.T + np.array(objects.root.location)
    assert millimetres(shown_vertices(objects.people[0].body), expected) < 0.05
    assert not clips.info(objects.root).complete

    objects_at = np.array(objects.root.location)
    again = finish(iter_import(take.folder, 5, True, scene))
    assert len(naming.find("body")) == 1 and clips.info(again.root).complete
    assert np.allclose(again.root.location, objects_at, atol=1e-5) and [c.name for c in clips.roots()] == [
        again.root.name
    ]
    remove_clip(take.header.uuid)
    assert [item.name for item in bpy.data.objects] == ["cube"] and scene.collection.children.keys() == []


def test_import_leaves_the_artists_mode_selection_and_scene_alone(artist):
    take, scene = artist(Clip())
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.active_object
    bpy.ops.object.mode_set(mode="EDIT")
    before = (scene.frame_current, scene.frame_end, scene.render.fps, scene.render.resolution_x, scene.camera)
    finish(iter_import(take.folder, 1, True, scene))
    assert cube.mode == "EDIT" and bpy.context.active_object == cube and cube.select_get()
    assert (scene.frame_current, scene.frame_end, scene.render.fps, scene.render.resolution_x, scene.camera) == before
    assert len(bpy.data.scenes) == 1 and "HMDiff template" not in bpy.data.meshes


@pytest.mark.parametrize("limit", [1500, 3], ids=["shape keys", "point cache"])
def test_hypotheses_are_shown_by_body_and_bones_and_the_estimate_comes_back(artist, limit, monkeypatch, tmp_path):
    from hmdiff_blender.scene import build

    take, scene = artist(Clip())
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "artist.blend"))
    options = build.BuildOptions(hypotheses=0, shape_key_limit=limit)
    objects = finish(build.iter_build(take, options, scene))
    root, body = objects.root, objects.people[0].body
    world = world_from_camera(np.array(take.header.up))
    rigged = objects.people[0].rigged
    for item in naming.layer_collections():
        item.exclude = False
    for wanted in (1, 0, ESTIMATE, 1):
        finish(iter_show(root, wanted))
        assert shown(root) == wanted and clips.info(root).shown == wanted
        for number in (0, 3, 5):
            go_to(1 + number)
            expected = take.decode(0, number, None if wanted == ESTIMATE else wanted)[0] @ world.T
            expected = expected + np.array(root.location)
            assert millimetres(shown_vertices(body), expected) < 0.05, wanted
            assert millimetres(shown_vertices(rigged), expected) < 0.05, wanted
    assert body == naming.find("body")[0] and len(naming.find("body")) == 1
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "artist.blend"))
    root, body = clips.roots()[0], naming.find("body")[0]
    finish(iter_show(root, ESTIMATE))
    go_to(4)
    expected = take.decode(0, 3)[0] @ world.T + np.array(root.location)
    assert millimetres(shown_vertices(body), expected) < 0.05


def test_a_hypothesis_that_is_not_there_and_a_take_that_is_gone_are_said(artist):
    take, scene = artist(Clip())
    root = finish(iter_import(take.folder, 1, True, scene)).root
    with pytest.raises(HmdiffError) as caught:
        finish(iter_show(root, 2))
    assert caught.value.kind == "hypothesis.none" and "2 hypotheses" in caught.value.message
    take.folder.rename(take.folder.with_name("elsewhere"))
    with pytest.raises(HmdiffError) as caught:
        finish(iter_show(root, 0))
    assert caught.value.kind == "take.missing" and shown(root) == ESTIMATE
