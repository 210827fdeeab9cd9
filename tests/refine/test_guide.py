"""Algorithm 1 on problems with known answers: an exact Gaussian denoiser and simple losses, no body."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hmdiff.refine.guide import PAPER, Along, GuideOptions, guide
from hmdiff.refine.schedule import cosine_alpha_bars
from torch import Tensor

BARS = cosine_alpha_bars()
WIDE = 0.5
NOTHING = torch.zeros(1, 0)
OPTIONS = GuideOptions(tau=50, dt=5, outer=6, early_stop="none")


def eps(x: Tensor, t: Tensor, c: Tensor) -> Tensor:
    a = BARS[t][:, None].to(x)
    return (1 - a).sqrt() * x / (a * WIDE**2 + 1 - a)


def pull_to(target: Tensor, weight: float = 20.0):
    return lambda x0, along: weight * (x0 - target).square().sum(1)


def points(count: int = 4, seed: int = 0) -> Tensor:
    return WIDE * torch.randn(count, 6, generator=torch.Generator().manual_seed(seed))


def test_step_is_the_papers() -> None:
    """One outer loop of one step, by hand: inversion, eps' = eps + sqrt(1-a) grad_{x_t} L, x_0 from both."""
    start, target = points(), points(seed=1)
    found = guide(eps, pull_to(target), start, NOTHING, BARS, replace(PAPER, tau=50, dt=50, outer=1))
    a0, a = BARS[0].float(), BARS[50].float()
    at = torch.zeros(4, dtype=torch.long)
    first = eps(start, at, NOTHING)
    noisy = a.sqrt() * (start - (1 - a0).sqrt() * first) / a0.sqrt() + (1 - a).sqrt() * first
    noise = eps(noisy, at + 50, NOTHING)
    clean = (noisy - (1 - a).sqrt() * noise) / a.sqrt()
    gradient = 2 * 20.0 * (clean - target) / a.sqrt()
    noise = noise + (1 - a).sqrt() * gradient
    guided = (noisy - (1 - a).sqrt() * noise) / a.sqrt()
    expected = a0.sqrt() * guided + (1 - a0).sqrt() * noise
    torch.testing.assert_close(found.x, expected, rtol=0, atol=1e-4)


def test_guidance_lowers_the_loss_and_never_ends_above_the_start() -> None:
    found = guide(eps, pull_to(points(seed=1)), points(), NOTHING, BARS, OPTIONS)
    assert bool((found.loss < 0.2 * found.first_loss).all())
    wild = guide(eps, pull_to(points(seed=1), 1e4), points(), NOTHING, BARS, replace(OPTIONS, max_step=None))
    assert bool((wild.loss <= wild.first_loss).all())


def test_loss_reported_is_that_of_the_sample_kept() -> None:
    objective = pull_to(points(seed=1), 400.0)  # overshoots, so that the last sample is not the best
    seen: list[Tensor] = []

    def watched(x0: Tensor, along: tuple[Tensor, ...]) -> Tensor:
        loss = objective(x0, along)
        seen.append(loss.detach())
        return loss

    found = guide(eps, watched, points(), NOTHING, BARS, replace(OPTIONS, max_step=None))
    torch.testing.assert_close(found.loss, objective(found.x, ()))
    torch.testing.assert_close(found.loss, torch.stack(seen).amin(0))


def test_batch_equals_singles() -> None:
    start, target = points(5), points(5, seed=1)
    where = torch.linspace(0, 1, 5)[:, None]

    def objective(x0: Tensor, along: tuple[Tensor, ...], rows: slice = slice(None)) -> Tensor:
        return 20 * (x0 + along[0] - target[rows]).square().sum(1)

    options = replace(OPTIONS, early_stop="relative", threshold=1e-2)
    whole = guide(eps, objective, start, NOTHING, BARS, options, (Along(where, 0.01),))
    assert 0 < int(whole.stopped.sum())
    for row in range(5):
        one = slice(row, row + 1)
        alone = guide(
            eps, lambda x0, along, one=one: objective(x0, along, one), start[one], NOTHING, BARS, options,
            (Along(where[one], 0.01),),
        )  # fmt: skip
        torch.testing.assert_close(alone.x, whole.x[one], rtol=0, atol=1e-6)
        torch.testing.assert_close(alone.along[0], whole.along[0][one], rtol=0, atol=1e-6)
        assert int(alone.steps) == int(whole.steps[row])


