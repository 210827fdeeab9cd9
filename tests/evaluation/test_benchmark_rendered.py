"""`hmdiff eval rendered` on what ships: single people, the missed ones counted, and a clip."""

from __future__ import annotations

from typing import Any

import pytest
from hmdiff.evaluation import measure
from hmdiff.evaluation.benchmarks import run_benchmark
from hmdiff.evaluation.report import markdown
from hmdiff.evaluation.settings import EvalSettings


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "PENETRATION_PEOPLE", 1)
        settings = EvalSettings(
            hypotheses=2, steps=1, device="cpu", limit=3, methods=("default", "regressor", "detector_3d")
        )
        return run_benchmark("rendered", settings, lambda stage, done, total: None)


def test_people_and_those_the_detector_missed(result: dict[str, Any]):
    assert result["n_people"] == 3
    assert result["people_who_count"] > result["people_missed"] > 0
    assert result["missed_share"] == pytest.approx(result["people_missed"] / result["people_who_count"], abs=1e-3)
    assert result["ms_of_inputs_per_person"] > 0
    for name in ("default", "regressor"):
        assert 0 < result["methods"][name]["pa_mpjpe_mm"] < 400
    assert result["methods"]["detector_3d"]["limbs_pa_mpjpe_mm"] > 20


def test_clips_are_measured_over_time(result: dict[str, Any]):
    clips = result["clips"]
    assert clips["n_sequences"] >= 1 and clips["n_frames"] > 4
    for name in ("default", "regressor", "detector_3d"):
        assert clips[name]["acceleration_mm"] > 1
    assert "### Clips" in markdown(result)
