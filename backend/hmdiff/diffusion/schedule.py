"""Noise schedule and the three equivalent predictions (paper Sec. 3, Eq. 4; supplement 3.2 Eq. 1).

alpha_bar[k] = prod_{i<=k} (1 - beta_i), with alpha_bar[0] = 1, so that the last DDIM step has no noise (note A3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Terminal = Literal["paper", "zero_snr"]
Prediction = Literal["epsilon", "x0", "v"]


@dataclass(frozen=True)
class ScheduleConfig:
    """terminal: ``paper`` keeps alpha_bar[200] = 0.132; ``zero_snr`` rescales it to 0 (note A4; not with epsilon)."""

    steps: int = 200
    beta_start: float = 1e-4
    beta_end: float = 2e-2
    terminal: Terminal = "paper"


def alpha_bars(config: ScheduleConfig) -> Tensor:
    """(K+1,) float64, index k = 0..K."""
    betas = torch.linspace(config.beta_start, config.beta_end, config.steps, dtype=torch.float64)
    bars = torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - betas, 0)])
    if config.terminal == "paper":
        return bars
    root = bars.sqrt()
    return ((root - root[-1]) / (1 - root[-1])) ** 2


def add_noise(clean: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """Eq. 4: h_k = sqrt(alpha_bar) h_0 + sqrt(1 - alpha_bar) eps. alpha_bar broadcasts over clean."""
    return alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise


def to_x0(output: Tensor, noisy: Tensor, alpha_bar: Tensor, prediction: Prediction) -> Tensor:
    """The network's output as an estimate of the clean sample."""
    if prediction == "x0":
        return output
    signal, spread = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    if prediction == "epsilon":
        return (noisy - spread * output) / signal
    return signal * noisy - spread * output


def to_epsilon(clean: Tensor, noisy: Tensor, alpha_bar: Tensor) -> Tensor:
    """The noise that a clean estimate implies."""
    return (noisy - alpha_bar.sqrt() * clean) / (1 - alpha_bar).sqrt().clamp_min(1e-8)


def training_target(clean: Tensor, noise: Tensor, alpha_bar: Tensor, prediction: Prediction) -> Tensor:
    """What the network is asked for (note A1: epsilon is Eq. 7; x0 and v are its equivalents)."""
    if prediction == "x0":
        return clean
    if prediction == "epsilon":
        return noise
    return alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * clean
