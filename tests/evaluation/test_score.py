"""The scorer: nothing wrong gives zero, a known error gives exactly that, and what is unknown is null."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hmdiff.evaluation import metrics, report, score

RNG = np.random.default_rng(5)
TRUTH = RNG.normal(size=(6, 14, 3)) * 0.4
MESH = RNG.normal(size=(6, 200, 3)) * 0.4
HIPS = metrics.LSP_HIPS


def test_truth_itself_scores_zero():
    errors = score.pose_errors(TRUTH, TRUTH, HIPS, MESH, MESH)
    assert set(errors) == {"mpjpe_mm", "pa_mpjpe_mm", "mpve_mm", "pa_mpve_mm"}
    assert all(values.shape == (6,) and values.max() < 1e-6 for values in errors.values())


def test_injected_errors_are_found():
    moved = TRUTH.copy()
    moved[:, 0] += [0.0, 0.07, 0.0]  # an ankle by 7 cm: 70 / 14
    np.testing.assert_allclose(score.pose_errors(moved, TRUTH, HIPS)["mpjpe_mm"], 5.0)
    whole = score.pose_errors(TRUTH + 0.3, TRUTH, HIPS, MESH + 0.3, MESH)
    assert max(values.max() for values in whole.values()) < 1e-6
    grown = score.pose_errors(1.1 * TRUTH, TRUTH, HIPS)
    assert grown["pa_mpjpe_mm"].max() < 1e-6 < grown["mpjpe_mm"].min()
    hips = score.pose_errors(TRUTH, TRUTH, HIPS, MESH + [0.02, 0, 0], MESH)
    np.testing.assert_allclose(hips["mpve_mm"], 20.0)  # the joints hold still: the mesh is off its own root
    assert hips["pa_mpve_mm"].max() < 1e-6


def test_best_of_n_chooses_anew_for_every_figure():
    one = {"mpjpe_mm": np.array([3.0, 9.0]), "pa_mpjpe_mm": np.array([2.0, 1.0])}
    other = {"mpjpe_mm": np.array([5.0, 4.0]), "pa_mpjpe_mm": np.array([1.0, 2.0])}
    best = score.best_errors([one, other])
    assert best["mpjpe_mm"].tolist() == [3.0, 4.0]
    assert best["pa_mpjpe_mm"].tolist() == [1.0, 1.0]


def test_acceleration_finds_a_constant_one_and_skips_gaps():
    frames = np.arange(8.0)
    joints = np.repeat(RNG.normal(size=(1, 14, 3)), 8, 0)
    shaken = joints.copy()
    shaken[:, 4:] += 0.5 * 0.003 * frames[:, None, None] ** 2 * np.array([1.0, 0, 0])  # all but ankle, knee and hips
    seen = np.ones(8, bool)
    errors = score.acceleration(shaken, joints, HIPS, seen)
    assert np.isnan(errors[[0, 7]]).all()
    np.testing.assert_allclose(errors[1:7], 3.0 * 10 / 14)
    seen[3] = False
    assert np.isnan(score.acceleration(shaken, joints, HIPS, seen)[2:5]).all()


def test_summary_gives_means_with_intervals_and_null_for_the_unknown():
    values = RNG.normal(50, 10, 400)
    found = score.summary({"mpjpe_mm": values, "other": np.full(400, np.nan)}, np.arange(400))
    low, high = found["ci95"]["mpjpe_mm"]
    assert found["mpjpe_mm"] == pytest.approx(values.mean(), abs=1e-3)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 10 / 20, rel=0.2)
    assert found["other"] is None
    assert found["ci95"]["other"] is None
    assert score.summary({"x": values}, np.zeros(400))["ci95"]["x"] is None


def test_differences_are_person_by_person():
    """Two methods whose errors move together differ by 3 with certainty, though each mean alone is vague."""
    hard = RNG.normal(80, 40, 60)
    mine = {"mpve_mm": hard + RNG.normal(3, 0.5, 60), "only_mine": hard}
    found = score.difference(mine, {"mpve_mm": hard}, np.arange(60))
    low, high = found["ci95"]["mpve_mm"]
    assert 2.7 < low < found["mpve_mm"] < high < 3.3
    assert found["lower_share"] == {"mpve_mm": 0.0} and "only_mine" not in found
    mine["mpve_mm"][:30], mine["mpve_mm"][30:40] = hard[:30] - 1, np.nan
    assert score.difference(mine, {"mpve_mm": hard}, np.arange(60))["lower_share"]["mpve_mm"] == 0.6


def test_medians_stand_beside_the_means():
    found = score.summary({"x": np.array([1.0, 2.0, 300.0, np.nan]), "y": np.full(4, np.nan)}, np.arange(4))
    assert found["median"] == {"x": 2.0, "y": None} and found["x"] == 101.0


def test_report_is_strict_json_and_a_table_with_every_group(tmp_path):
    block = score.summary({"mpjpe_mm": np.array([80.0, 90.0]), "acceleration_mm": np.full(2, np.nan)}, np.arange(2))
    result = {
        "benchmark": "made up", "estimate": block, "no_dat": None, "n_frames": 2, "notes": ["a note"],
        "cameras": {"left": {"estimate": block, "n_frames": 2}},
    }  # fmt: skip
    report.write_json(tmp_path / "new folder" / "out.json", result)
    assert json.loads((tmp_path / "new folder" / "out.json").read_text(encoding="utf-8")) == result
    text = report.markdown(result)
    assert "| estimate | 85.0 (80.0 to 90.0) | - |" in text
    assert "### left" in text
    assert "- a note" in text
    with pytest.raises(ValueError, match="not JSON compliant"):
        report.write_json(tmp_path / "bad.json", {"x": float("nan")})


def test_report_names_what_was_run():
    config = SimpleNamespace(preset="default", dat=SimpleNamespace(mode="posterior"))
    estimator = SimpleNamespace(
        loaded=SimpleNamespace(model=SimpleNamespace(config=config), card={"config": {}, "note": "trained"}),
        sampler=SimpleNamespace(hypotheses=5, steps=6), seed=3, device="cpu",
    )  # fmt: skip
    facts = report.run_facts(estimator, 0.123456)  # type: ignore[arg-type]
    weights = facts["weights"]
    assert (weights["file"], weights["note"]) == ("hmdiff_default.safetensors", "trained") and "config" not in weights
    assert len(weights["sha256"]) == 16
    assert (facts["n_hypotheses"], facts["seed"], facts["seconds_per_frame"]) == (5, 3, 0.1235)
