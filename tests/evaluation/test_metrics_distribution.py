"""Hypothesis sets: oracle figures, calibration and proper scores, and the interval over clips."""

from __future__ import annotations

import numpy as np
import pytest
from hmdiff.evaluation import metrics
from scipy import stats


def draws(frames: int, count: int, spread: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(frames, 1, 2, 3))
    scale = np.array([1.0, 1.0, 4.0])
    samples = centre + spread * scale * rng.normal(size=(frames, count, 2, 3))
    truth = centre[:, 0] + scale * rng.normal(size=(frames, 2, 3))
    return samples, truth


@pytest.mark.parametrize("count", [9, 25, 99])
@pytest.mark.parametrize("level", metrics.REGIONS)
def test_calibrated_samples_reach_the_nominal_coverage(count: int, level: float):
    samples, truth = draws(6000, count)
    assert metrics.coverage(samples, truth, level) == pytest.approx(metrics.nominal_coverage(count, level), abs=0.015)
    assert metrics.nominal_coverage(count, level) == pytest.approx(level, abs=1 / (count + 1))


@pytest.mark.parametrize("level", metrics.REGIONS)
def test_the_region_of_a_gaussian_is_the_ball_that_holds_so_much(level: float):
    """Its radius is known: the quantile of the chi distribution with three degrees of freedom."""
    samples = np.random.default_rng(4).normal(size=(20_000, 1, 3))
    radius = stats.chi.ppf(level, 3)
    for direction in np.eye(3):
        assert metrics.coverage(samples, direction[None] * (radius - 0.05), level) == 1.0
        assert metrics.coverage(samples, direction[None] * (radius + 0.05), level) == 0.0


def test_coverage_tells_too_sure_from_too_wide():
    level = 0.5
    sure, truth = draws(2000, 25, spread=0.4)
    wide, _ = draws(2000, 25, spread=2.5)
    assert metrics.coverage(sure, truth, level) < 0.25
    assert metrics.coverage(wide, truth, level) > 0.75


def test_crps_matches_the_closed_form_of_a_gaussian():
    """CRPS(N(0, 1), y) = y (2 Phi(y) - 1) + 2 phi(y) - 1 / sqrt(pi) (Gneiting & Raftery 2007, eq. 21)."""
    samples = np.random.default_rng(1).normal(size=(200_000, 1, 1))
    for y in (0.0, 0.7, -2.0):
        exact = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
        assert metrics.crps(samples, np.array([[y]]))[0] == pytest.approx(1000 * exact, abs=6)


def test_energy_score_matches_the_closed_form_of_a_gaussian():
    """At its centre E|X| - E|X - X'| / 2 = (1 - 1 / sqrt 2) 2 sqrt(2 / pi) for a standard Gaussian in space."""
    samples = np.random.default_rng(6).normal(size=(3000, 1, 3))
    exact = (1 - 1 / np.sqrt(2)) * 2 * np.sqrt(2 / np.pi)
    assert metrics.energy_score(samples, np.zeros((1, 3)))[0] == pytest.approx(1000 * exact, rel=0.02)


def test_crps_and_energy_score_match_the_double_sum():
    samples, truth = draws(3, 7)
    crps, energy = metrics.crps(samples, truth), metrics.energy_score(samples, truth)
    for frame in range(3):
        for joint in range(2):
            x, y = samples[frame, :, joint], truth[frame, joint]
            pairs = x[:, None] - x[None]
            expected = np.abs(x - y).mean(0) - np.abs(pairs).sum((0, 1)) / (2 * 7 * 6)
            assert crps[frame, joint] == pytest.approx(1000 * expected.mean())
            expected = np.linalg.norm(x - y, axis=1).mean() - np.linalg.norm(pairs, axis=2).sum() / (2 * 7 * 6)
            assert energy[frame, joint] == pytest.approx(1000 * expected)


def test_energy_score_in_one_dimension_is_the_crps_and_one_sample_is_the_error():
    samples, truth = draws(5, 6)
    line, goal = samples[..., :1], truth[..., :1]
    np.testing.assert_allclose(metrics.energy_score(line, goal), metrics.crps(line, goal))
    np.testing.assert_allclose(
        metrics.energy_score(samples[:, :1], truth), 1000 * np.linalg.norm(samples[:, 0] - truth, axis=-1)
    )


@pytest.mark.parametrize("score", [metrics.crps, metrics.energy_score])
def test_scores_are_proper_and_do_not_depend_on_the_number_of_samples(score):
    right, truth = draws(8000, 10)
    few, _ = draws(8000, 3)
    means = {spread: score(draws(8000, 10, spread)[0], truth).mean() for spread in (0.3, 1.0, 3.0)}
    assert means[1.0] < means[0.3] and means[1.0] < means[3.0]
    assert score(few, truth).mean() == pytest.approx(score(right, truth).mean(), rel=0.03)


def test_best_of_n_picks_per_metric_and_may_include_the_estimate():
    errors = np.array([[3.0, 1.0, 2.0], [5.0, 6.0, 4.0]])
    assert metrics.best_of_n(errors).tolist() == [1.0, 4.0]
    assert metrics.best_of_n(errors, [0.5, 9.0]).tolist() == [0.5, 4.0]


def test_spread_of_two_points():
    samples = np.zeros((2, 1, 3))
    samples[1, 0, 2] = 0.2
    assert metrics.spread_mm(samples) == pytest.approx([100.0])


def test_spread_of_what_is_seen_and_of_what_is_not():
    samples = np.zeros((2, 2, 3, 3))
    samples[:, 1, :, 0] = [0.02, 0.08, 0.4]
    visible = np.array([[True, False, False], [True, True, True]])
    seen, unseen = metrics.spread_by_visibility(samples, visible)
    np.testing.assert_allclose(seen, [10.0, (10 + 40 + 200) / 3])
    np.testing.assert_allclose(unseen, [120.0, np.nan])
    _, hidden = metrics.spread_by_visibility(samples, visible, [[False, True, False], [False] * 3])
    np.testing.assert_allclose(hidden, [40.0, np.nan])  # the last joint lies outside the picture


def test_interval_over_clips_is_wider_than_over_frames():
    rng = np.random.default_rng(5)
    clips = np.repeat(np.arange(20), 50)
    values = 60 + np.repeat(rng.normal(0, 10, 20), 50) + rng.normal(0, 1, 1000)
    by_clip = metrics.clip_interval(values, clips)
    by_frame = metrics.clip_interval(values, np.arange(1000))
    assert by_clip.mean == pytest.approx(values.mean())
    assert by_clip.low < by_clip.mean < by_clip.high
    width = by_clip.high - by_clip.low
    assert width > 3 * (by_frame.high - by_frame.low)
    assert width == pytest.approx(2 * 1.96 * 10 / np.sqrt(20), rel=0.4)
    assert by_clip.n_clips == 20
    assert metrics.clip_interval(values, clips) == by_clip


def test_interval_holds_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    clips = np.repeat(np.arange(25), 4)
    hits = 0
    for trial in range(200):
        interval = metrics.clip_interval(np.repeat(rng.normal(0, 1, 25), 4), clips, draws=400, seed=trial)
        hits += interval.low <= 0 <= interval.high
    assert 0.87 <= hits / 200 <= 0.99


def test_interval_of_one_clip_claims_nothing():
    interval = metrics.clip_interval([1.0, 2.0, np.nan], ["a", "a", "b"])
    assert (interval.mean, interval.low, interval.high) == (1.5, float("-inf"), float("inf"))
    assert np.isnan(metrics.clip_interval([np.nan], ["a"]).mean)
