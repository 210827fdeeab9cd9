"""What is exported comes back by another import: joints within a millimetre, times within a millisecond (issue 7)."""

from __future__ import annotations

import re

import bpy
import numpy as np
import pytest
from export_round_trip import (
    CLIP,
    COUNT,
    FPS,
    away,
    edited_clip,
    in_time,
    joint_error,
    keyed,
    nearest_mm,
    new_file,
    scene_frames,
    vertex_error,
)
from hmdiff_blender.scene import exports, naming
from hmdiff_blender.scene.exports import What, Wish
from hmdiff_wire.body import load_body, skin

FILES = {
    "rigged.fbx": None, "bones.fbx": What.ARMATURE, "rigged.glb": None, "bones.glb": What.ARMATURE,
    "morphs.glb": What.BODY, "morphs.fbx": What.BODY, "bones.bvh": None,
    "bodies.abc": None, "bodies.usda": None, "rigged.usdc": What.RIGGED, "bodies.pc2": None, "motion.amass.npz": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    root, expected = edited_clip(folder)
    before = state()
    for name, what in FILES.items():
        exports.export(folder / name, Wish(root[naming.CLIP], what))
        assert state() == before, name
    return folder, expected


def state() -> tuple:
    """Everything of the artist's that an export could touch."""
    scene, data = bpy.context.scene, bpy.data
    counts = [len(getattr(data, kind)) for kind in ("objects", "meshes", "armatures", "actions", "cameras", "scenes")]
    objects = tuple((item.name, item.hide_viewport, item.select_get()) for item in scene.objects)
    return (
        scene.name, scene.frame_current, scene.render.fps, scene.frame_start, scene.frame_end, scene.camera, counts,
        objects, bpy.context.view_layer.objects.active,
    )  # fmt: skip


def same(expected, start: float = 0.0) -> None:
    """The imported bones are where the take's joints are, when they are there."""
    frames = keyed()
    assert in_time(frames, start)
    assert joint_error(expected, frames) < 1.0


@pytest.mark.parametrize("name", ["rigged.fbx", "bones.fbx"])
def test_fbx(exported, name):
    folder, expected = exported
    new_file()
    bpy.ops.import_scene.fbx(filepath=str(folder / name), anim_offset=0.0)
    same(expected)
    skinned(name, expected)


@pytest.mark.parametrize("name", ["rigged.glb", "bones.glb"])
def test_glb(exported, name):
    folder, expected = exported
    new_file()
    bpy.ops.import_scene.gltf(filepath=str(folder / name))
    same(expected)
    skinned(name, expected)


def skinned(name: str, expected) -> None:
    if "rigged" in name:
        mean, most = nearest_mm(expected, keyed())
        assert mean < 0.2 and most < 8.0  # glTF keeps four bones of a vertex


@pytest.mark.parametrize("name", ["morphs.glb", "morphs.fbx"])
def test_one_morph_per_frame(exported, name):
    folder, expected = exported
    new_file()
    if name.endswith("glb"):
        bpy.ops.import_scene.gltf(filepath=str(folder / name))
    else:
        bpy.ops.import_scene.fbx(filepath=str(folder / name), anim_offset=0.0)
    frames = keyed()
    assert in_time(frames)
    mean, most = nearest_mm(expected, frames)
    assert mean < 0.05 and most < 0.1


def test_bvh(exported):
    folder, expected = exported
    new_file()
    for track in (1, 2):
        bpy.ops.import_anim.bvh(
            filepath=str(folder / f"bones_{track}.bvh"), use_fps_scale=True, axis_forward="Y", axis_up="Z",
        )  # fmt: skip
    same(expected, 1.0)


def test_alembic(exported):
    folder, expected = exported
    new_file()
    bpy.ops.wm.alembic_import(filepath=str(folder / "bodies.abc"), as_background_job=False)
    assert vertex_error(expected, scene_frames()) < 1.0


def test_usd_of_moving_vertices(exported):
    folder, expected = exported
    with (folder / "bodies.usda").open() as stream:
        head = "".join(line for line, _ in zip(stream, range(40), strict=False))
    stored = {name: float(value) for name, value in re.findall(r"^    (\w+) = ([\d.]+)$", head, re.MULTILINE)}
    assert abs(stored["timeCodesPerSecond"] - FPS) < 1e-3
    assert (stored.get("startTimeCode", 0), stored["endTimeCode"], stored["metersPerUnit"]) == (0, COUNT - 1, 1)
    assert 'upAxis = "Y"' in head
    new_file()
    bpy.ops.wm.usd_import(filepath=str(folder / "bodies.usda"))
    # Blender shows time code f at frame f, whatever rates the file and the scene have.
    assert vertex_error(expected, np.arange(COUNT)) < 1.0


def test_usd_with_a_skeleton(exported):
    folder, expected = exported
    new_file()
    bpy.ops.wm.usd_import(filepath=str(folder / "rigged.usdc"))
    assert joint_error(expected, np.arange(COUNT)) < 1.0
    mean, most = nearest_mm(expected, np.arange(COUNT))
    assert mean < 0.2 and most < 8.0


def test_point_cache_moves_the_mesh_beside_it(exported):
    folder, expected = exported
    new_file()
    for track in (1, 2):
        bpy.ops.wm.obj_import(filepath=str(folder / f"bodies_{track}.obj"), forward_axis="Y", up_axis="Z")
        item = bpy.context.selected_objects[0]
        item.name = f"{track}_body"
        modifier = item.modifiers.new("cache", "MESH_CACHE")
        modifier.cache_format, modifier.filepath = "PC2", str(folder / f"bodies_{track}.pc2")
        modifier.frame_start = 0
    assert vertex_error(expected, np.arange(COUNT)) < 1.0


def test_amass_has_the_joints_with_nothing_but_the_body_model(exported):
    folder, expected = exported
    body = load_body(CLIP.body)
    for person, track in enumerate((1, 2)):
        with np.load(folder / f"motion_{track}.amass.npz", allow_pickle=False) as stored:
            data = dict(stored)
        assert data["poses"].shape == (COUNT, 156) and not data["poses"][:, 66:].any()
        assert str(data["gender"]) == "neutral" and not data["betas"].any() and str(data["hmdiff_body"]) == "free"
        assert np.abs(np.arange(COUNT) / data["mocap_framerate"] - CLIP.times).max() < 1e-3
        pose = np.concatenate([data["poses"][:, :66], np.zeros((COUNT, 6))], axis=1)
        joints = skin(body, data["hmdiff_betas"], pose, data["trans"])[1]
        present = expected.present[person]
        assert away(joints[present], expected.joints[person, present]) < 1.0
