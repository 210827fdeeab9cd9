"""Files of one pose, whole Blender files, and what cannot be exported; test_exports_round_trip has the motion."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
import numpy as np
import pytest
from blender_look import go_to, show_hidden, shown_vertices
from blender_takes import Clip
from export_round_trip import away, bodies, heads
from hmdiff_blender.scene import exports, naming
from hmdiff_blender.scene.build import BuildOptions, build_scene
from hmdiff_blender.scene.shown import iter_show
from hmdiff_wire.errors import HmdiffError

OWN = BuildOptions(own_scene=True, hypotheses=1)


def expected_frames(objects) -> list[list[np.ndarray]]:
    shown = []
    for frame in range(1, 7):
        go_to(frame)
        shown.append([shown_vertices(person.body) for person in objects.people])
    return shown


def test_glb_of_a_photo_keeps_the_pose_and_the_camera(make_take, tmp_path):
    objects = build_scene(make_take(Clip(times=(0.0,), kind="image")), OWN)
    go_to(1)
    expected, camera = heads(objects.people[0].armature), np.array(objects.camera.matrix_world)
    exports.export(tmp_path / "photo.glb")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "photo.glb"))
    (armature,) = [item for item in bpy.data.objects if item.type == "ARMATURE"]
    assert away(heads(armature), expected) < 0.1
    (seen,) = [item for item in bpy.data.objects if item.type == "CAMERA"]
    assert np.allclose(np.array(seen.matrix_world), camera, atol=1e-4)


def test_blend_reopens_with_everything_in_place(make_take, tmp_path):
    objects = build_scene(make_take(Clip(absent=((0, 3),))), OWN)
    expected = expected_frames(objects)
    uuids = sorted(item[naming.UUID] for item in bpy.data.objects)
    exports.export(tmp_path / "a.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert sorted(item[naming.UUID] for item in bpy.data.objects) == uuids
    (body,) = naming.find("body")
    (rigged,) = naming.find("rigged")
    show_hidden()
    for frame in (0, 2, 4, 5):
        go_to(1 + frame)
        assert np.abs(shown_vertices(body) - expected[frame][0]).max() < 1e-5
        assert np.abs(shown_vertices(rigged) - expected[frame][0]).max() < 5e-5


REFUSED = [("a.obj", "export.suffix"), ("a", "export.suffix"), ("a.glb", "export.nothing")]


@pytest.mark.parametrize(("name", "kind"), REFUSED)
def test_exports_that_cannot_be_say_why(make_take, tmp_path, name, kind):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with pytest.raises(HmdiffError) as caught:
        exports.export(Path(tmp_path / name))
    assert caught.value.kind == kind


def test_long_clips_photos_and_hypotheses_that_are_looked_at(make_take, tmp_path):
    objects = build_scene(make_take(Clip()), BuildOptions(hypotheses=0, own_scene=True, shape_key_limit=3))
    for _ in iter_show(objects.root, 1):
        pass
    go_to(4)
    expected, joints = shown_vertices(objects.people[0].body), heads(objects.people[0].armature)
    exports.export(tmp_path / "long.abc")
    exports.export(tmp_path / "long.bvh")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 25
    bpy.ops.wm.alembic_import(filepath=str(tmp_path / "long.abc"), as_background_job=False)
    bpy.ops.import_anim.bvh(filepath=str(tmp_path / "long.bvh"), axis_forward="Y", axis_up="Z")
    go_to(3)
    assert away(shown_vertices(bodies()[0]), expected) < 0.1
    go_to(4)  # this importer begins at frame 1
    assert away(heads(next(item for item in bpy.data.objects if item.type == "ARMATURE")), joints) < 1.0


@pytest.mark.parametrize("name", ["photo.abc", "photo.usdc", "photo.pc2", "photo.fbx", "photo.amass.npz"])
def test_a_photo_can_be_written_in_every_format(make_take, tmp_path, name):
    build_scene(make_take(Clip(times=(0.0,), kind="image", people=2)), BuildOptions(hypotheses=0))
    written = exports.export(tmp_path / name)
    assert written and all(path.stat().st_size > 1000 for path in written)


def test_the_rate_is_the_takes_even_where_its_folder_is_gone(make_take, tmp_path):
    take = make_take(Clip(fps=12.5, times=tuple(np.arange(6) / 12.5)))
    build_scene(take, BuildOptions(hypotheses=0))
    shutil.rmtree(take.folder)
    exports.export(tmp_path / "a.bvh")
    assert "Frames: 6\nFrame Time: 0.080000" in (tmp_path / "a.bvh").read_text()


def test_a_switched_off_exporter_and_a_blocked_folder_are_said(make_take, tmp_path):
    build_scene(make_take(Clip(hypotheses=0)), BuildOptions(hypotheses=0))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HmdiffError) as caught:
        exports.export(tmp_path / "file" / "a.glb")
    assert caught.value.kind == "export.failed"
    scenes = len(bpy.data.scenes), len(bpy.data.objects)
    import addon_utils  # found once bpy is

    addon_utils.disable("io_anim_bvh")
    try:
        with pytest.raises(HmdiffError) as caught:
            exports.export(tmp_path / "a.bvh")
    finally:
        addon_utils.enable("io_anim_bvh")
    assert caught.value.kind == "export.no_addon" and (len(bpy.data.scenes), len(bpy.data.objects)) == scenes
