"""The cosine schedule and the DDIM walk, against closed forms and with the shipped denoiser."""

from __future__ import annotations

import math

import pytest
import torch
from hmdiff.refine.refiner import Refiner
from hmdiff.refine.schedule import cosine_alpha_bars, inversion_plan, invert, sample, sampling_plan
from torch import Tensor

BARS = cosine_alpha_bars()
NOTHING = torch.zeros(1, 0)


def gaussian(mean: float, std: float):
    """The exact noise of N(mean, std^2)."""

    def eps(x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        a = BARS[t][:, None]
        return (1 - a).sqrt() * (x - a.sqrt() * mean) / (a * std**2 + 1 - a)

    return eps


def test_schedule_is_the_cosine() -> None:
    assert len(BARS) == 1000
    assert bool((BARS[1:] < BARS[:-1]).all())
    at = [math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in (0, 51)]
    assert float(BARS[50]) == pytest.approx(at[1] / at[0], rel=1e-9)
    assert 0 < float(BARS[-1]) < 1e-6


@pytest.mark.parametrize(("tau", "dt"), [(50, 2), (100, 10), (50, 7), (1, 1)])
def test_plans_are_each_other_backwards(tau: int, dt: int) -> None:
    down, up = sampling_plan(BARS, tau, dt), inversion_plan(BARS, tau, dt)
    assert [(s.k, s.previous) for s in down] == [(s.previous, s.k) for s in up][::-1]
    assert down[0].k == tau and down[-1].previous == 0


def test_walk_is_exact_for_a_constant_noise() -> None:
    x = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    there = invert(lambda x, t, c: noise, x, NOTHING, BARS, 50, 2)
    assert (there - x).abs().max() > 0.05
    torch.testing.assert_close(sample(lambda x, t, c: noise, there, NOTHING, BARS, 50, 2), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dt", "tolerance"), [(10, 0.03), (2, 0.005)])
def test_gaussian_stays_at_its_quantile(dt: int, tolerance: float) -> None:
    mean, std, tau = 0.7, 0.3, 200
    start = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None] * std + mean
    there = invert(gaussian(mean, std), start, NOTHING, BARS, tau, dt)
    a, a0 = BARS[tau], BARS[0]
    wide, narrow = (a * std**2 + 1 - a).sqrt(), (a0 * std**2 + 1 - a0).sqrt()
    expected = a.sqrt() * mean + wide * (start - a0.sqrt() * mean) / narrow
    torch.testing.assert_close(there, expected, rtol=0, atol=tolerance)
    back = sample(gaussian(mean, std), there, NOTHING, BARS, tau, dt)
    torch.testing.assert_close(back, start, rtol=0, atol=tolerance)


def test_sampling_from_noise_gives_the_gaussian() -> None:
    start = torch.randn(4000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    drawn = sample(gaussian(-0.4, 0.2), start, NOTHING, BARS, 999, 10)
    assert float(drawn.mean()) == pytest.approx(-0.4, abs=0.02)
    assert float(drawn.std()) == pytest.approx(0.2, rel=0.06)


def test_inversion_and_sampling_return_the_estimate(refiner: Refiner, case) -> None:
    """With the shipped denoiser: what ScoreHMR does when nothing guides it. Tolerance as measured, with room."""
    assert refiner.denoiser is not None
    code = refiner.denoiser.config.code.encode_axis_angle(case.bodies.pose)
    errors = []
    for dt in (10, 2):
        there = invert(refiner.denoiser, code, case.bodies.condition, refiner.denoiser.bars, 50, dt)
        back = sample(refiner.denoiser, there, case.bodies.condition, refiner.denoiser.bars, 50, dt)
        errors.append(float((back - code).abs().mean()))
    assert errors[0] < 0.02 and errors[1] < 0.01
    assert errors[1] < errors[0]
