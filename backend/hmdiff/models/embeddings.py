"""Sinusoidal codes as the supplement writes them (3.1, note A21)."""

from __future__ import annotations

import torch
from torch import Tensor


def _sinusoid(position: Tensor, width: int, base: float) -> Tensor:
    """position (...,) -> (...,width): index i even sin(p / base^(i/width)), odd cos(p / base^((i-1)/width))."""
    index = torch.arange(width, device=position.device)
    power = (index - index % 2).float() / width
    angle = position.float()[..., None] / base**power
    return torch.where(index % 2 == 0, angle.sin(), angle.cos())


def step_code(k: Tensor, width: int = 61) -> Tensor:
    """E_d: diffusion step k (...,) -> (...,61), base 200."""
    return _sinusoid(k, width, 200.0)


def position_code(tokens: int = 49, width: int = 128) -> Tensor:
    """E_s: (49,128), base 49, indices counted from 1."""
    return _sinusoid(torch.arange(1, tokens + 1), width, 49.0)
