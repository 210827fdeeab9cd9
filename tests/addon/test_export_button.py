"""The Export button: formats, endings, what cannot be; the scene stays the artist's."""

from __future__ import annotations

import bpy
import pytest


@pytest.fixture
def here(addon):
    one = addon("--frames", "4")
    one.run()
    one.finished()
    return one


def settings():
    return bpy.context.scene.hmdiff_export


def test_a_clip_goes_into_the_file_that_is_named_with_the_ending_of_its_format(here, tmp_path):
    settings().filepath = str(tmp_path / "out" / "walk.fbx")
    settings().format = "BVH"
    assert settings().filepath.endswith("walk.bvh") and settings().what == "ARMATURE"
    assert bpy.ops.hmdiff.export() == {"FINISHED"}
    lines = (tmp_path / "out" / "walk.bvh").read_text().splitlines()
    rate = next(float(line.split(":")[1]) for line in lines if line.startswith("Frame Time"))
    assert "Frames: 4" in lines and abs(1 / rate - 30) < 0.01 and bpy.context.scene.render.fps == 24
    settings().rate = "SCENE"
    assert bpy.ops.hmdiff.export() == {"FINISHED"}
    assert "Frame Time: 0.041667" in (tmp_path / "out" / "walk.bvh").read_text()
    settings().rate, settings().format = "TAKE", "AMASS"
    assert bpy.ops.hmdiff.export() == {"FINISHED"} and (tmp_path / "out" / "walk.amass.npz").is_file()


def test_a_selected_character_is_written_too_and_none_is_said(here, tmp_path):
    data = bpy.data.armatures.new("Hero")
    hero = bpy.data.objects.new("Hero", data)
    bpy.context.scene.collection.objects.link(hero)
    settings().format, settings().subject = "USD", "CHARACTER"
    assert settings().format == "FBX"
    bpy.context.view_layer.objects.active = None
    with pytest.raises(RuntimeError, match="No character is selected"):
        bpy.ops.hmdiff.export(filepath=str(tmp_path / "hero"))
    bpy.context.view_layer.objects.active = hero
    bpy.ops.object.mode_set(mode="EDIT")
    data.edit_bones.new("root").tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert bpy.ops.hmdiff.export(filepath=str(tmp_path / "hero")) == {"FINISHED"}
    assert (tmp_path / "hero.fbx").read_bytes()[:18] == b"Kaydara FBX Binary"


def test_without_a_clip_or_a_name_it_says_what_to_do(addon, tmp_path):
    addon()
    with pytest.raises(RuntimeError, match="No file is named"):
        bpy.ops.hmdiff.export()
    with pytest.raises(RuntimeError, match="no finished clip"):
        bpy.ops.hmdiff.export(filepath=str(tmp_path / "x.fbx"))
