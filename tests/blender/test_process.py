"""The command line's way into Blender: a process of its own, its progress, its errors."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from blender_takes import Clip, write_take

pytest.importorskip("hmdiff", reason="the backend is not installed beside this bpy")
from hmdiff.video.blender_process import BlendOptions, find_blender, write_blend
from hmdiff_wire.errors import HmdiffError

REPO = Path(__file__).resolve().parents[2]

CHECK = """
import sys, bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
body = [o for o in bpy.data.objects if o.get("hmdiff_role") == "body"]
render = bpy.context.scene.render
print("RESULT", len(body), len(body[0].data.shape_keys.key_blocks), round(render.fps / render.fps_base, 3),
      sum(o.get("hmdiff_role") == "hypothesis" for o in bpy.data.objects), bpy.context.scene.camera is not None,
      {a.spaces[0].region_3d.view_perspective for s in bpy.data.screens for a in s.areas if a.type == "VIEW_3D"})
"""


@pytest.fixture
def take_folder(tmp_path: Path) -> Path:
    return write_take(tmp_path / "a take", Clip(fps=29.97, times=tuple(i / 29.97 for i in range(4))))


@pytest.fixture
def fake_blender(tmp_path: Path) -> Path:
    """A program that takes Blender's arguments and, like it, runs the script without a package around it."""
    program = tmp_path / "blender of mine"
    code = (
        "import bpy, runpy, sys; sys.path = [p for p in sys.path if p not in ('', '.')]; "
        "script = sys.argv[sys.argv.index('--python') + 1]; print('Blender says hello {'); "
        "runpy.run_path(script, run_name='__main__')"
    )
    program.write_text(f'#!/bin/sh\ncd / && exec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
    program.chmod(0o755)
    return program


def opened(blend: Path) -> str:
    done = subprocess.run([sys.executable, "-c", CHECK, str(blend)], capture_output=True, text=True, check=True)
    return next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))


def test_writes_a_blend_with_progress(take_folder, tmp_path):
    seen: list[tuple[int, int, str]] = []
    out = tmp_path / "new folder" / "x.blend"
    written = write_blend(take_folder, out, None, lambda *step: seen.append(step), BlendOptions(hypotheses=1))
    assert written == [out]
    assert opened(out) == "RESULT 1 4 29.97 1 True {'CAMERA'}"
    assert [step[0] for step in seen] == sorted(step[0] for step in seen) and seen[-1][0] == seen[-1][1] == 8


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Blender is a shell script")
def test_a_blender_program_is_given_its_arguments(take_folder, tmp_path, fake_blender):
    out = tmp_path / "x.blend"
    write_blend(take_folder, out, str(fake_blender))
    assert opened(out) == "RESULT 1 4 29.97 2 True {'CAMERA'}"


def test_moving_vertices_have_their_motion_from_the_command_line_too(take_folder, tmp_path):
    cache, mesh = write_blend(take_folder, tmp_path / "x.pc2")
    shapes = np.fromfile(cache, "<f4", offset=32).reshape(4, -1, 3)
    assert mesh.name == "x.obj" and np.abs(np.diff(shapes, axis=0)).max() > 0.01


def test_glb_and_one_bvh_per_person(tmp_path):
    folder = write_take(tmp_path / "take", Clip(people=2, hypotheses=0))
    assert write_blend(folder, tmp_path / "x.glb")[0].read_bytes()[:4] == b"glTF"
    names = [path.name for path in write_blend(folder, tmp_path / "x.bvh")]
    assert names == ["x_1.bvh", "x_2.bvh"]


def test_what_the_addon_reports_comes_back_as_the_same_error(tmp_path):
    with pytest.raises(HmdiffError) as caught:
        write_blend(tmp_path, tmp_path / "x.blend")
    assert caught.value.kind == "take.not_found" and caught.value.fix
    assert not (tmp_path / "x.blend").exists()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Blender is a shell script")
def test_a_dying_blender_is_an_error_with_its_last_words(take_folder, tmp_path):
    program = tmp_path / "blender"
    program.write_text("#!/bin/sh\necho Segmentation fault in GPU driver\nexit 11\n")
    program.chmod(0o755)
    with pytest.raises(HmdiffError) as caught:
        write_blend(take_folder, tmp_path / "x.blend", str(program))
    assert caught.value.kind == "blender.crashed" and "GPU driver" in caught.value.detail


def test_a_callers_stop_ends_the_process(take_folder, tmp_path):
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    with pytest.raises(Stop):
        write_blend(take_folder, tmp_path / "x.glb", None, stop)
    assert not (tmp_path / "x.glb").exists()


def test_programs_are_looked_for_in_order(monkeypatch, tmp_path):
    assert find_blender()[0] == sys.executable
    assert find_blender(sys.executable)[:1] == [sys.executable] and "-b" not in find_blender(sys.executable)
    with pytest.raises(HmdiffError) as caught:
        find_blender(str(tmp_path / "none"))
    assert caught.value.kind == "blender.not_found"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("HMDIFF_BLENDER", raising=False)
    with pytest.raises(HmdiffError) as caught:
        find_blender()
    assert caught.value.kind == "blender.not_found" and "--blender" in caught.value.fix
    program = tmp_path / ("blender.exe" if os.name == "nt" else "blender")
    program.write_text("")
    program.chmod(0o755)
    assert find_blender()[:2] == [str(program), "-b"]
