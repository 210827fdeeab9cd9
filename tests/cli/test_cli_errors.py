"""Wrong use ends early, with one sentence, a fix and the right exit code."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hmdiff import cli
from hmdiff.commands import arguments
from hmdiff_wire.errors import HmdiffError


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Enough of a file to pass the early checks."""
    path = tmp_path / "my clip.mp4"
    path.write_bytes(b"not looked into yet")
    return path


@pytest.fixture
def photo(clip: Path) -> Path:
    return clip.rename(clip.with_suffix(".jpg"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "COMMAND"),
        (["dance"], "'dance'"),
        (["pose"], "IMAGE"),
        (["body"], "ACTION"),
        (["eval"], "BENCHMARK"),
        (["animate", "CLIP", "-o", "x.npz", "--steps", "many"], "--steps"),
        (["animate", "CLIP", "-o", "x.npz", "--hypotheses", "0"], "from 1 to 1000"),
        (["animate", "CLIP", "-o", "x.npz", "--preset", "best"], "'best'"),
        (["animate", "CLIP", "-o", "x.npz", "--boxes", "1,2,3"], "x0,y0,x1,y1"),
        (["animate", "CLIP", "-o", "x.npz", "--boxes", "9,9,3,12"], "empty box"),
        (["animate", "CLIP", "-o", "x.npz", "--boxes", "0,0,nan,9"], "empty box"),
        (["animate", "CLIP", "-o", "x.npz", "--range", "9:9"], "no frame"),
        (["animate", "CLIP", "-o", "x.npz", "--range", "9"], "range of frames"),
        (["animate", "CLIP", "-o", "x.npz", "--focal", "-3"], "above zero"),
        (["animate", "CLIP", "-o", "x.npz", "--smooth", "nan"], "not a number"),
        (["animate", "CLIP"], "nothing to write"),
        (["animate", "CLIP", "-o", "x.png"], ".png"),
        (["animate", "CLIP", "-o", "x"], "without an ending"),
        (["animate", "CLIP", "-o", "CLIP"], "the footage itself"),
        (["animate", "CLIP", "-o", "x.npz", "-o", "./x.npz"], "twice"),
        (["animate", "CLIP", "-o", "CLIP/x.npz"], "is a file, not a folder"),
        (["animate", "CLIP", "--take", "CLIP"], "is a file, not a folder"),
        (["animate", "CLIP", "-o", "x.npz", "--keypoints", "gone.json"], "gone.json"),
        (["animate", "CLIP", "-o", "x.npz", "--masks", "."], "--keypoints"),
        (["animate", "CLIP", "-o", "x.npz", "--body", "gone.npz"], "gone.npz"),
        (["animate", "CLIP", "-o", "x.npz", "--blender", "no-such-blender"], "no-such-blender"),
        (["animate", "gone.mp4", "-o", "x.npz"], "There is no file gone.mp4"),
        (["pose", "CLIP", "-o", "x.npz"], "is a video"),
        (["pose", ".", "-o", "x.npz"], "is a folder"),
        (["train", "--data", "gone"], "gone"),
        (["body", "build", "-o", "body.obj"], ".obj"),
        (["body", "render", "-o", "a.png", "--body", "gone.npz"], "gone.npz"),
    ],
)
def test_wrong_use_is_one_sentence_and_code_2(words, said, clip: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main([word.replace("CLIP", clip.name) for word in words]) == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hmdiff: ") and err.count("\n") == 1 and "Traceback" not in err
    assert said in err
    assert len(err.split(". ")) >= 2, "a sentence and a fix"
    assert sorted(path.name for path in tmp_path.iterdir()) == [clip.name], "nothing is left behind"


def test_a_photo_for_animate_and_an_empty_file(photo: Path, capsys):
    assert cli.main(["animate", str(photo), "-o", "x.npz"]) == 2
    assert "hmdiff pose" in capsys.readouterr().err
    photo.write_bytes(b"")
    assert cli.main(["pose", str(photo), "-o", "x.npz"]) == 2
    assert "is empty" in capsys.readouterr().err


def test_json_errors_are_data(capsys):
    assert cli.main(["animate", "gone.mp4", "-o", "x.npz", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["error"]["kind"] == "input.not_found" and answer["exit_code"] == 2
    assert cli.main(["animate", "--json", "--nonsense"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "usage"


def parsed(*words: str) -> argparse.Namespace:
    return cli.build_parser().parse_args(words)


def test_what_the_commands_are_given():
    args = parsed(
        "animate", "a.mp4", "-o", "a.blend", "-o", "a.npz", "--range", "30:", "--boxes=-5,0,10,20", "--vertices"
    )
    assert args.out == [Path("a.blend"), Path("a.npz")]
    assert args.range == (30, None) and args.boxes == [(-5.0, 0.0, 10.0, 20.0)] and args.vertices
    assert (args.preset, args.seed, args.device, args.steps, args.hypotheses) == ("default", 0, "auto", None, None)
    assert parsed("animate", "a.mp4", "--range", ":90").range == (None, 90)
    assert parsed("eval", "synthetic", "--json", "figures.json").json == Path("figures.json")
    assert parsed("train", "--data", "a", "--data", "b").data == [Path("a"), Path("b")]
    assert parsed("doctor", "--install").install is True
    assert parsed("doctor", "--install", "some.whl").install == "some.whl"
    assert parsed("pose", "a.jpg", "--take", "t").blender is None


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (HmdiffError("nothing.found", "Nobody was found.", "Draw a box with --boxes."), 3, "Nobody was found."),
        (HmdiffError("video.unreadable", "It cannot be read.", "Convert it."), 2, "Convert it."),
        (HmdiffError("detector.missing", "No models.", "Fetch them."), 1, "Fetch them."),
        (KeyboardInterrupt(), 130, "Stopped."),
        (MemoryError(), 1, "--hypotheses"),
        (ModuleNotFoundError("No module named 'anny'", name="anny"), 1, "hmdiff doctor"),
        (ZeroDivisionError("division by zero"), 1, "report it with the log"),
    ],
)
def test_every_end_has_its_exit_code(error, code, said, clip: Path, monkeypatch, capsys):
    def fail(_: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr("hmdiff.commands.doctor.run", fail)
    assert cli.main(["doctor"]) == code
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err


def test_an_unforeseen_error_leaves_its_traceback_in_the_log(monkeypatch, capsys, tmp_path: Path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("hmdiff.commands.doctor.run", lambda args: 1 / 0)
    assert cli.main(["doctor", "--debug"]) == 1
    (log,) = tmp_path.glob("hmdiff-crash-*.log")
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")
    err = capsys.readouterr().err
    assert str(log) in err and "Traceback" in err, "--debug shows it too"


def run_cli(*words: str, repo: Path, **more) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(repo / "backend"), str(repo / "shared")])}
    command = [sys.executable, "-m", "hmdiff.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=120, **more)


def test_as_a_program_it_says_so_quickly_and_without_torch(repo: Path, tmp_path: Path):
    """A typing error is answered before anything heavy is imported."""
    result = run_cli("animate", "gone.mp4", "-o", "x.npz", repo=repo, cwd=tmp_path)
    assert result.returncode == 2 and "There is no file gone.mp4" in result.stderr
    code = (
        "import sys; from hmdiff import cli; cli.main(['pose', 'x.jpg', '-o', 'x.npz']); print('torch' in sys.modules)"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(repo / "backend"), str(repo / "shared")])}
    probe = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=True)
    assert probe.stdout.strip() == "False"


def test_help_and_version(repo: Path):
    result = run_cli("--help", repo=repo)
    assert result.returncode == 0
    assert all(name in result.stdout for name in ("pose", "animate", "train", "eval", "body", "doctor", "exit codes"))
    assert run_cli("--version", repo=repo).stdout.startswith("hmdiff 0.")
    assert run_cli("animate", "--help", repo=repo).stdout.count("--smooth") >= 1


@pytest.mark.parametrize("kinds", [arguments.POSE_OUTPUTS, arguments.ANIMATE_OUTPUTS])
def test_every_blender_ending_is_one_the_blender_process_writes(kinds):
    from hmdiff.video.blender_process import BLENDER_SUFFIXES

    assert set(kinds) & set(BLENDER_SUFFIXES) == set(arguments.BLENDER_OUTPUTS) == set(BLENDER_SUFFIXES)
