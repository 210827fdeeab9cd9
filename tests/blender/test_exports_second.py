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
from hmdiff_blender.scene import exports, naming
from hmdiff_blender.scene.build import BuildOptions, build_scene
from hmdiff_blender.scene.timing import FrameMap
from hmdiff_wire.body import skin
from hmdiff_wire.take import read_take

PROGRAM = Path(__file__).resolve().parents[2] / "blender_addon" / "__main__.py"
ADDONS = ("io_scene_fbx", "io_scene_gltf2", "io_anim_bvh")


def begun(order: Order, folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """The second process, and the folder where it leaves its result."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    blend = work / "copy.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), copy=True, relative_remap=True)
    order = replace(order, blend=str(blend), addons=ADDONS)
    (work / ORDER).write_text(order.to_json(), encoding="utf-8")
    wire = Path(str(hmdiff_wire.__file__)).parent
    words = [sys.executable, str(PROGRAM), "--", "--wire", str(wire), "--export", str(work / ORDER)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(words, text=True, **pipes), work


def carried_out(order: Order, folder: Path) -> tuple[dict, list]:
    """What the second process leaves, and the progress it has told."""
    child, work = begun(order, folder)
    with child:  # its standard input stays open as long as somebody wants the export
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


def test_it_ends_with_the_blender_that_wanted_it_and_the_old_file_stays(far, tmp_path):
    """Where that is killed, only the pipe tells."""
    _, clip_id, artist, _ = far
    bpy.ops.wm.open_mainfile(filepath=str(artist))
    (tmp_path / "far.fbx").write_bytes(b"old")
    child, work = begun(Order(str(tmp_path / "far.fbx"), clip=clip_id, what="RIGGED"), tmp_path)
    with child:
        assert child.stdout is not None and child.stdin is not None
        told = (progress for line in child.stdout if (progress := parse(line)) is not None)
        assert next(one for one in told if one.stage == "writing").frames == 1000
        child.stdin.close()
        assert child.wait(20) == 1
    assert not (work / RESULT).exists() and (tmp_path / "far.fbx").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"far.fbx", "work"}


SMALL = 0.01


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    """A clip of 1,000 frames at 23.976 a second, a hundredth of its size, in a scene at 24; its take, its joints as
    they are seen (F,24,3)."""
    folder = tmp_path_factory.mktemp("far")
    fps, count = 24000 / 1001, 1000
    bpy.ops.wm.read_factory_settings(use_empty=True)
    clip = Clip(times=tuple(np.arange(count) / fps), fps=fps, hypotheses=1)
    take = read_take(write_take(folder / "take", clip))
    objects = build_scene(take, BuildOptions(hypotheses=0, shape_key_limit=10), bpy.context.scene)
    objects.root.scale = (SMALL, SMALL, SMALL)
    objects.root.location *= SMALL  # about the world's origin: far from it single precision would be what is measured
    armature, seen = objects.people[0].armature, []
    for frame in FrameMap(24).frames(take.times):  # where its keys are
        go_to(frame)
        seen.append(heads(armature))
    clip_id, artist = objects.root[naming.CLIP], folder / "artist.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(artist))
    return take, clip_id, artist, np.array(seen)


@pytest.mark.skipif("HMDIFF_INSIDE_VERSIONS" in os.environ, reason="five in each Blender would take too long")
@pytest.mark.parametrize("name", ["far.fbx", "far.glb", "far.bvh"])
def test_a_thousand_frames_at_a_hundredth_of_their_size(far, tmp_path, name):
    """Every frame: joints to a millimetre of the body as it was filmed (a hundredth of that here), times to one
    millisecond at the end too."""
    take, _, _, seen = far
    path = exported(far, tmp_path, name)
    new_file()
    if name.endswith("fbx"):
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
    elif name.endswith("glb"):
        bpy.ops.import_scene.gltf(filepath=str(path))
    else:
        bpy.ops.import_anim.bvh(filepath=str(path), use_fps_scale=True, axis_forward="Y", axis_up="Z")
    frames, render = keyed(), bpy.context.scene.render
    # The FBX importer leaves the 1.001 of such a rate out of account when it turns the file's seconds into frames.
    rate = render.fps if name.endswith("fbx") else render.fps / render.fps_base
    seconds = (frames - (1 if name.endswith("bvh") else 0)) / rate
    assert len(frames) == len(seen) and np.abs(seconds - take.times).max() < 1e-3
    item = next(item for item in bpy.data.objects if item.type == "ARMATURE")
    found = []
    for frame in frames:
        go_to(frame)
        found.append(heads(item))
    assert away(np.array(found), seen) < 1.0 * SMALL


def test_an_amass_file_of_a_small_clip_is_of_a_body_in_its_own_metres(far, tmp_path):
    take, _, _, seen = far
    with np.load(exported(far, tmp_path, "far.amass.npz"), allow_pickle=False) as stored:
        data = dict(stored)
    assert abs(data["mocap_framerate"] - take.header.fps) < 1e-6 * take.header.fps
    pose = np.concatenate([data["poses"][:, :66], np.zeros((len(seen), 6))], axis=1)
    assert away(skin(take.body, data["hmdiff_betas"], pose, data["trans"])[1], seen / SMALL) < 1.0


@pytest.mark.parametrize("fps", [12.5, 24000 / 1001, 30.0])
def test_a_glb_has_the_footages_seconds(tmp_path, fps):
    """As the file itself says them, whatever an importer does."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    take = read_take(write_take(tmp_path / "take", Clip(times=tuple(np.arange(40) / fps), fps=fps, hypotheses=0)))
    build_scene(take, BuildOptions(hypotheses=0, shape_key_limit=10), bpy.context.scene)
    (path,) = exports.export(tmp_path / "walk.glb")
    data = path.read_bytes()
    said = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    ends = [said["accessors"][one["input"]]["max"][0] for whole in said["animations"] for one in whole["samplers"]]
    assert ends and np.abs(np.array(ends) - take.times[-1]).max() < 1e-4


def exported(far, folder: Path, name: str) -> Path:
    _, clip_id, artist, _ = far
    bpy.ops.wm.open_mainfile(filepath=str(artist))
    what = "RIGGED" if name.endswith("glb") else "ARMATURE"
    order = Order(str(folder / name), clip=clip_id, what=what, folder=str(artist.parent))
    result, _ = carried_out(order, folder)
    (path,) = place([Path(path) for path in result["written"]], order)
    return path
