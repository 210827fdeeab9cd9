"""A character of the artist's, moved by constraints and control bones, comes back as it was seen."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from blender_look import go_to, shown_vertices
from blender_takes import Clip
from character_rigs import character, rigify
from export_round_trip import away, new_file
from hmdiff_blender.character import automatic
from hmdiff_blender.scene import compat, retarget
from hmdiff_blender.scene.build import BuildOptions, build_scene
from hmdiff_blender.scene.exports.character import export_character
from hmdiff_wire.errors import HmdiffError

BONES = ("root", "upper", "lower")


@pytest.fixture
def hero():
    """An arm of three bones in a turned and grown armature; the upper bone copies a control bone that deforms nothing,
    a shape key is driven, an eye hangs on the last bone."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 5, 10
    data = bpy.data.armatures.new("Hero")
    rig = bpy.data.objects.new("Hero", data)
    scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    parent = None
    for number, name in enumerate((*BONES, "control")):
        bone = data.edit_bones.new(name)
        bone.head, bone.tail = (0, 0, number), (0, 0, number + 1)
        bone.parent = parent if name != "control" else data.edit_bones["root"]
        parent = bone
    bpy.ops.object.mode_set(mode="OBJECT")
    data.bones["control"].use_deform = False
    follow = rig.pose.bones["upper"].constraints.new("COPY_ROTATION")
    follow.target, follow.subtarget = rig, "control"
    follow.target_space = follow.owner_space = "LOCAL"
    control = rig.pose.bones["control"]
    control.rotation_mode = "XYZ"
    for frame, angle in ((5, 0.0), (10, 1.2)):
        control.rotation_euler = (angle, 0.3 * angle, 0)
        control.keyframe_insert("rotation_euler", frame=frame)
    rig.location, rig.rotation_euler, rig.scale = (1, 2, 0.5), (0, 0, 0.7), (1.5, 1.5, 1.5)

    bpy.ops.mesh.primitive_cylinder_add(vertices=6, radius=0.2, depth=3, location=(0, 0, 1.5))
    skin = bpy.context.object
    skin.name = "Hero skin"
    for number, name in enumerate(BONES):
        group = skin.vertex_groups.new(name=name)
        group.add([v.index for v in skin.data.vertices if (v.co.z > 0) == (number > 0)], 0.5 if number else 1.0, "ADD")
    skin.parent = rig
    skin.modifiers.new("Armature", "ARMATURE").object = rig
    skin.shape_key_add(name="Basis")
    key = skin.shape_key_add(name="bulge")
    key.data[0].co.x += 0.5
    driver = key.driver_add("value").driver
    driver.expression = "frame / 10"
    bpy.ops.mesh.primitive_cube_add(size=0.1)
    eye = bpy.context.object
    eye.name = "Eye"
    eye.parent, eye.parent_type, eye.parent_bone = rig, "BONE", "lower"
    bpy.context.view_layer.update()
    return rig


def seen(frames, rig):
    found = []
    for frame in frames:
        go_to(frame)
        evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
        matrix = np.array(evaluated.matrix_world)
        heads = np.array([np.array(evaluated.pose.bones[name].head) for name in BONES])
        joints = heads @ matrix[:3, :3].T + matrix[:3, 3]
        found.append((joints, *map(shown_vertices, meshes())))
    return found


def meshes():
    """Skin and eye; glTF's importer names what is skinned after its mesh."""
    found = [item for item in bpy.data.objects if item.type == "MESH" and (item.parent or item.vertex_groups)]
    return sorted(found, key=lambda item: -np.ptp(shown_vertices(item)[:, 2]))


@pytest.mark.parametrize("name", ["hero.fbx", "hero.glb"])
def test_what_was_seen_comes_back_and_the_file_of_the_artist_is_as_before(hero, tmp_path, name):
    expected = seen(np.arange(5, 10.5, 0.5), hero)
    before = state(hero)
    assert export_character(tmp_path / name, bpy.data.objects["Eye"], 48.0) == [tmp_path / name]
    assert state(hero) == before
    new_file()
    if name.endswith("fbx"):
        bpy.ops.import_scene.fbx(filepath=str(tmp_path / name), anim_offset=0.0)
    else:
        bpy.ops.import_scene.gltf(filepath=str(tmp_path / name))
    rig, render = bpy.data.objects["Hero"], bpy.context.scene.render
    assert "control" not in rig.data.bones
    frames = np.array(sorted({float(p.co.x) for c in compat.iter_fcurves(rig) for p in c.keyframe_points}))
    frames = frames[np.diff(frames, prepend=-1) > 1e-3]
    assert np.abs(frames * render.fps_base / render.fps - np.arange(11) / 48).max() < 1e-3
    for one, other in zip(expected, seen(frames, rig), strict=True):
        assert away(one[0], other[0]) < 1.0
        for first, second in zip(one[1:], other[1:], strict=True):  # importers split and reorder vertices
            assert np.abs(first.min(0) - second.min(0)).max() < 1e-3 > np.abs(first.max(0) - second.max(0)).max()


def state(rig):
    data, names = bpy.data, sorted(item.name for item in bpy.data.objects)
    counts = [len(kind) for kind in (data.actions, data.meshes, data.armatures, data.scenes)]
    return names, counts, rig.name, bpy.context.scene.render.fps, bpy.context.scene.frame_current


def test_nothing_or_something_else_selected_is_said(hero, tmp_path):
    with pytest.raises(HmdiffError) as caught:
        export_character(tmp_path / "a.fbx", None)
    assert caught.value.kind == "export.no_character"
    with pytest.raises(HmdiffError) as caught:
        export_character(tmp_path / "a.abc", hero)
    assert caught.value.kind == "export.suffix"


@pytest.mark.parametrize(("kind", "how", "name"), [
    ("mixamo", "bake", "hero.glb"), ("mixamo", "live", "hero.fbx"), ("rigify", "bake", "hero.fbx"),
])  # fmt: skip
def test_a_retargeted_character_comes_back_bone_by_bone(make_take, tmp_path, kind, how, name):
    clip = Clip(times=tuple(np.arange(6) / 25), hypotheses=0)
    body = build_scene(make_take(clip), BuildOptions(own_scene=True, hypotheses=0)).people[0].armature
    rig = rigify(True) if kind == "rigify" else character(kind)
    (retarget.retarget if how == "bake" else retarget.follow)(body, rig, automatic(rig))
    assert (bpy.context.scene.frame_start, bpy.context.scene.frame_end) == (1, 6)
    expected = []
    for frame in range(1, 7):
        go_to(frame)
        expected.append(bone_heads(rig))
    export_character(tmp_path / name, rig)
    called = rig.name
    new_file()
    if name.endswith("fbx"):
        bpy.ops.import_scene.fbx(filepath=str(tmp_path / name), anim_offset=0.0)
    else:
        bpy.ops.import_scene.gltf(filepath=str(tmp_path / name))
    again = bpy.data.objects[called]
    deforming = {bone.name for bone in again.data.bones}
    assert len(deforming) > 15 and deforming <= set(expected[0])
    for frame, before in enumerate(expected):
        go_to(frame)
        now = bone_heads(again)
        assert away(np.array([now[bone] for bone in deforming]), np.array([before[bone] for bone in deforming])) < 1.0


def bone_heads(rig) -> dict[str, np.ndarray]:
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    matrix = np.array(evaluated.matrix_world)
    return {bone.name: matrix[:3, :3] @ np.array(bone.head) + matrix[:3, 3] for bone in evaluated.pose.bones}
