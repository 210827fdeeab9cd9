"""Footage that Blender holds already, footage dropped onto the view, people by boxes."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest
from hmdiff_blender import footage_choice, request
from hmdiff_wire.errors import HmdiffError

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo" / "demo.mp4"


def chosen():
    scene = bpy.context.scene
    return footage_choice.chosen(scene.hmdiff, scene)


def strips(scene):
    editor = scene.sequence_editor_create()
    return editor, editor.strips if hasattr(editor, "strips") else editor.sequences


def test_the_active_movie_clip_is_a_source(addon):
    addon()
    settings = bpy.context.scene.hmdiff
    settings.source = "CLIP"
    with pytest.raises(HmdiffError, match="no active movie clip") as caught:
        chosen()
    assert caught.value.kind == "input.no_clip"
    clip = bpy.data.movieclips.load(str(DEMO))
    assert Path(chosen().path) == DEMO
    bpy.data.movieclips.load(str(DEMO)).name = "another"
    bpy.context.scene.active_clip = clip
    wanted = request.for_footage(bpy.context)
    assert wanted.source == str(DEMO) and wanted.frames == 120 == settings.count, "it is measured when it is needed"


def test_of_a_cut_strip_only_what_is_on_the_timeline_and_where_it_lies(addon):
    addon()
    scene = bpy.context.scene
    scene.render.fps = 30
    settings = scene.hmdiff
    settings.source = "STRIP"
    with pytest.raises(HmdiffError, match="No strip"):
        chosen()
    editor, made = strips(scene)
    strip = made.new_movie("walk", str(DEMO), 1, 101)
    editor.active_strip = strip
    strip.frame_offset_start, strip.frame_offset_end = 20, 40
    wanted = request.for_footage(bpy.context)
    assert wanted.options["frame_range"] == [20, 80] and wanted.start_frame == 121 and wanted.frames == 60
    editor.active_strip = made.new_effect(name="blue", type="COLOR", channel=2, frame_start=1, **effect_end(made))
    with pytest.raises(HmdiffError, match="neither a movie"):
        chosen()


def effect_end(made):
    words = {parameter.identifier for parameter in made.bl_rna.functions["new_effect"].parameters}
    return {"length": 20} if "length" in words else {"frame_end": 20}


def test_pictures_in_the_sequencer_are_a_sequence(addon, tmp_path):
    addon()
    for number in range(1, 6):
        picture = bpy.data.images.new("picture", 8, 8)
        picture.filepath_raw, picture.file_format = str(tmp_path / f"shot_{number:03d}.png"), "PNG"
        picture.save()
    scene = bpy.context.scene
    editor, made = strips(scene)
    strip = made.new_image("shots", str(tmp_path / "shot_001.png"), 1, 1)
    for number in range(2, 6):
        strip.elements.append(f"shot_{number:03d}.png")
    editor.active_strip = strip
    scene.hmdiff.source = "STRIP"
    assert Path(chosen().path).name == "shot_%03d.png" and chosen().count == 5


def test_the_last_render_becomes_a_photo(addon, tmp_path):
    addon()
    scene = bpy.context.scene
    scene.hmdiff.source = "RENDER"
    with pytest.raises(HmdiffError, match="rendered") as caught:
        chosen()
    assert caught.value.kind == "input.no_render"
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 1, "CPU"
    scene.render.resolution_x = scene.render.resolution_y = 32
    kept = scene.render.image_settings.file_format = "JPEG"
    bpy.ops.render.render()
    footage = chosen()
    assert footage.job_kind == "pose" and Path(footage.path).read_bytes().startswith(b"\x89PNG")
    assert scene.render.image_settings.file_format == kept
    assert Path(chosen().path) != Path(footage.path), "an earlier one stays for its take"


def test_dropped_footage_is_the_source_and_several_pictures_are_a_sequence(addon, tmp_path):
    addon()
    settings = bpy.context.scene.hmdiff
    bpy.ops.hmdiff.drop_footage(directory=str(DEMO.parent), files=[{"name": DEMO.name}])
    assert settings.source == "FILE" and settings.count == 120
    for number in range(3):
        (tmp_path / f"a{number}.png").write_bytes(b"")
    bpy.ops.hmdiff.drop_footage(directory=str(tmp_path), files=[{"name": f"a{number}.png"} for number in range(3)])
    assert settings.source == "SEQUENCE" and settings.count == 3
    (tmp_path / "note.txt").write_text("no footage")
    for names in (["note.txt"], ["a0.png", "note.txt"]):
        with pytest.raises(RuntimeError):
            bpy.ops.hmdiff.drop_footage(directory=str(tmp_path), files=[{"name": name} for name in names])
    assert settings.source == "SEQUENCE"
    handler = bpy.types.HMDIFF_FH_footage
    assert ".mp4" in handler.bl_file_extensions and not handler.poll_drop(bpy.context)


def test_people_are_who_a_box_was_drawn_around(addon):
    addon()
    settings = bpy.context.scene.hmdiff
    settings.filepath = str(DEMO)
    bpy.ops.hmdiff.add_box(box=(300, 400, 100, 50))
    bpy.ops.hmdiff.add_box(box=(500, 50, 640, 300))
    assert settings.people == "chosen"
    assert request.for_footage(bpy.context).options["boxes"] == [[100, 50, 300, 400], [500, 50, 640, 300]]
    with pytest.raises(RuntimeError, match="too small"):
        bpy.ops.hmdiff.add_box(box=(1, 1, 3, 3))
