"""The noise model from a table whose errors are known: what was put in comes out again."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch
from hmdiff.evaluation.metrics.joints import pa_mpjpe
from hmdiff.models.inputs import GRID, HEATMAP_SLOTS
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.synthesis.measured import calibrate, fit_masks
from hmdiff.synthesis.measured.covariates import BACK, FRONT, covariates, facing, hip_centred, view_of
from hmdiff.synthesis.measured.fit import Fit, fit
from hmdiff.synthesis.measured.gather import MASK_FIGURES, Everybody, Readings, Table
from hmdiff.synthesis.measured.maps import heat_shapes, mask_shape
from hmdiff.synthesis.measured.outcome import drawn_outcome, measured_outcome
from hmdiff.synthesis.measured.statistics import statistics
from hmdiff.synthesis.measured.swaps import ALL, LEGS_ONLY, NONE, permutation, recognise
from hmdiff.synthesis.measured.timing import LAGS, course, event_correlations, fit_course
from hmdiff.synthesis.noise import LIMBS, self_occluded
from hmdiff.synthesis.people import sample_people
from hmdiff.synthesis.rasterise import draw_heatmaps

SINGLES, CLIPS, FRAMES = 900, 40, 10
GOOD, HIDDEN, STAYS, SHRUNK, WORLD_STD, SWAPPED = 0.008, 0.03, 0.8, 0.9, 0.03, 0.08


@pytest.fixture(scope="module")
def table(stream: SyntheticStream) -> Table:
    """Errors of 0.8 % (seen) or 3 % (hidden by oneself) per axis, half of their variance shared along a limb and AR(1)
    of 0.8 in clips; confidence falls with them; 3D 10 % too small with 30 mm noise; sides exchanged in 8 %; masks a
    cell too large in half of the people.
    """
    rng, count = np.random.default_rng(0), SINGLES + CLIPS * FRAMES
    people = sample_people(stream.setup, SINGLES + CLIPS, torch.Generator().manual_seed(3))
    row = np.concatenate([np.arange(SINGLES), np.repeat(np.arange(SINGLES, SINGLES + CLIPS), FRAMES)])
    clip = np.concatenate([np.full(SINGLES, -1), np.repeat(np.arange(CLIPS), FRAMES)])
    frame = np.concatenate([np.zeros(SINGLES, int), np.tile(np.arange(FRAMES), CLIPS)])
    landmarks = (people.landmarks + people.pelvis[:, None])[row]
    truth = 1000 * people.landmarks_2d[row].numpy()
    size = np.ptp(truth, axis=1).max(-1)
    classes = self_occluded(people)[row].numpy().astype(np.uint8)
    white = rng.normal(size=(count, 33, 2))
    shared = rng.normal(size=(count, 5, 2))
    group = np.full(33, 4)
    for k, limb in enumerate(LIMBS):
        group[list(limb)] = k
    white = np.sqrt(0.5) * (white + shared[:, group])
    for k in range(SINGLES, count):
        if frame[k]:
            white[k] = STAYS * white[k - 1] + np.sqrt(1 - STAYS**2) * white[k]
    error = white * np.where(classes == 1, HIDDEN, GOOD)[..., None]
    seen = truth + error * size[:, None, None]
    confidence = np.clip(1 - 6 * np.linalg.norm(error, axis=-1) + rng.normal(0, 0.03, (count, 33)), 0.02, 1)
    world = SHRUNK * hip_centred(landmarks).numpy() + rng.normal(0, WORLD_STD, (count, 33, 3))
    swapped = np.flatnonzero(np.where(clip < 0, rng.random(count), 1) < SWAPPED)
    order = permutation(ALL).numpy()
    for value in (seen, confidence, world):
        value[swapped] = value[swapped][:, order]
    true_mask = np.zeros((GRID, GRID), bool)
    true_mask[10:46, 20:34] = True
    large = np.pad(true_mask, 1)[:-2, 1:-1] | np.pad(true_mask, 1)[2:, 1:-1] | true_mask
    masks = [large if k % 2 else true_mask for k in range(count)]
    shapes = [mask_shape(0.02 + 0.96 * mask.astype(np.float32), true_mask) for mask in masks]
    figures = np.array([[getattr(shape, name) for name in MASK_FIGURES] for shape in shapes], np.float32)
    side = 1.25 * size
    hips = landmarks[:, 23:25].mean(1)
    kinds = torch.from_numpy(classes.astype(np.int64))
    cov = covariates(landmarks, hips, kinds).numpy()
    heat = len(HEATMAP_SLOTS)
    readings = Readings(
        landmarks=landmarks.numpy(), truth_2d=truth, seen_2d=seen.astype(np.float32), size=size,
        metre=(1000 / hips[:, 2]).numpy(), beyond=np.zeros((count, 33, 2), np.float32), classes=classes,
        inside=np.ones((count, 33), bool), confidence=confidence.astype(np.float32),
        peak=(0.8 * confidence).astype(np.float32), z=world[..., 2].astype(np.float32), world=world.astype(np.float32),
        centre=np.zeros((count, 2), np.float32), side=side.astype(np.float32),
        peak_at=seen[:, list(HEATMAP_SLOTS)].astype(np.float32) + (0.3 * side / GRID)[:, None, None],
        width=(2 * np.exp(rng.normal(0, 0.2, (count, heat)))).astype(np.float32),
        aspect=np.zeros((count, heat), np.float32), ghost=np.full((count, heat), 0.2, np.float32), mask_own=figures,
        mask_drawn=figures, drawn=np.tile(np.packbits(true_mask.ravel()), (count, 1)),
        read=np.stack([np.packbits(mask.ravel()) for mask in masks]), person=np.arange(count),
    )  # fmt: skip
    readings = Readings(*(np.ascontiguousarray(getattr(readings, f.name)) for f in fields(Readings)))
    everybody = Everybody(
        np.ones(count, bool),
        size,
        np.zeros(count),
        np.zeros(count),
        facing(landmarks, hips).numpy(),
        np.zeros(count),
        cov,
        clip,
        frame,
    )
    return Table(everybody, readings, count, 0, 30.0)


@pytest.fixture(scope="module")
def fitted(table: Table) -> Fit:
    return fit(table, pa_mpjpe)


@pytest.fixture(scope="module")
def figures(table: Table, fitted: Fit) -> dict:
    """Of what is drawn for the same people."""
    drawn = drawn_outcome(
        measured_outcome(table), fitted.tables, torch.Generator().manual_seed(5), table.readings.drawn
    )
    return statistics(drawn, pa_mpjpe)


def test_errors_have_the_size_they_were_given(figures: dict):
    # the median of a Rayleigh distribution is 1.177 times the standard deviation per axis
    assert figures["by_class"]["seen"]["error"][2] == pytest.approx(1.177 * GOOD, rel=0.06)
    assert figures["by_class"]["hidden by self"]["error"][2] == pytest.approx(1.177 * HIDDEN, rel=0.08)
    # and nine of ten lie within 2.146
    assert figures["by_class"]["seen"]["error"][4] == pytest.approx(2.146 * GOOD, rel=0.08)


def test_confidence_goes_with_the_error(table: Table, figures: dict):
    measured = statistics(measured_outcome(table), pa_mpjpe)
    assert measured["log_error_and_confidence"] < -0.6
    assert figures["log_error_and_confidence"] == pytest.approx(measured["log_error_and_confidence"], abs=0.06)
    for name in ("seen", "hidden by self"):
        drawn, wanted = figures["by_class"][name]["confidence"], measured["by_class"][name]["confidence"]
        assert drawn == pytest.approx(wanted, abs=0.03)


def test_neighbours_err_together_and_others_do_not(table: Table, figures: dict):
    measured = statistics(measured_outcome(table), pa_mpjpe)
    for name, room in (("size", 0.1), ("direction", 0.06), ("size_far", 0.08), ("direction_far", 0.06)):
        assert figures["neighbours"][name] == pytest.approx(measured["neighbours"][name], abs=room)
    assert figures["neighbours"]["direction"] > figures["neighbours"]["direction_far"] + 0.2


def test_exchanged_sides_are_recognised_and_come_as_often(table: Table, figures: dict):
    measured = statistics(measured_outcome(table), pa_mpjpe)
    share = SWAPPED * SINGLES / (SINGLES + CLIPS * FRAMES)
    assert measured["swaps"]["all"]["all"] == pytest.approx(share, abs=0.012)
    assert figures["swaps"]["all"]["all"] == pytest.approx(share, abs=0.02)
    assert figures["swaps"]["legs"]["all"] < 0.01 and figures["lost"] < 0.02


def test_the_3d_is_as_wrong_and_as_small_as_it_was(table: Table, fitted: Fit, figures: dict):
    measured = statistics(measured_outcome(table), pa_mpjpe)
    assert figures["world"]["pa_mean_mm"] == pytest.approx(measured["world"]["pa_mean_mm"], rel=0.08)
    # the mean error hangs on how many sides happen to be exchanged; the median by axis does not
    for drawn, wanted in zip(*(one["world"]["median_error_by_axis_mm"] for one in (figures, measured)), strict=True):
        assert drawn == pytest.approx(wanted, rel=0.1)
    assert figures["world"]["extent_by_axis"] == pytest.approx(measured["world"]["extent_by_axis"], abs=0.04)
    front = fitted.figures["world_maps"]["front"]
    assert front["residual_mm"] < 1.3 * 1000 * WORLD_STD * 3**0.5


def test_errors_stay_in_time_as_long_as_they_did(table: Table, figures: dict):
    measured = statistics(measured_outcome(table), pa_mpjpe)
    for name in ("error", "direction", "confidence"):
        drawn, wanted = figures["time"][name], measured["time"][name]
        for lag in (0, 1, 3):
            assert drawn[lag] == pytest.approx(wanted[lag], abs=0.09), (name, LAGS[lag])
    assert figures["time"]["direction"][0] > 0.5 and figures["time"]["direction"][4] < 0.45


def test_masks_lose_and_win_what_they_did(table: Table, figures: dict):
    measured = statistics(measured_outcome(table), pa_mpjpe)
    assert figures["mask"]["iou"][2] == pytest.approx(measured["mask"]["iou"][2], abs=0.06)


def test_the_same_table_and_seed_give_the_same_model(table: Table, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fit_masks, "PEOPLE", 12)
    monkeypatch.setattr(fit_masks, "ROUNDS", 1)
    monkeypatch.setattr(calibrate, "ROUNDS", 2)
    small = _first(table, 120)
    one, two = fit(small, pa_mpjpe).tables, fit(small, pa_mpjpe).tables
    assert all(torch.equal(getattr(one, f.name), getattr(two, f.name)) for f in fields(one) if f.name != "meta")
    assert all(torch.isfinite(getattr(one, f.name)).all() for f in fields(one) if f.name != "meta")


def _first(table: Table, count: int) -> Table:
    return Table(
        Everybody(*(getattr(table.everybody, f.name)[:count] for f in fields(Everybody))),
        Readings(*(getattr(table.readings, f.name)[:count] for f in fields(Readings))), count, 0, 30.0,
    )  # fmt: skip


def test_events_are_told_apart(stream: SyntheticStream):
    people = sample_people(stream.setup, 300, torch.Generator().manual_seed(2))
    truth, size = people.landmarks_2d, (people.landmarks_2d.amax(1) - people.landmarks_2d.amin(1)).amax(1)
    classes = torch.zeros(300, 33, dtype=torch.long)
    for event in (NONE, LEGS_ONLY, ALL):
        seen = truth[:, permutation(event)] + 0.004 * size[:, None, None] * torch.randn(300, 33, 2)
        found, clear = recognise(seen, truth, size, classes)
        judged = clear[:, 2] if event == LEGS_ONLY else clear[:, 0] & clear[:, 1]
        assert judged.sum() > 100
        assert (found[judged] == event).float().mean() > 0.97
    hidden = torch.full_like(classes, 2)
    assert not recognise(truth[:, permutation(ALL)], truth, size, hidden)[1].any()


def test_the_view_is_the_side_that_shows():
    body = torch.zeros(1, 33, 3)
    body[:, 11], body[:, 12] = torch.tensor([0.2, -0.5, 0.0]), torch.tensor([-0.2, -0.5, 0.0])
    body[:, 23], body[:, 24] = torch.tensor([0.1, 0.0, 0.0]), torch.tensor([-0.1, 0.0, 0.0])
    ahead = torch.tensor([[0.0, 0.0, 4.0]])
    # image x points right, so one who faces the camera has the left side at positive x
    assert view_of(facing(body, ahead)).item() == FRONT
    assert view_of(facing(body * torch.tensor([-1.0, 1.0, 1.0]), ahead)).item() == BACK
    upright = covariates(body, ahead, torch.zeros(1, 33, dtype=torch.long))[0]
    assert upright[0] == pytest.approx(1) and upright[2] == pytest.approx(1) and not upright[4:].any()


def test_heatmaps_are_measured_as_they_were_painted():
    points = torch.full((1, 15, 2), 0.0)
    points[0, :, 0], points[0, :, 1] = torch.linspace(-0.3, 0.3, 15), 0.1
    centre, side = torch.zeros(1, 2), torch.ones(1)
    width, peak = torch.linspace(1.2, 4.0, 15)[None], torch.full((1, 15), 0.8)
    aspect = torch.linspace(-0.3, 0.3, 15)[None]
    maps = draw_heatmaps(points, peak, width, centre, side, aspect)[0].numpy()
    cells = (points[0].numpy() + 0.5) * GRID
    shape = heat_shapes(maps, cells)
    np.testing.assert_allclose(shape.width, width[0], rtol=0.12)
    np.testing.assert_allclose(shape.peak_at, cells, atol=0.15)
    assert np.corrcoef(shape.aspect, aspect[0])[0, 1] > 0.97


def test_courses_are_fitted_and_events_correlate_as_their_normals_do():
    lags = np.array(LAGS)
    wanted = course(0.3, 0.6, 0.9, 0.2, lags)
    share, slow_share, slow, quick = fit_course(wanted)
    np.testing.assert_allclose(course(share, slow_share / (1 - share), slow, quick, lags), wanted, atol=0.01)
    rng = np.random.default_rng(0)
    state = [rng.normal(size=4000)]
    for _ in range(9):
        state.append(0.8 * state[-1] + 0.6 * rng.normal(size=4000))
    hit = (np.stack(state, 1) < -1.3).ravel()
    clip, frame = np.repeat(np.arange(4000), 10), np.tile(np.arange(10), 4000)
    found = event_correlations(hit, clip, frame)
    np.testing.assert_allclose(found[:4], 0.8 ** np.array(LAGS[:4]), atol=0.05)
