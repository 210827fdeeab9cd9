"""The noise levels of ScoreHMR and the walk between them: cosine schedule, DDIM inversion, DDIM sampling.

Apart from the mesh model's schedule in ``hmdiff.diffusion``, whose DDIM algebra is used here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..diffusion.ddim import Step, ddim_step

STEPS = 1000

EpsModel = Callable[[Tensor, Tensor, Tensor], Tensor]
"""eps(x_t (B,D), t (B,) long, c (B,...)) -> the noise in x_t (B,D)."""


def cosine_alpha_bars(steps: int = STEPS, offset: float = 0.008) -> Tensor:
    """(T,) float64 for t = 0..T-1 (Nichol & Dhariwal 2021, betas clipped at 0.999).

    As in the reference code t = 0 is the first noise level, so alpha_bar[0] is not quite 1 (method_notes 2.3); poses
    are taken to be there.
    """
    marks = torch.linspace(0, steps, steps + 1, dtype=torch.float64)
    curve = torch.cos((marks / steps + offset) / (1 + offset) * math.pi / 2) ** 2
    betas = (1 - curve[1:] / curve[:-1]).clamp(0, 0.999)
    return torch.cumprod(1 - betas, 0)


def sampling_plan(bars: Tensor, tau: int, dt: int, eta: float = 0.0) -> tuple[Step, ...]:
    """tau, tau - dt, ... down to 0 (Algorithm 1, line 8); the last stride is shorter where dt does not divide tau."""
    marks = [*range(tau, 0, -dt), 0]
    plan = []
    for k, previous in zip(marks[:-1], marks[1:], strict=True):
        a, b = float(bars[k]), float(bars[previous])
        sigma = eta * (max(0.0, 1 - a / b) * (1 - b) / (1 - a)) ** 0.5
        plan.append(Step(k, previous, a, b, sigma))
    return tuple(plan)


def inversion_plan(bars: Tensor, tau: int, dt: int) -> tuple[Step, ...]:
    """The same levels upwards: 0 to tau."""
    marks = [*range(tau, 0, -dt), 0][::-1]
    return tuple(
        Step(k, following, float(bars[k]), float(bars[following]), 0.0)
        for k, following in zip(marks[:-1], marks[1:], strict=True)
    )


def one_step_clean(noisy: Tensor, epsilon: Tensor, alpha_bar: float) -> Tensor:
    """x0 from x_t and its noise (Algorithm 1, line 11, with the bracket where it belongs)."""
    return (noisy - (1 - alpha_bar) ** 0.5 * epsilon) / alpha_bar**0.5


def at_step(like: Tensor, k: int) -> Tensor:
    """k for every row of like, (B,) long."""
    return torch.full((len(like),), k, dtype=torch.long, device=like.device)


@torch.no_grad()
def invert(eps: EpsModel, start: Tensor, condition: Tensor, bars: Tensor, tau: int, dt: int) -> Tensor:
    """DDIM inversion: start (B,D) at t = 0 -> x_tau (B,D), unguided."""
    x = start
    for step in inversion_plan(bars, tau, dt):
        noise = eps(x, at_step(x, step.k), condition)
        x = ddim_step(one_step_clean(x, noise, step.alpha_bar), noise, step, None)
    return x


@torch.no_grad()
def sample(
    eps: EpsModel, noisy: Tensor, condition: Tensor, bars: Tensor, tau: int, dt: int, eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """DDIM sampling: noisy (B,D) at tau -> x at t = 0 (B,D), unguided. generator: for eta > 0."""
    x = noisy
    for step in sampling_plan(bars, tau, dt, eta):
        noise = eps(x, at_step(x, step.k), condition)
        fresh = torch.randn(x.shape, generator=generator).to(x) if step.sigma > 0 else None
        x = ddim_step(one_step_clean(x, noise, step.alpha_bar), noise, step, fresh)
    return x
