"""Adam whose rows do not know of each other (Kingma & Ba 2015, the usual constants)."""

from __future__ import annotations

import torch
from torch import Tensor


class RowAdam:
    """For several tensors whose first dimension is the row."""

    def __init__(self, values: tuple[Tensor, ...]) -> None:
        self.moments = tuple((torch.zeros_like(value), torch.zeros_like(value)) for value in values)
        self.count = 0

    def step(
        self, values: tuple[Tensor, ...], gradients: tuple[Tensor, ...], rates: tuple[float | Tensor, ...],
        active: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """The values after one step; rows that are not active (B,) bool stay. Gradients that are not finite count as
        zero."""
        self.count += 1
        moved = []
        for value, gradient, rate, (first, second) in zip(values, gradients, rates, self.moments, strict=True):
            gradient = torch.nan_to_num(gradient, 0.0, 0.0, 0.0)
            first.lerp_(gradient, 0.1)
            second.lerp_(gradient * gradient, 0.001)
            slope = first / (1 - 0.9**self.count)
            size = (second / (1 - 0.999**self.count)).sqrt() + 1e-8
            moved.append(torch.where(by_row(active, value), value - rate * slope / size, value))
        return tuple(moved)


def by_row(rows: Tensor, like: Tensor) -> Tensor:
    """rows (B,) shaped to broadcast over like (B,...)."""
    return rows.view(-1, *(1,) * (like.dim() - 1))
