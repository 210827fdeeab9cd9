"""Accelerated reverse steps (Song et al. 2021; paper Eq. 6, supplement Eq. 2 with its index mended, note A3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Step:
    """One reverse step from diffusion step k to ``previous`` (< k)."""

    k: int
    previous: int
    alpha_bar: float
    alpha_bar_previous: float
    sigma: float


def step_plan(bars: Tensor, steps: int, eta: float) -> tuple[Step, ...]:
    """Evenly spaced steps from K down to 0.

    bars (K+1,); steps: how many network calls (40 is the paper's four skipped of K = 200); eta: supplement's 0.8.
    sigma_k = eta sqrt((1 - a_k / a_k')(1 - a_k') / (1 - a_k)) with k' the *next lower* step; 0 at k' = 0.
    """
    top = len(bars) - 1
    marks = torch.linspace(top, 0, steps + 1, dtype=torch.float64).round().long().tolist()
    plan = []
    for k, previous in zip(marks[:-1], marks[1:], strict=True):
        a, b = float(bars[k]), float(bars[previous])
        sigma = eta * (max(0.0, 1 - a / b) * (1 - b) / (1 - a)) ** 0.5
        plan.append(Step(k, previous, a, b, sigma))
    return tuple(plan)


def ddim_step(clean: Tensor, epsilon: Tensor, step: Step, noise: Tensor | None) -> Tensor:
    """Eq. 6 with g outside the root (note A2): sqrt(a') h0 + sqrt(1 - a' - sigma^2) eps + sigma z."""
    direction = max(0.0, 1 - step.alpha_bar_previous - step.sigma**2) ** 0.5
    moved = step.alpha_bar_previous**0.5 * clean + direction * epsilon
    return moved if noise is None or step.sigma == 0 else moved + step.sigma * noise
