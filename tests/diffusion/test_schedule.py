"""The forward process: the supplement's numbers, Eq. 4, and what a network may be asked to predict (A1, A4, A15)."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hmdiff.diffusion.schedule import (
    Prediction,
    ScheduleConfig,
    add_noise,
    alpha_bars,
    to_epsilon,
    to_x0,
    training_target,
)

PREDICTIONS = get_args(Prediction)


@pytest.fixture(scope="module")
def bars() -> torch.Tensor:
    return alpha_bars(ScheduleConfig())


def test_schedule_has_the_supplements_numbers(bars: torch.Tensor):
    betas = [1e-4 + (2e-2 - 1e-4) * i / 199 for i in range(200)]
    product = 1.0
    for k, beta in enumerate(betas, start=1):
        product *= 1 - beta
        assert bars[k].item() == pytest.approx(product, rel=1e-12)
    assert len(bars) == 201 and bars[0] == 1


def test_a4_the_last_alpha_is_far_from_zero(bars: torch.Tensor):
    assert bars[200].item() == pytest.approx(0.1322, abs=5e-5)
    assert bars[200].sqrt().item() == pytest.approx(0.364, abs=5e-4)


def test_a4_zero_snr_ends_at_zero_and_keeps_the_rest_in_order(bars: torch.Tensor):
    rescaled = alpha_bars(ScheduleConfig(terminal="zero_snr"))
    assert rescaled[200] == 0 and rescaled[0] == 1
    assert (rescaled.diff() < 0).all()
    assert (rescaled[1:] < bars[1:]).all()


def test_add_noise_has_the_marginal_of_eq_4(bars: torch.Tensor):
    generator = torch.Generator().manual_seed(0)
    clean = torch.full((40_000,), 0.7, dtype=torch.float64)
    for k in (1, 60, 200):
        noisy = add_noise(clean, torch.randn(clean.shape, generator=generator, dtype=torch.float64), bars[k])
        spread = (1 - bars[k]).sqrt().item()
        assert noisy.mean().item() == pytest.approx(0.7 * bars[k].sqrt().item(), abs=4 * spread / 200)
        assert noisy.std().item() == pytest.approx(spread, rel=0.02)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a15_a_perfect_network_gives_the_clean_sample_whatever_it_predicts(prediction: Prediction, bars: torch.Tensor):
    generator = torch.Generator().manual_seed(1)
    clean, noise = torch.randn(2, 50, 3, generator=generator, dtype=torch.float64)
    for k in (1, 17, 200):
        noisy = add_noise(clean, noise, bars[k])
        output = training_target(clean, noise, bars[k], prediction)
        estimate = to_x0(output, noisy, bars[k], prediction)
        assert torch.allclose(estimate, clean, atol=1e-10)
        assert torch.allclose(to_epsilon(estimate, noisy, bars[k]), noise, atol=1e-8)


def test_a15_epsilon_amplifies_errors_at_high_noise_and_x0_does_not(bars: torch.Tensor):
    noisy, error = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    gain = {
        p: abs(to_x0(error, noisy, bars[200], p) - to_x0(0 * error, noisy, bars[200], p)).item() for p in PREDICTIONS
    }
    assert gain["epsilon"] == pytest.approx(2.56, abs=0.01)
    assert gain["x0"] == 1 and gain["v"] < 1


@pytest.mark.parametrize("prediction", ["x0", "v"])
def test_a4_zero_snr_works_with_x0_and_v(prediction: Prediction):
    bar = alpha_bars(ScheduleConfig(terminal="zero_snr"))[200]
    clean, noise = torch.full((2, 4), 0.3).double()
    noisy = add_noise(clean, noise, bar)
    assert torch.equal(noisy, noise)
    assert torch.allclose(to_x0(training_target(clean, noise, bar, prediction), noisy, bar, prediction), clean)


def test_a1_the_literal_target_is_not_offered():
    """Sec. 4.4 writes L_diff = ||(h_{k-1} - h_k) - g||^2; Eq. 7 needs g = epsilon. The two tests below say why."""
    assert set(PREDICTIONS) == {"epsilon", "x0", "v"}


def test_a1_literal_target_from_independent_draws_is_mostly_noise(bars: torch.Tensor):
    """Drawn independently by Eq. 4, knowing h_k and h_0 leaves a deviation of sqrt(1 - alpha_{k-1}) in the target."""
    generator = torch.Generator().manual_seed(2)
    k, count = 120, 60_000
    clean = 0.3 * torch.randn(count, generator=generator, dtype=torch.float64)
    a = add_noise(clean, torch.randn(count, generator=generator, dtype=torch.float64), bars[k - 1])
    b = add_noise(clean, torch.randn(count, generator=generator, dtype=torch.float64), bars[k])
    known = torch.stack([b, clean], 1)
    best = known @ torch.linalg.lstsq(known, (a - b)[:, None]).solution
    left = ((a - b) - best[:, 0]).std().item()
    assert left == pytest.approx((1 - bars[k - 1]).sqrt().item(), rel=0.02)
    assert left > 2 * 0.3 * bars[k].sqrt().item()


def test_a1_literal_target_along_one_chain_hides_epsilon(bars: torch.Tensor):
    """Along one chain E[h_{k-1} - h_k | h_k, h_0] holds epsilon times beta / (sqrt(1-beta) sqrt(1-alpha_k)): tiny, so
    that getting epsilon back multiplies the network's error by 45 or more at every step.
    """
    generator = torch.Generator().manual_seed(3)
    betas = 1 - bars[1:] / bars[:-1]
    amplification = (1 - betas).sqrt() * (1 - bars[1:]).sqrt() / betas
    assert amplification.min() > 45
    k, count = 100, 200_000
    beta = betas[k - 1]
    clean = 0.3 * torch.randn(count, generator=generator, dtype=torch.float64)
    before = add_noise(clean, torch.randn(count, generator=generator, dtype=torch.float64), bars[k - 1])
    after = (1 - beta).sqrt() * before + beta.sqrt() * torch.randn(count, generator=generator, dtype=torch.float64)
    known = torch.stack([after, to_epsilon(clean, after, bars[k])], 1)
    weights = torch.linalg.lstsq(known, (before - after)[:, None]).solution[:, 0]
    expected = torch.stack([1 / (1 - beta).sqrt() - 1, -beta / ((1 - beta).sqrt() * (1 - bars[k]).sqrt())])
    assert torch.allclose(weights, expected, atol=1.5e-3)
    assert (before - after - known @ weights).std() > 5 * abs(expected[1])
