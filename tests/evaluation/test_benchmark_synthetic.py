"""`hmdiff eval synthetic` through the shipped weights, on a handful of people in random poses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hmdiff import cli
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import matrix_to_axis_angle
from hmdiff.evaluation.benchmarks import BENCHMARKS, run_benchmark, synthetic
from hmdiff.evaluation.mean_pose import mean_pose
from hmdiff.evaluation.predict import read_meshes
from hmdiff.evaluation.settings import EvalSettings
from hmdiff.models.weights import load_model
from hmdiff.training.assemble import Assembly, make_stream

SMALL = ["--hypotheses", "3", "--steps", "2", "--device", "cpu"]


@pytest.fixture(scope="module")
def fake_shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `shared` folder whose mocap bundle holds random poses: half training, half test."""
    folder = tmp_path_factory.mktemp("shared folder")
    (folder / "data").mkdir()
    poses = matrix_to_axis_angle(random_rotations(80, torch.Generator().manual_seed(0))).numpy()
    np.savez(
        folder / "data" / "mocap_cmu_poses.npz",
        poses=poses.astype(np.float16), pose_split=np.arange(80) % 2, pose_cluster=np.arange(80) // 8,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def result(fake_shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("out") / "figures.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HMDIFF_SHARED", str(fake_shared))
        assert cli.main(["eval", "synthetic", "--json", str(out), "--limit", "6", *SMALL]) == 0
    return json.loads(out.read_text(encoding="utf-8"))


def test_every_block_is_there_with_intervals(result: dict[str, Any]):
    for name in ("estimate", "best_of_n", "no_dat", "regressor", "mean_pose"):
        block = result[name]
        for figure in ("mpve_mm", "mpjpe_mm", "pa_mpjpe_mm", "pa_mpve_mm"):
            low, high = block["ci95"][figure]
            assert 0 < low <= block[figure] <= high, (name, figure)
        assert block["pa_mpjpe_mm"] <= block["mpjpe_mm"]
    assert (result["n_frames"], result["n_hypotheses"], result["steps"], result["seed"]) == (6, 3, 2, 0)
    assert result["weights"]["file"] == "hmdiff_default.safetensors"
    assert result["seconds_per_frame"] > 0
    assert "hips" in result["alignment"]


def test_methods_rank_as_they_must(result: dict[str, Any]):
    """The networks look at the person and the mean pose does not; the landmarks of the noise model are worse in 3D."""
    assert result["regressor"]["pa_mpjpe_mm"] < 0.8 * result["mean_pose"]["pa_mpjpe_mm"]
    assert result["estimate"]["mpjpe_mm"] != result["no_dat"]["mpjpe_mm"]
    limbs = result["limbs12"]
    assert limbs["detector_3d"]["mpjpe_mm"] > 40
    assert result["detector_3d"]["mpjpe_mm"] == limbs["detector_3d"]["mpjpe_mm"]
    coverage = result["distribution"]["coverage"]
    assert set(coverage) == {"50%", "90%"}
    assert result["distribution"]["energy_score_mm"] > 0


def test_the_same_people_and_noise_whatever_the_limit(fake_shared: Path, result: dict[str, Any]):
    settings = EvalSettings(hypotheses=3, steps=2, device="cpu", limit=6, shared=fake_shared)
    again = run_benchmark("synthetic", settings, lambda stage, done, total: None)
    for name in ("estimate", "best_of_n", "detector_3d"):
        assert again[name]["mpjpe_mm"] == result[name]["mpjpe_mm"]


def test_truth_scores_zero_and_its_joints_are_read_back(fake_shared: Path):
    loaded = load_model()
    bundle = fake_shared / "data" / "mocap_cmu_poses.npz"
    parts = Assembly(loaded.body, loaded.hierarchy, loaded.maps)
    batch = make_stream(parts, bundle, "test", "cpu", heatmaps=False).draw(4, torch.Generator().manual_seed(2))
    truth = synthetic.truth_meshes(loaded, batch.people)
    assert max(values.max() for values in synthetic.errors_of(truth, truth).values()) < 1e-3
    read = read_meshes(loaded, torch.from_numpy(truth.vertices))
    errors = synthetic.errors_of(read, truth)
    assert errors["mpjpe_mm"].max() < 15  # f itself: how well 431 vertices tell the skeleton's joints
    assert errors["pa_mpve_mm"].max() < 1e-3
    np.testing.assert_allclose(read.landmarks, truth.landmarks, atol=2e-3)


def test_mean_pose_of_one_pose_is_that_pose(tmp_path: Path):
    loaded = load_model()
    pose = matrix_to_axis_angle(random_rotations(1, torch.Generator().manual_seed(4))).numpy()
    np.savez(
        tmp_path / "one.npz", poses=np.repeat(pose, 5, 0), pose_split=np.zeros(5), pose_cluster=np.zeros(5),
    )  # fmt: skip
    mean = mean_pose(loaded.body, tmp_path / "one.npz")
    shown = [joint for joint in range(1, 24) if joint not in (13, 14, 16, 17)]  # the collars are corrected
    back = matrix_to_axis_angle(mean).numpy()
    np.testing.assert_allclose(back[shown], pose[0, shown], atol=1e-3)


def test_unknown_benchmark_lists_the_known(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["eval", "3dpw-from-memory"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in BENCHMARKS)


@pytest.mark.parametrize("name", ["synthetic", "samples"])
def test_missing_data_is_a_sentence_with_a_fix(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("HMDIFF_SHARED", str(tmp_path / "nowhere"))
    assert cli.main(["eval", name]) == 2
    said = capsys.readouterr().err
    assert "nowhere" in said
    assert "HMDIFF_SHARED" in said
    assert "Traceback" not in said
