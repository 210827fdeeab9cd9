"""Geman and McClure's error, which stops growing: one wrong keypoint cannot pull a body apart."""

from __future__ import annotations

from torch import Tensor


def geman_mcclure(error: Tensor, scale: float | Tensor) -> Tensor:
    """scale^2 e^2 / (scale^2 + e^2): e^2 near zero, scale^2 far away. Same unit squared as error."""
    square, limit = error * error, scale * scale
    return limit * square / (limit + square)
