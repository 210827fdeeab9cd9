"""What a run will cost, and every phase in words."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hmdiff_blender_core import cost
from hmdiff_blender_core.state import BACKEND_PHASES, JOB_PHASES, Backend, Job
from hmdiff_blender_core.words import (
    backend_words,
    job_words,
    progress_factor,
    progress_text,
)
from states import CLIP, PEOPLE, PHOTO, PROBLEM


def test_the_presets_are_the_backends() -> None:
    config = pytest.importorskip("hmdiff.models.config")
    theirs = {name: speed.hypotheses for name, speed in config.SPEEDS.items()}
    assert {name: preset.hypotheses for name, preset in cost.PRESETS.items()} == theirs


def test_the_defaults_are_the_readmes(repo: Path) -> None:
    text = (repo / "README.md").read_text(encoding="utf-8")
    speed = text[text.index("**Speed**") :]
    measured = [int(number) / 1000 for number in re.findall(r"(\d+)\s+ms", speed)[:4]]
    found = [cost.DETECTION, *(cost.PRESETS[name].seconds for name in ("preview", "default", "quality"))]
    assert measured == pytest.approx(found)


def test_estimates() -> None:
    frame, fixed = cost.DETECTION, cost.FIXED
    preview, default = cost.PRESETS["preview"].seconds, cost.PRESETS["default"].seconds
    assert cost.estimate("default", None, 300) == pytest.approx(300 * (frame + default))
    assert cost.estimate("default", 5, 300) == cost.estimate("default", 0, 300)
    assert cost.estimate("preview", 1, 100, people=2) == pytest.approx(100 * (frame + 2 * preview))
    assert cost.estimate("default", 25, 100) == pytest.approx(100 * (frame + fixed + (default - fixed) * 5))
    assert cost.estimate("default", 1, 100) < cost.estimate("default", 5, 100) < cost.estimate("quality", 5, 100) * 1.01
    assert cost.estimate("default", 5, 0) == 0 and cost.estimate("somebody's own", 5, 10) > 0


def test_what_was_measured_here_counts(tmp_path: Path) -> None:
    folder, frame = tmp_path / "not yet there", cost.DETECTION
    assert cost.load(folder) == {}
    assert cost.remember("default", 300 * (frame + 2 * 0.05), 300, 2, folder)
    assert cost.load(folder) == {"default": pytest.approx(0.05)}
    assert cost.estimate("default", 5, 100, 1, cost.load(folder)) == pytest.approx(100 * (frame + 0.05))
    assert cost.remember("default", 300 * (frame + 0.03), 300, 1, folder)
    assert cost.load(folder)["default"] == pytest.approx(0.04)


def test_a_run_with_other_hypotheses_teaches_the_same(tmp_path: Path) -> None:
    seconds = cost.estimate("default", 20, 200)
    assert cost.remember("default", seconds, 200, 1, tmp_path, hypotheses=20)
    assert cost.load(tmp_path)["default"] == pytest.approx(cost.PRESETS["default"].seconds, abs=1e-4)


def test_what_teaches_nothing(tmp_path: Path) -> None:
    for arguments in (("default", 1.0, 3, 1), ("default", 0.1, 100, 1), ("default", 9.0, 100, 0), ("other", 9, 100, 1)):
        assert not cost.remember(*arguments, tmp_path)
    (tmp_path / cost.FILE).write_text('{"default": "soon", "quality": 1e999, "preview": 0.03', encoding="utf-8")
    assert cost.load(tmp_path) == {}
    (tmp_path / cost.FILE).write_text('{"default": "soon", "quality": 1e9, "preview": 0.03}', encoding="utf-8")
    assert cost.load(tmp_path) == {"preview": 0.03}
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert not cost.remember("default", 40, 300, 1, tmp_path / "file")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, ""), (0.3, "about 1 s"), (7.4, "about 7 s"), (41, "about 40 s"), (58, "about 1 min"), (178, "about 3 min"),
     (3590, "about 1 h"), (5200, "about 1.5 h"), (86400, "about 24 h")],
)  # fmt: skip
def test_spoken(seconds: float, words: str) -> None:
    assert cost.spoken(seconds) == words


def test_progress() -> None:
    job = Job("one", CLIP, "running", stage="bodies", done=48, total=300, eta=12.0)
    assert progress_text(job) == "Bodies 48 of 300 · 10 s left" and progress_factor(job) == pytest.approx(0.16)
    assert progress_text(replace(job, eta=None)) == "Bodies 48 of 300"
    assert progress_text(replace(job, total=0, eta=None)) == "Bodies 48"
    assert progress_text(replace(job, stage="foot_lock", done=0, total=0, eta=200.0)) == "Foot lock · 3 min left"
    assert progress_text(Job("one", CLIP)) == "Running" and progress_factor(Job("one", CLIP)) == 0.0
    assert progress_text(replace(job, done=301)) == "Bodies 300 of 300 · 10 s left"


def test_every_phase_has_a_sentence_and_the_right_button() -> None:
    buttons = {
        "stopped": "start", "starting": "stop", "connecting": "stop", "ready": "stop", "stopping": "stop",
        "failed": "start", "absent": "start", "installing": "stop",
    }  # fmt: skip
    for phase in BACKEND_PHASES:
        for attached in (False, True):
            words = backend_words(Backend(phase, attached=attached))
            assert words.text.endswith(".") and words.button is not None and words.button.action == buttons[phase]
    for phase in JOB_PHASES:
        for request in (CLIP, PHOTO, PEOPLE):
            words = job_words(Job("one", request, phase, take="/takes/one"))
            assert words.text.endswith(".")
            if phase in ("waiting", "sent", "queued", "running", "cancelling"):
                assert words.button is not None and words.button.action == "cancel"
            elif phase == "importing":
                assert words.button is None
            else:
                again = request is CLIP and phase in ("cancelled", "failed")
                assert words.button is not None and words.button.action == ("resume" if again else "dismiss")
    first = job_words(None)
    assert first.button is not None and first.button.action == "run"


def test_trouble_is_said_with_its_fix() -> None:
    failed = backend_words(Backend("failed", PROBLEM))
    assert (failed.text, failed.fix, failed.alert) == (PROBLEM.message, PROBLEM.fix, True)
    broken = job_words(Job("one", CLIP, "failed", problem=PROBLEM))
    assert (broken.text, broken.fix, broken.alert) == (PROBLEM.message, PROBLEM.fix, True)