def test_each_row_stops_by_itself() -> None:
    start, target = points(), points(seed=1)
    target[0] = start[0]
    absolute = replace(OPTIONS, early_stop="absolute", threshold=0.05)
    found = guide(eps, pull_to(target), start, NOTHING, BARS, absolute)
    assert bool(found.stopped[0]) and int(found.steps[0]) == 0
    assert int(found.steps[1:].min()) > 0
    assert bool((found.loss[found.stopped] < 0.05).all())
    relative = guide(
        eps, pull_to(target, 1e-9), start, NOTHING, BARS, replace(OPTIONS, early_stop="relative", threshold=1e-5)
    )
    assert bool(relative.stopped.all()) and int(relative.steps.max()) == 1


def test_fixed_rows_stay_and_pull_the_others() -> None:
    start = points(2)

    def together(x0: Tensor, along: tuple[Tensor, ...]) -> Tensor:
        return 20 * (x0[0] - x0[1]).square().sum() * torch.tensor([0.5, 0.5])

    fixed = torch.tensor([True, False])
    found = guide(eps, together, start, NOTHING, BARS, OPTIONS, fixed=fixed, group=torch.zeros(2, dtype=torch.long))
    assert torch.equal(found.x[0], start[0])
    assert float((found.x[1] - start[0]).norm()) < 0.6 * float((start[1] - start[0]).norm())


def test_tied_rows_are_kept_from_the_same_step() -> None:
    """The best of a group is one sample of the whole group, not each row's own."""
    seen: list[tuple[Tensor, Tensor]] = []
    target = points(2, seed=1)

    def objective(x0: Tensor, along: tuple[Tensor, ...]) -> Tensor:
        loss = 300 * (x0 - target).square().sum(1) * torch.tensor([1.0, 3.0])
        seen.append((x0.detach().clone(), loss.detach()))
        return loss

    group = torch.zeros(2, dtype=torch.long)
    found = guide(eps, objective, points(2), NOTHING, BARS, replace(OPTIONS, max_step=None), group=group)
    best = min(seen, key=lambda pair: float(pair[1].sum()))
    torch.testing.assert_close(found.x, best[0])
    torch.testing.assert_close(found.loss, best[1])


def test_cancel_and_progress() -> None:
    heard: list[float] = []
    asked = iter(range(1000))
    found = guide(
        eps, pull_to(points(seed=1)), points(), NOTHING, BARS, OPTIONS, should_stop=lambda: next(asked) >= 7,
        on_progress=heard.append,
    )  # fmt: skip
    assert not found.complete and len(heard) == 7
    assert heard == sorted(heard) and heard[-1] == pytest.approx(7 / 60)
    assert bool((found.loss <= found.first_loss).all())
    assert guide(eps, pull_to(points(seed=1)), points(), NOTHING, BARS, OPTIONS, on_progress=heard.append).complete
    assert heard[-1] == 1.0


def test_a_wild_gradient_throws_nothing_about() -> None:
    """A loss without bounds on its slope, and one that is not a number in a row, leave finite poses."""

    def cliff(x0: Tensor, along: tuple[Tensor, ...]) -> Tensor:
        loss = (1e6 * x0).abs().sum(1)
        return torch.where(torch.arange(len(x0)) == 1, loss * torch.nan, loss)

    found = guide(eps, cliff, points(), NOTHING, BARS, OPTIONS)
    assert bool(torch.isfinite(found.x).all())
    assert torch.equal(found.x[1], points()[1])
