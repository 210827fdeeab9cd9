"""Accelerated reverse steps: Eq. 6 (A2), the supplement's sigma with its index mended (A3)."""

from __future__ import annotations

import pytest
import torch
from hmdiff.diffusion.ddim import Step, ddim_step, step_plan
from hmdiff.diffusion.schedule import ScheduleConfig, add_noise, alpha_bars


@pytest.fixture(scope="module")
def bars() -> torch.Tensor:
    return alpha_bars(ScheduleConfig())


def test_a3_forty_steps_of_five_end_at_zero(bars: torch.Tensor):
    plan = step_plan(bars, 40, 0.8)
    assert [step.k for step in plan] == list(range(200, 0, -5))
    assert [step.previous for step in plan] == list(range(195, -1, -5))
    assert plan[-1].alpha_bar_previous == 1


def test_a3_sigma_looks_to_the_lower_step_and_is_zero_at_the_last(bars: torch.Tensor):
    plan = step_plan(bars, 40, 0.8)
    for step in plan:
        a, b = bars[step.k].item(), bars[step.k - 5].item()
        assert step.sigma == pytest.approx(0.8 * ((1 - a / b) * (1 - b) / (1 - a)) ** 0.5, rel=1e-12)
    assert plan[-1].sigma == 0
    assert all(step.sigma > 0 for step in plan[:-1])


def test_a3_the_printed_index_would_need_the_root_of_a_negative_number(bars: torch.Tensor):
    for k in range(5, 200, 5):
        printed = (1 - bars[k] / bars[k + 5]) * (1 - bars[k + 5]) / (1 - bars[k])
        assert printed < 0


@pytest.mark.parametrize("steps", [1, 4, 6, 10, 200])
def test_any_number_of_steps_runs_down_without_repeats(bars: torch.Tensor, steps: int):
    plan = step_plan(bars, steps, 0.8)
    marks = [step.k for step in plan] + [plan[-1].previous]
    assert len(plan) == steps and marks[0] == 200 and marks[-1] == 0
    assert all(a > b for a, b in zip(marks[:-1], marks[1:], strict=True))


def test_eta_zero_is_deterministic_and_eta_one_is_ddpm(bars: torch.Tensor):
    assert all(step.sigma == 0 for step in step_plan(bars, 200, 0.0))
    for step in step_plan(bars, 200, 1.0):
        a, b = bars[step.k].item(), bars[step.k - 1].item()
        assert step.sigma == pytest.approx(((1 - b) / (1 - a)) ** 0.5 * (1 - a / b) ** 0.5, rel=1e-9)


def test_a2_g_stands_outside_the_root():
    step = Step(k=10, previous=5, alpha_bar=0.5, alpha_bar_previous=0.64, sigma=0.36)
    clean, epsilon, noise = (torch.full((1, 2, 3), value, dtype=torch.float64) for value in (0.3, -1.7, 0.9))
    expected = 0.8 * 0.3 + (1 - 0.64 - 0.36**2) ** 0.5 * -1.7 + 0.36 * 0.9
    assert torch.allclose(ddim_step(clean, epsilon, step, noise), torch.full((1, 2, 3), expected).double())
    inside = 1 - 0.64 - 0.36**2 * -1.7
    assert abs(expected - (0.8 * 0.3 + inside**0.5 + 0.36 * 0.9)) > 1


def test_the_last_step_returns_the_clean_estimate_and_adds_no_noise(bars: torch.Tensor):
    last = step_plan(bars, 10, 0.8)[-1]
    clean = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ddim_step(clean, torch.ones_like(clean), last, 100 * torch.ones_like(clean)), clean)


@pytest.mark.parametrize("eta", [0.0, 0.8, 1.0])
def test_an_exact_denoiser_lands_on_the_data_distribution(bars: torch.Tensor, eta: float):
    """Data N(0.4, 0.3^2), for which E[h_0 | h_k] is known: the chain must end with that mean and spread."""
    generator = torch.Generator().manual_seed(5)
    mean, variance, count = 0.4, 0.09, 20_000
    truth = mean + 0.3 * torch.randn(count, generator=generator, dtype=torch.float64)
    h = add_noise(truth, torch.randn(count, generator=generator, dtype=torch.float64), bars[200])
    for step in step_plan(bars, 40, eta):
        a = bars[step.k]
        clean = mean + a.sqrt() * variance / (a * variance + 1 - a) * (h - a.sqrt() * mean)
        epsilon = (h - a.sqrt() * clean) / (1 - a).sqrt()
        h = ddim_step(clean, epsilon, step, torch.randn(count, generator=generator, dtype=torch.float64))
    assert h.mean().item() == pytest.approx(mean, abs=0.01)
    assert h.std().item() == pytest.approx(0.3, rel=0.12)


def test_a4_starting_at_pure_noise_misses_the_data_and_the_matched_start_does_not(bars: torch.Tensor):
    generator = torch.Generator().manual_seed(6)
    mean, variance, count = 0.9, 0.25, 20_000
    noise = torch.randn(count, generator=generator, dtype=torch.float64)
    ends = {}
    for name, h in (("noise", noise), ("matched", add_noise(torch.full_like(noise, mean), noise, bars[200]))):
        for step in step_plan(bars, 40, 0.8):
            a = bars[step.k]
            clean = mean + a.sqrt() * variance / (a * variance + 1 - a) * (h - a.sqrt() * mean)
            epsilon = (h - a.sqrt() * clean) / (1 - a).sqrt()
            h = ddim_step(clean, epsilon, step, torch.randn(count, generator=generator, dtype=torch.float64))
        ends[name] = abs(h.mean().item() - mean)
    assert ends["matched"] < 0.015 and ends["noise"] > 0.04
