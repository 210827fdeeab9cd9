"""The loop: it learns, it counts over sessions, it continues where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hmdiff.models.regressor import Regressor
from hmdiff.synthesis.batch import Batch, SyntheticStream
from hmdiff.training.loop import LoopConfig, run_loop
from hmdiff.training.regressor_task import RegressorTask, camera_target
from safetensors import safe_open

CONFIG = LoopConfig(minutes=5, steps=4, batch=16, learning_rate=2e-3, warmup=5, bfloat16=False)


@pytest.fixture(scope="module")
def quick(stream: SyntheticStream) -> SyntheticStream:
    return replace(stream, heatmaps=False)


@pytest.fixture
def make_task(make_regressor: Callable[[], Regressor], quick: SyntheticStream) -> Callable[[], RegressorTask]:
    held_out = quick.draw(24, torch.Generator().manual_seed(7))
    return lambda: RegressorTask(make_regressor(), quick, held_out)


def _rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "regressor.jsonl").read_text(encoding="utf-8").splitlines()]


def _progress(folder: Path) -> dict:
    with safe_open(folder / "regressor.safetensors", framework="pt") as stored:
        steps = {float(stored.get_tensor(key)) for key in stored.keys() if key.startswith("adam.step.")}
        return {**json.loads(stored.metadata()["progress"]), "adam": steps}


def test_a_few_steps_bring_the_loss_down(
    make_task: Callable[[], RegressorTask], quick: SyntheticStream, tmp_path: Path
):
    task = make_task()
    with torch.no_grad():
        before = task.validate(task.module)
    after = run_loop(task, quick, tmp_path, replace(CONFIG, steps=80), say=lambda _: None)
    assert after["mpve_mm"] < 0.92 * before["mpve_mm"] and after["nll"] < before["nll"]
    assert _rows(tmp_path)[-1]["held_out"]["mpve_mm"] == pytest.approx(after["mpve_mm"], abs=0.01)
    with torch.no_grad():
        assert task.validate(task.module)["mpve_mm"] == pytest.approx(after["mpve_mm"], rel=1e-5)


def test_a_second_session_continues_the_first(
    make_task: Callable[[], RegressorTask], quick: SyntheticStream, tmp_path: Path
):
    said: list[str] = []
    run_loop(make_task(), quick, tmp_path, CONFIG, say=said.append)
    first = _progress(tmp_path)
    assert (first["steps"], first["samples"], first["adam"]) == (4, 64, {4.0})
    run_loop(make_task(), quick, tmp_path, replace(CONFIG, steps=3, batch=8), say=said.append)
    second = _progress(tmp_path)
    assert (second["steps"], second["samples"], second["adam"]) == (7, 88, {7.0})
    assert second["seconds"] > first["seconds"] > 0
    assert [row["step"] for row in _rows(tmp_path)] == [4, 7] and _rows(tmp_path)[1]["samples"] == 88
    assert any("resuming at step 4" in line for line in said)


def test_the_same_seed_trains_the_same_network(
    make_task: Callable[[], RegressorTask], quick: SyntheticStream, tmp_path: Path
):
    results = [run_loop(make_task(), quick, tmp_path / name, CONFIG, say=lambda _: None) for name in ("a", "b")]
    assert results[0] == results[1]
    other = run_loop(make_task(), quick, tmp_path / "c", replace(CONFIG, seed=1), say=lambda _: None)
    assert other != results[0]


def test_an_exhausted_budget_trains_nothing_and_reports(
    make_task: Callable[[], RegressorTask], quick: SyntheticStream, tmp_path: Path
):
    result = run_loop(make_task(), quick, tmp_path, replace(CONFIG, minutes=0.0), say=lambda _: None)
    assert _progress(tmp_path)["steps"] == 0 and result["mpve_mm"] > 0


def test_camera_target_places_the_pelvis_in_the_crop(batch: Batch):
    """From the target and the crop the pelvis' position comes back."""
    target, people = camera_target(batch), batch.people
    depth = target[:, 2].exp() / batch.side
    inside = target[:, :2].abs().amax(1) < 3
    place = (batch.centre + target[:, :2] * batch.side[:, None] / 2) * depth[:, None]
    assert torch.allclose(depth, people.pelvis[:, 2], rtol=1e-4)
    assert torch.allclose(place[inside], people.pelvis[inside, :2], atol=1e-3) and inside.any()
