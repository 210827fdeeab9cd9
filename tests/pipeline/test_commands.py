"""The command line on real input, in processes of its own, up to a .blend that opens."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def hmdiff(*words: object) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT / "backend"), str(ROOT / "shared")])
    return subprocess.run(
        [sys.executable, "-m", "hmdiff.cli", *map(str, words)],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_animate_writes_everything_it_was_asked_for(tmp_path: Path, clip: Path):
    folder = tmp_path / "with space"
    outputs = [folder / "out.npz", folder / "out.mp4"]
    words = [word for out in outputs for word in ("-o", out)]
    done = hmdiff("animate", clip, "--range", "30:36", "--hypotheses", 2, "--steps", 2, *words, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["frames"] == 6 and report["people"][0]["frames"] == 6
    with np.load(outputs[0]) as data:
        assert data["joints"].shape == (1, 6, 24, 3) and data["hypotheses_pose"].shape == (1, 6, 2, 72)
        assert np.isfinite(data["joints"]).all()
    assert outputs[1].stat().st_size > 5000


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="bpy is not installed here")
def test_animate_to_a_blend_that_opens_again(tmp_path: Path, clip: Path):
    out = tmp_path / "scene.blend"
    done = hmdiff("animate", clip, "--range", "30:36", "--hypotheses", 2, "--steps", 2, "-o", out)
    assert done.returncode == 0, done.stderr
    script = (
        "import sys, bpy; bpy.ops.wm.open_mainfile(filepath=sys.argv[1]);"
        "print('BODIES', sum(1 for o in bpy.data.objects if o.type == 'MESH'),"
        "sum(1 for o in bpy.data.objects if o.type == 'ARMATURE'),"
        "sum(1 for o in bpy.data.objects if o.type == 'CAMERA'),"
        "max(len(k.key_blocks) for k in bpy.data.shape_keys))"
    )
    opened = subprocess.run([sys.executable, "-c", script, str(out)], capture_output=True, text=True, timeout=120)
    line = next(line for line in opened.stdout.splitlines() if line.startswith("BODIES"))
    meshes, armatures, cameras, keys = map(int, line.split()[1:])
    assert meshes >= 2 and armatures == 1 and cameras == 1 and keys >= 6


def test_pose_of_a_photo(tmp_path: Path, clip: Path):
    import cv2
    from hmdiff.video.source import open_source

    frame = next(iter(open_source(clip, (40, 41))))
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), cv2.cvtColor(frame.image_rgb, cv2.COLOR_RGB2BGR))
    done = hmdiff("pose", photo, "--preset", "preview", "-o", tmp_path / "pose.png", "-o", tmp_path / "pose.npz")
    assert done.returncode == 0, done.stderr
    drawn = cv2.imread(str(tmp_path / "pose.png"))
    assert drawn.shape[:2] == frame.image_rgb.shape[:2]
    assert np.abs(drawn.astype(int) - cv2.imread(str(photo)).astype(int)).mean() > 1


def test_nobody_in_the_picture_is_exit_code_three(tmp_path: Path):
    import cv2

    cv2.imwrite(str(tmp_path / "wall.png"), np.full((240, 320, 3), 128, np.uint8))
    done = hmdiff("pose", tmp_path / "wall.png", "-o", tmp_path / "out.npz")
    assert done.returncode == 3
    assert "Nobody was found" in done.stderr and "Traceback" not in done.stderr


def test_resume_and_person_on_the_command_line(tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]):
    from hmdiff.cli import main

    assert main(["animate", str(clip), "--resume", "-o", str(tmp_path / "out.npz")]) == 2
    assert "--take" in capsys.readouterr().err
    take = str(tmp_path / "take")
    assert main(["animate", str(clip), "--resume", "--take", take]) == 2
    assert "There is no take" in capsys.readouterr().err
    words = ["--range", "30:33", "--steps", "1", "--hypotheses", "1", "--person", "largest", "--json"]
    assert main(["animate", str(clip), "--take", take, *words]) == 0
    assert [one["frames"] for one in json.loads(capsys.readouterr().out)["people"]] == [3]
    out = tmp_path / "later.npz"
    assert main(["animate", str(clip), "--take", take, "--resume", "-o", str(out)]) == 0, "files of a complete take"
    assert out.is_file() and "nothing left" in capsys.readouterr().out
