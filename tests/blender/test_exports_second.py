"""An export as the panel starts it: another process opens a copy of the file, with nothing but the packages by path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import hmdiff_wire
import numpy as np
import pytest
from blender_look import go_to
from blender_takes import Clip, write_take
from export_round_trip import away, edited_clip, heads, in_time, joint_error, keyed, new_file
from hmdiff_blender.core.export_child import ORDER, RESULT
from hmdiff_blender.core.export_rules import Order, parse, place
from hmdiff_blender.scene import naming
from hmdiff_blender.scene.build import BuildOptions, build_scene
from hmdiff_wire.take import read_take

PROGRAM = Path(__file__).resolve().parents[2] / "blender_addon" / "__main__.py"
ADDONS = ("io_scene_fbx", "io_scene_gltf2", "io_anim_bvh")


def carried_out(order: Order, folder: Path) -> tuple[dict, list]:
    """What the second process leaves, and the progress it has told."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    blend = work / "copy.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), copy=True, relative_remap=True)
    order = replace(order, blend=str(blend), addons=ADDONS)
    (work / ORDER).write_text(order.to_json(), encoding="utf-8")
    wire = Path(str(hmdiff_wire.__file__)).parent
    words = [sys.executable, str(PROGRAM), "--", "--wire", str(wire), "--export", str(work / ORDER)]
    # Its standard input stays open as long as somebody wants the export.
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        assert child.stdout is not None
        said = child.stdout.read()
    assert (work / RESULT).is_file(), said
    told = [progress for line in said.splitlines() if (progress := parse(line)) is not None]
    return json.loads((work / RESULT).read_text(encoding="utf-8")), told


@pytest.mark.parametrize("name", ["walk.fbx", "walk.glb"])
def test_the_file_is_what_the_clip_shows(tmp_path, name):
    root, expected = edited_clip(tmp_path)
    order = Order(str(tmp_path / name), clip=root[naming.CLIP], what="RIGGED", scene=bpy.context.scene.name)
    result, told = carried_out(order, tmp_path)
    assert [Path(path) for path in result["written"]] == [order.beside] and not order.target.exists()
    assert place([order.beside], order) == [order.target]
    assert {"opening", "reading"} <= {one.stage for one in told} and any(0 < one.frame == one.frames for one in told)
    new_file()
    if name.endswith("fbx"):
        bpy.ops.import_scene.fbx(filepath=str(order.target), anim_offset=0.0)
    else:
        bpy.ops.import_scene.gltf(filepath=str(order.target))
    assert in_time(keyed()) and joint_error(expected, keyed()) < 1.0


def test_what_cannot_be_done_is_told_and_nothing_is_left(tmp_path):
    edited_clip(tmp_path)
    result, _ = carried_out(Order(str(tmp_path / "walk.fbx"), clip="no such clip", what="RIGGED"), tmp_path)
    assert result["error"]["kind"] == "export.nothing"
    assert not [path for path in tmp_path.iterdir() if "walk" in path.name]


@pytest.mark.skipif("HMDIFF_INSIDE_VERSIONS" in os.environ, reason="the arithmetic is the same in every Blender")
def test_a_thousand_frames_at_a_hundredth_of_their_size(tmp_path):
    """23.976 frames a second from a scene at 24; joints to a millimetre and times to a millisecond to the end."""
    fps, count = 24000 / 1001, 1000
    bpy.ops.wm.read_factory_settings(use_empty=True)
    clip = Clip(times=tuple(np.arange(count) / fps), fps=fps, hypotheses=1)
    take = read_take(write_take(tmp_path / "take", clip))
    objects = build_scene(take, BuildOptions(hypotheses=0, shape_key_limit=10), bpy.context.scene)
    objects.root.scale = (0.01, 0.01, 0.01)
    armature = objects.people[0].armature
    moments = (0, 1, 499, 998, 999)
    wanted = []
    for number in moments:
        frame = 1 + take.times[number] * 24
        bpy.context.scene.frame_set(int(frame), subframe=frame - int(frame))
        wanted.append(heads(armature))
    order = Order(str(tmp_path / "far.fbx"), clip=objects.root[naming.CLIP], what="ARMATURE")
    result, _ = carried_out(order, tmp_path)
    place([Path(path) for path in result["written"]], order)
    new_file()
    bpy.ops.import_scene.fbx(filepath=str(order.target), anim_offset=0.0)
    frames = keyed()
    # Blender's importer leaves the 1.001 of such a rate out of account when it turns the file's seconds into frames.
    seconds = frames / bpy.context.scene.render.fps
    assert len(frames) == count and np.abs(seconds - take.times).max() < 1e-3
    item = next(item for item in bpy.data.objects if item.type == "ARMATURE")
    for number, joints in zip(moments, wanted, strict=True):
        go_to(frames[number])
        assert away(heads(item), joints) < 1.0
