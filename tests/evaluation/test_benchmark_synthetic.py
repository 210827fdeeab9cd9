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
from hmdiff.evaluation import measure, metrics
from hmdiff.evaluation.benchmarks import BENCHMARKS, run_benchmark
from hmdiff.evaluation.mean_pose import TORSO, mean_pose, mean_pose_body, turned_mean_pose
from hmdiff.evaluation.methods import METHODS, USUAL, choose_methods
from hmdiff.evaluation.predict import read_meshes
from hmdiff.evaluation.settings import EvalSettings
from hmdiff.evaluation.sweeps import SWEEPS
from hmdiff.models.weights import load_model

SMALL = ["--hypotheses", "3", "--steps", "2", "--device", "cpu"]
NAMES = "default,no_dat,top_ranked,regressor,detector_3d,mean_pose,no_activation,medoid"


@pytest.fixture(scope="module")
def said(fake_shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    words = ["--json", str(out / "figures.json"), "--markdown", str(out / "new" / "tables.md"), "--limit", "6"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HMDIFF_SHARED", str(fake_shared))
        assert cli.main(["eval", "synthetic", "--methods", NAMES, "--sweep", "hypotheses", *words, *SMALL]) == 0
    return out


@pytest.fixture(scope="module")
def result(said: Path) -> dict[str, Any]:
    return json.loads((said / "figures.json").read_text(encoding="utf-8"))


def test_every_method_has_its_figures_with_intervals(result: dict[str, Any]):
    assert list(result["methods"]) == [name for name in METHODS if name in NAMES.split(",")]
    for name in ("default", "no_dat", "regressor", "mean_pose", "top_ranked"):
        block = result["methods"][name]
        for figure in ("mpve_mm", "mpjpe_mm", "pa_mpjpe_mm", "pa_mpve_mm", "limbs_mpjpe_mm", "error_2d_px"):
            low, high = block["ci95"][figure]
            assert 0 < low <= block[figure] <= high, (name, figure)
        assert block["pa_mpjpe_mm"] <= block["mpjpe_mm"]
        assert block["visible"]["n_people"] + block["occluded"]["n_people"] == block["n_people"] == 6
    facts = (result["n_people"], result["n_hypotheses"], result["steps"], result["seed"])
    assert facts == (6, 3, 2, 0)
    assert result["weights"]["file"] == "hmdiff_default.safetensors"
    assert "hips" in result["alignment"]


def test_methods_rank_as_they_must(result: dict[str, Any]):
    """The networks look at the person and the mean pose does not; the landmarks of the noise model are worse in 3D."""
    methods = result["methods"]
    assert methods["regressor"]["pa_mpjpe_mm"] < 0.8 * methods["mean_pose"]["pa_mpjpe_mm"]
    assert methods["default"]["mpjpe_mm"] != methods["no_dat"]["mpjpe_mm"]
    assert methods["detector_3d"]["limbs_mpjpe_mm"] > 40
    assert "mpve_mm" not in methods["detector_3d"]
    best = methods["default"]["best_mpve_mm"]
    top = methods["top_ranked"]
    assert best < top["mpve_mm"]
    assert top["mpve_mm"] - best == pytest.approx(top["over_oracle_mm"], abs=0.01)
    assert top["difference"]["mpve_mm"] == pytest.approx(top["mpve_mm"] - methods["default"]["mpve_mm"], abs=0.01)
    assert -1 <= top["rank_correlation"] <= 1 and 0 <= top["difference"]["lower_share"]["mpve_mm"] <= 1


def test_a_distribution_is_asked_whether_it_is_honest(result: dict[str, Any]):
    block = result["methods"]["default"]
    assert 0 <= block["coverage_50"] <= block["coverage_90"] <= 1
    assert block["calibrated"] == {"coverage_50": 0.5, "coverage_90": 0.75}
    assert block["energy_mm"] > block["crps_mm"] > 0
    assert block["spread_visible_mm"] > 0 and block["samples_2d_px"] > 0
    assert 0 <= block["percin"] <= 100 and block["mindist_px"] >= 0
    assert block["active_steps"] == 2 and result["methods"]["no_dat"]["active_steps"] == 0
    assert "coverage_50" not in result["methods"]["regressor"]
    assert 0 < block["f_5"] < block["f_15"] <= 1 and block["edge_mm"] > 0
    assert result["truth"]["penetration_percent"] >= 0


def test_times_are_told_by_stage(result: dict[str, Any]):
    spent = result["methods"]["default"]["ms_per_person"]
    assert list(spent) == ["regressor", "features", "u", "sampling", "mesh"] and all(v > 0 for v in spent.values())
    assert "ranking" in result["methods"]["top_ranked"]["ms_per_person"]


def test_more_hypotheses_are_the_same_and_more(result: dict[str, Any]):
    """The best of the first 25 of one draw is never worse than the best of its first 2."""
    points = result["sweeps"]["hypotheses"]["points"]
    assert list(points) == ["N=1", "N=2", "N=5", "N=10", "N=25"]
    assert "best_mpjpe_mm" not in points["N=1"]
    best = [points[name]["best_mpjpe_mm"] for name in ("N=2", "N=5", "N=10", "N=25")]
    assert best == sorted(best, reverse=True) and best[0] > best[-1]
    assert [point["settings"]["hypotheses"] for point in points.values()] == [1, 2, 5, 10, 25]


def test_tables_say_what_was_found(said: Path, result: dict[str, Any]):
    text = (said / "new" / "tables.md").read_text(encoding="utf-8")
    block = result["methods"]["no_dat"]
    low, high = block["ci95"]["mpjpe_mm"]
    assert f"{block['mpjpe_mm']:.1f} ({low:.1f} to {high:.1f})" in text
    assert "| N=25 |" in text and "| no_dat | default | " in text
    assert all(title in text for title in ("### Hypotheses", "### Surface", "### By joint", "### Time"))


def test_the_same_people_and_noise_whatever_else_is_measured(
    fake_shared: Path, result: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(measure, "PENETRATION_PEOPLE", 0)
    settings = EvalSettings(hypotheses=3, steps=2, device="cpu", limit=6, shared=fake_shared, methods=("no_dat",))
    again = run_benchmark("synthetic", settings, lambda stage, done, total: None)
    assert list(again["methods"]) == ["default", "no_dat"]  # whom it is compared with comes too
    for name in ("default", "no_dat"):
        assert again["methods"][name]["mpjpe_mm"] == result["methods"][name]["mpjpe_mm"]


def test_the_usual_methods():
    assert [one.name for one in choose_methods(["default"])] == list(USUAL)
    assert len(choose_methods(["all"])) == len(METHODS)


def test_progress_says_what_is_measured_and_how_far_it_is(fake_shared: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measure, "PENETRATION_PEOPLE", 0)
    heard: list[tuple[str, int, int]] = []
    settings = EvalSettings(
        hypotheses=2, steps=1, device="cpu", limit=2, shared=fake_shared, methods=("regressor", "mean_pose")
    )
    run_benchmark("synthetic", settings, lambda *said: heard.append(said))
    measuring = [one for one in heard if not one[0].startswith("making")]
    assert [one[0] for one in measuring] == ["default", "regressor", "mean_pose", "mean_pose"]
    assert [one[1] for one in measuring] == sorted(one[1] for one in measuring)
    assert measuring[-1][1] == measuring[-1][2] > 0


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


def test_the_mean_pose_that_ships_is_that_of_the_training_poses(shared_dir: Path):
    bundle = shared_dir / "data" / "mocap_cmu_poses.npz"
    body = load_model().body
    made = mean_pose(body, bundle)
    made[0] = torch.eye(3)
    _, joints = body(torch.zeros(1, body.n_betas), made[None])
    np.testing.assert_allclose(mean_pose_body(body)[1], (joints - joints[:, :1])[0], atol=1e-3)


def test_the_mean_pose_is_turned_onto_the_true_torso():
    loaded = load_model()
    upright = read_meshes(loaded, mean_pose_body(loaded.body)[0][None]).joints
    turn = random_rotations(3, torch.Generator().manual_seed(1))[:, 0].numpy()
    truth = np.einsum("bij,kj->bki", turn, upright[0])
    found = read_meshes(loaded, turned_mean_pose(loaded.body, truth.astype(np.float32))).joints
    assert np.linalg.norm(found - truth, axis=-1)[:, list(TORSO)].max() < 0.02
    assert metrics.pa_mpjpe(found, truth).max() < 1e-2


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (["3dpw-from-memory"], BENCHMARKS),
        (["synthetic", "--methods", "default,guess"], METHODS),
        (["synthetic", "--sweep", "everything"], SWEEPS),
    ],
)
def test_unknown_names_list_the_known(words: list[str], known: dict[str, Any], capsys: pytest.CaptureFixture[str]):
    assert cli.main(["eval", *words]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in known)


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


def test_footage_takes_no_methods(capsys: pytest.CaptureFixture[str]):
    for words in (["--methods", "all"], ["--sweep", "r"]):
        assert cli.main(["eval", "demo", *words]) == 2
        assert "--methods" in capsys.readouterr().err


def test_the_command_that_makes_the_figures_stands_in_them(result: dict[str, Any]):
    words = result["command"].split()
    assert words[:3] == ["hmdiff", "eval", "synthetic"] and "--seed" not in words
    assert words[words.index("--limit") + 1] == "6" and words[words.index("--sweep") + 1] == "hypotheses"
