"""What the other buttons do: sources, the clip's camera and range, takes from disk, the report."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest
from hmdiff_blender import footage_choice, report, request
from hmdiff_blender.scene import clips, naming
from hmdiff_wire.errors import HmdiffError

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo" / "demo.mp4"


def chosen():
    scene = bpy.context.scene
    return footage_choice.chosen(scene.hmdiff, scene)


def camera_with(background):
    data = bpy.data.cameras.new("camera")
    camera = bpy.data.objects.new("camera", data)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    data.show_background_images = True
    background(data.background_images.new())
    bpy.context.scene.hmdiff.source = "CAMERA"


def test_a_movie_is_measured_when_it_is_chosen(addon):
    addon()
    settings = bpy.context.scene.hmdiff
    settings.filepath = str(DEMO)
    assert (settings.count, round(settings.rate), settings.first, settings.last) == (120, 30, 1, 120)
    assert footage_choice.described(settings, bpy.context.scene) == "120 frames, 4.0 s"
    assert not bpy.data.movieclips
    settings.use_range, settings.first = True, 101
    wanted = request.for_footage(bpy.context)
    assert wanted.options["frame_range"] == [100, 120] and wanted.frames == 20 == footage_choice.frames_to_do(settings)


def test_pictures_are_a_sequence_by_folder_or_by_one_of_them(addon, tmp_path):
    addon()
    shots = tmp_path / "shots"
    shots.mkdir()
    for number in range(7, 12):
        (shots / f"shot_{number:04d}.png").write_bytes(b"")
    settings = bpy.context.scene.hmdiff
    settings.source = "SEQUENCE"
    settings.sequence = str(shots / "shot_0009.png")
    assert Path(chosen().path) == shots / "shot_%04d.png" and settings.count == 5
    settings.sequence = str(shots)
    assert Path(chosen().path) == shots and settings.count == 5
    assert request.for_footage(bpy.context).kind == "animate"


@pytest.mark.parametrize("kind", ["image", "clip"])
def test_the_footage_behind_the_camera_is_a_source(addon, kind):
    addon()

    def background(slot):
        if kind == "image":
            slot.image = bpy.data.images.load(str(DEMO))
        else:
            slot.source, slot.clip = "MOVIE_CLIP", bpy.data.movieclips.load(str(DEMO))

    camera_with(background)
    assert Path(chosen().path) == DEMO and chosen().job_kind == "animate"


def test_a_camera_with_nothing_or_with_something_unsaved_behind_it_is_said(addon):
    addon()
    camera_with(lambda slot: None)
    with pytest.raises(HmdiffError, match="no footage behind camera") as caught:
        chosen()
    assert caught.value.kind == "input.no_background"
    bpy.context.scene.camera.data.background_images[0].image = bpy.data.images.new("painted", 8, 8)
    with pytest.raises(HmdiffError) as caught:
        chosen()
    assert caught.value.kind == "input.not_a_file"


def test_camera_and_range_of_a_clip_are_taken_over_on_demand_only(addon):
    here = addon("--frames", "30")
    scene = bpy.context.scene
    before = (scene.frame_start, scene.frame_end, scene.camera, scene.render.fps)
    here.run()
    here.finished()
    assert (scene.frame_start, scene.frame_end, scene.camera, scene.render.fps) == before
    bpy.ops.hmdiff.match_scene()
    assert (scene.frame_start, scene.frame_end) == (1, 1 + round(29 / 30 * scene.render.fps))
    bpy.ops.hmdiff.look_through_camera()
    assert scene.camera == clips.camera_of(clips.roots()[0])
    bpy.ops.hmdiff.remove_clip()
    assert not clips.roots() and not naming.find("body")


def test_a_take_from_disk_comes_in_and_something_else_is_refused(addon, tmp_path):
    here = addon("--frames", "20")
    here.run()
    here.finished()
    take = here.job.take
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.frame_start = 50
    assert bpy.ops.hmdiff.import_take(directory=take) == {"FINISHED"}
    assert len(naming.find("body")) == 1 and clips.span(clips.roots()[0])[0] == 50
    with pytest.raises(RuntimeError, match="not a take"):
        bpy.ops.hmdiff.import_take(directory=str(tmp_path))


def test_the_report_says_what_a_maintainer_needs_and_never_the_token(addon):
    here = addon("--frames", "10", "--fail-at", "0")
    here.run()
    here.finished()
    token = here.session.state().backend.ready["token"]
    said = report.text()
    assert bpy.app.version_string in said and here.job.problem.message in said
    assert token not in said


def test_an_unfinished_take_from_disk_can_be_resumed(addon):
    here = addon("--frames", "90", "--delay", "0.01")
    here.run()
    here.pump(lambda: here.job.frames >= 20)
    bpy.ops.hmdiff.cancel()
    here.finished()
    take = here.job.take
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.hmdiff.import_take(directory=take)
    assert not clips.info(clips.roots()[0]).complete
    bpy.ops.hmdiff.resume()
    here.finished()
    assert here.job.phase == "done" and clips.info(clips.roots()[0]).complete and len(naming.find("body")) == 1


def test_takes_go_beside_the_saved_file(addon, tmp_path):
    here = addon("--frames", "10")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    here.run()
    here.finished()
    assert Path(here.job.take).parent == tmp_path / "shot.hmdiff"
    stored = naming.find("body")[0][naming.TAKE]
    assert stored.startswith("//")
