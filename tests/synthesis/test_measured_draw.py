"""Samples of the shipped noise have the statistics that were measured of the detector, for the same people.

``noise_reference.npz`` holds the truth of 600 people and 20 clips of the training renders, and
``docs/figures/detector_noise.json`` what the detector made of just these (``hmdiff synth measure --reference``).
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hmdiff.evaluation.metrics.joints import pa_mpjpe
from hmdiff.models.inputs import CHANNELS, GRID, HEATMAP_SLOTS
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.synthesis.measured.covariates import CLASSES, VIEWS
from hmdiff.synthesis.measured.fit_masks import wear_figures
from hmdiff.synthesis.measured.masks import wear
from hmdiff.synthesis.measured.measure import read_reference
from hmdiff.synthesis.measured.mixing import detect_clips, detect_mixed
from hmdiff.synthesis.measured.outcome import Outcome, drawn_outcome
from hmdiff.synthesis.measured.randoms import draw_randoms
from hmdiff.synthesis.measured.statistics import statistics
from hmdiff.synthesis.measured.tables import NoiseTables, load_tables
from hmdiff.synthesis.noise import SWAP, NoiseModel
from hmdiff.synthesis.people import place_people, sample_people
from hmdiff.synthesis.rasterise import draw_haunted, draw_heatmaps

FIGURES = Path(__file__).parents[2] / "docs" / "figures" / "detector_noise.json"
REFERENCE = Path(__file__).with_name("noise_reference.npz")
TIMES = 4


@pytest.fixture(scope="module")
def tables() -> NoiseTables:
    return load_tables()


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return json.loads(FIGURES.read_text("utf-8"))["reference"]


@pytest.fixture(scope="module")
def truth() -> Outcome:
    with np.load(REFERENCE, allow_pickle=False) as data:
        return read_reference(dict(data))


def _drawn(truth: Outcome, rows: np.ndarray, tables: NoiseTables) -> dict[str, Any]:
    """Statistics of TIMES readings of each of these people."""
    clips = int(truth.clip.max()) + 1
    parts = [truth[rows] for _ in range(TIMES)]
    parts = [replace(part, clip=np.where(part.clip < 0, -1, part.clip + k * clips)) for k, part in enumerate(parts)]
    joined = {f.name: _cat([getattr(part, f.name) for part in parts]) for f in fields(Outcome)}
    return statistics(drawn_outcome(Outcome(**joined), tables, torch.Generator().manual_seed(11)), pa_mpjpe)


def _cat(values: list[Any]) -> Any:
    if values[0] is None:
        return None
    return torch.cat(values) if isinstance(values[0], torch.Tensor) else np.concatenate(values)


@pytest.fixture(scope="module")
def singles(truth: Outcome, tables: NoiseTables) -> dict[str, Any]:
    return _drawn(truth, np.flatnonzero(truth.clip < 0), tables)


@pytest.fixture(scope="module")
def clips(truth: Outcome, tables: NoiseTables) -> dict[str, Any]:
    return _drawn(truth, np.flatnonzero(truth.clip >= 0), tables)


def test_the_reference_is_of_these_people(measured: dict[str, Any], truth: Outcome):
    assert (truth.clip < 0).sum() == measured["singles"]["readings"] >= 500
    assert (truth.clip >= 0).sum() == measured["clips"]["readings"] >= 200


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_confidences_and_peaks_by_class(kind: str, measured: dict[str, Any], singles: dict[str, Any]):
    wanted, drawn = measured["singles"]["by_class"][kind], singles["by_class"][kind]
    assert drawn["share"] == pytest.approx(wanted["share"], abs=1e-4)
    # quartiles and median; classes that are met seldom scatter more
    room = {"seen": 0.10, "hidden by self": 0.15, "hidden by others": 0.25, "outside": 0.30}[kind]
    assert drawn["error"][1:4] == pytest.approx(wanted["error"][1:4], rel=room)
    assert drawn["peak"][1:4] == pytest.approx(wanted["peak"][1:4], abs=0.05)
    assert drawn["confidence"][2] == pytest.approx(wanted["confidence"][2], abs=0.04 if room < 0.2 else 0.2)


def test_confidence_peak_and_width_go_with_the_error(measured: dict[str, Any], singles: dict[str, Any]):
    for name in ("log_error_and_confidence", "log_error_and_peak", "log_error_and_log_width"):
        assert singles[name] == pytest.approx(measured["singles"][name], abs=0.07), name
    assert singles["width"][1:4] == pytest.approx(measured["singles"]["width"][1:4], rel=0.1)


def test_neighbours_err_together_as_they_do(measured: dict[str, Any], singles: dict[str, Any]):
    wanted, drawn = measured["singles"]["neighbours"], singles["neighbours"]
    assert drawn["direction"] == pytest.approx(wanted["direction"], abs=0.07)
    # a little weaker: small errors are made of the mean error and chance, which know nothing of each other
    assert drawn["size"] == pytest.approx(wanted["size"], abs=0.12)
    assert drawn["size_far"] == pytest.approx(wanted["size_far"], abs=0.12)


def test_sides_are_exchanged_and_readings_lost_as_often(measured: dict[str, Any], singles: dict[str, Any]):
    wanted = measured["singles"]
    # 600 readings: a rate of 3 % is known to 0.7 %
    assert singles["lost"] == pytest.approx(wanted["lost"], abs=0.02)
    for event in ("all", "legs", "arms"):
        assert singles["swaps"][event]["all"] == pytest.approx(wanted["swaps"][event]["all"], abs=0.02)
    assert singles["swaps"]["all"]["back"] > 2 * singles["swaps"]["all"]["left"]
    assert singles["swaps"]["legs"]["left"] > 2 * singles["swaps"]["legs"]["front"]


def test_the_3d_has_the_error_that_was_measured(measured: dict[str, Any], singles: dict[str, Any]):
    wanted, drawn = measured["singles"]["world"], singles["world"]
    assert drawn["pa_mean_mm"] == pytest.approx(wanted["pa_mean_mm"], rel=0.08)
    assert drawn["mpjpe_mean_mm"] == pytest.approx(wanted["mpjpe_mean_mm"], rel=0.08)
    assert drawn["pa_mm"] == pytest.approx(wanted["pa_mm"], rel=0.12)
    assert drawn["median_error_by_axis_mm"] == pytest.approx(wanted["median_error_by_axis_mm"], rel=0.15)
    assert drawn["median_error_by_axis_mm"][2] > 1.4 * drawn["median_error_by_axis_mm"][0]
    assert drawn["depth_correlation"] == pytest.approx(wanted["depth_correlation"], abs=0.07)
    for view in VIEWS:
        assert drawn["pa_mean_by_view_mm"][view] == pytest.approx(wanted["pa_mean_by_view_mm"][view], rel=0.17)


def test_errors_stay_as_long_as_they_do(measured: dict[str, Any], clips: dict[str, Any]):
    for name in ("error", "direction", "confidence", "peak", "width"):
        drawn, wanted = clips["time"][name], measured["clips"]["time"][name]
        for place in (0, 1, 3):
            assert drawn[place] == pytest.approx(wanted[place], abs=0.15), (name, place)
        assert drawn[0] > drawn[3] > drawn[6] - 0.05


def test_noise_of_clips_keeps_its_variance_and_its_course(tables: NoiseTables):
    noise = draw_randoms(400, torch.Generator().manual_seed(0), tables, frames=12)
    for f in fields(noise):
        values = getattr(noise, f.name)
        assert values.shape[0] == 4800
        assert values.std().item() == pytest.approx(1, abs=0.04), f.name
    scores = noise.scores.unflatten(0, (400, 12))
    still = draw_randoms(400, torch.Generator().manual_seed(0), tables, frames=12, fps=240.0)
    slow = still.scores.unflatten(0, (400, 12))
    near = [(s[:, 1:] * s[:, :-1]).mean().item() for s in (scores, slow)]
    assert 0.5 < near[0] < near[1] < 1, "at 240 frames a second neighbours are nearer"


def test_masks_are_worn_as_much_as_measured(stream: SyntheticStream, tables: NoiseTables):
    figures = json.loads(FIGURES.read_text("utf-8"))["train"]
    assert figures["drawn"]["mask"]["iou"][2] == pytest.approx(figures["measured"]["mask"]["iou"][2], abs=0.03)
    mask = torch.zeros(500, GRID, GRID)
    mask[:, 8:48, 20:34] = 1
    people = sample_people(stream.setup, 500, torch.Generator().manual_seed(0))
    _, looks = detect_mixed(people, torch.Generator().manual_seed(1), NoiseModel(), tables, 1.0)
    worn = wear(mask, looks.damage)
    missing, extra = wear_figures(worn, mask)[:, :2].unbind(1)
    assert 0.6 < ((1 - missing) / (1 + extra)).median() < 0.95
    assert worn.min() >= 0 and worn.max() <= 1 and worn[:, :3].mean() < 0.03


def test_a_stream_mixes_both_noises_by_the_share_asked_for(stream: SyntheticStream, tables: NoiseTables):
    people = sample_people(stream.setup, 600, torch.Generator().manual_seed(0))
    plain, _ = detect_mixed(people, torch.Generator().manual_seed(2), NoiseModel(), None, 0.7)
    mixed, looks = detect_mixed(people, torch.Generator().manual_seed(2), NoiseModel(), tables, 0.7)
    assert looks.measured.float().mean().item() == pytest.approx(0.7, abs=0.06)
    same = (plain.landmarks_2d == mixed.landmarks_2d).all(-1).all(-1)
    assert torch.equal(same, ~looks.measured)
    inside = ((mixed.landmarks_2d > mixed.cut[:, None, :2]) & (mixed.landmarks_2d < mixed.cut[:, None, 2:])).all(-1)
    assert not mixed.confidence[looks.measured][~inside[looks.measured]].any()
    both = replace(stream, tables=tables, measured=0.5)
    one, two = (both.draw(12, torch.Generator().manual_seed(4)).inputs for _ in range(2))
    assert one.grid.shape == (12, CHANNELS, GRID, GRID)
    for f in fields(one):
        assert torch.equal(getattr(one, f.name), getattr(two, f.name)) and torch.isfinite(getattr(one, f.name)).all()


def test_clips_are_read_frame_after_frame(stream: SyntheticStream, tables: NoiseTables):
    clips, frames = 60, 8
    still = sample_people(stream.setup, clips, torch.Generator().manual_seed(0))
    rows = torch.arange(clips).repeat_interleave(frames)
    people = place_people(stream.setup, still.betas[rows], still.rotations[rows], still.pelvis[rows])
    seen, looks = detect_clips(people, frames, torch.Generator().manual_seed(1), NoiseModel(), tables)
    error = (seen.landmarks_2d - people.landmarks_2d) / seen.size[:, None, None]
    way = (error / error.norm(dim=-1, keepdim=True)).unflatten(0, (clips, frames))
    inside_clip, across = (way[:, 1:] * way[:, :-1]).sum(-1).mean(), (way[1:] * way[:-1]).sum(-1).mean()
    assert inside_clip > across + 0.3
    for flag in (seen.has_world, seen.has_mask):
        assert (flag.unflatten(0, (clips, frames)) == flag[::frames, None]).all()
    assert (seen.cut.unflatten(0, (clips, frames)) == seen.cut[::frames, None]).all()
    found = looks.found.float()
    assert 0.4 < found.mean() < 0.95
    changes = (found.unflatten(0, (clips, frames)).diff(dim=1) != 0).float().mean()
    assert changes < found.mean() * (1 - found.mean()), "a person lost stays lost for a while"


def test_the_same_seed_on_the_same_device_gives_the_same_reading(stream: SyntheticStream, tables: NoiseTables):
    people = sample_people(stream.setup, 20, torch.Generator().manual_seed(0))
    one, two = (detect_mixed(people, torch.Generator().manual_seed(3), NoiseModel(), tables, 1.0)[0] for _ in range(2))
    assert torch.equal(one.world, two.world) and torch.equal(one.landmarks_2d, two.landmarks_2d)


def test_a_heatmap_is_haunted_by_the_other_side_unless_both_are_one():
    points = torch.zeros(1, 15, 2)
    points[0, 5], points[0, 6] = torch.tensor([-0.25, 0.0]), torch.tensor([0.25, 0.0])  # wrists, half a crop apart
    points[0, 11], points[0, 12] = torch.tensor([0.0, 0.3]), torch.tensor([0.02, 0.3])  # ankles, one cell apart
    peak, width, ghost = torch.full((1, 15), 0.8), torch.full((1, 15), 1.5), torch.full((1, 15), 0.5)
    partner = [HEATMAP_SLOTS.index(SWAP[slot]) for slot in HEATMAP_SLOTS]
    centre, side, round_ = torch.zeros(1, 2), torch.ones(1), torch.zeros(1, 15)
    maps = draw_haunted(points, peak, width, centre, side, round_, ghost, partner)[0]
    plain = draw_heatmaps(points, peak, width, centre, side)[0]
    row, left, right = 28, 14, 42
    assert maps[5, row, left] == pytest.approx(plain[5, row, left].item(), abs=1e-3)
    assert maps[5, row, right] == pytest.approx(0.5 * plain[6, row, right].item(), abs=1e-3)
    assert torch.allclose(maps[11], plain[11], atol=1e-6)
