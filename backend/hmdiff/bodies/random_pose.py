"""Plausible random poses without any data: for fitting linear maps that must hold over posed bodies, and for tests."""

from __future__ import annotations

import torch
from torch import Tensor

from .rotations import axis_angle_to_matrix

_SPREAD = (
    0.0, 0.6, 0.6, 0.2, 0.7, 0.7, 0.2, 0.3, 0.3, 0.2, 0.2, 0.2, 0.25, 0.15, 0.15, 0.3,
    0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2,
)  # fmt: skip
"""Standard deviation of the axis-angle per SMPL joint, radians."""

KNEES, ELBOWS = (4, 5), (18, 19)


def random_rotations(count: int, generator: torch.Generator) -> Tensor:
    """Local rotations (count,24,3,3): arms lowered at random, knees and elbows bend the way they can."""
    pose = torch.randn(count, 24, 3, generator=generator) * torch.tensor(_SPREAD)[:, None]
    lowered = torch.rand(count, 2, generator=generator) * 1.6 - 0.4
    pose[:, 16, 2] -= lowered[:, 0]
    pose[:, 17, 2] += lowered[:, 1]
    bend = torch.rand(count, 2, 2, generator=generator)
    for side in range(2):
        pose[:, KNEES[side]] = pose[:, KNEES[side]] * torch.tensor([0.0, 0.2, 0.1])
        pose[:, KNEES[side], 0] = bend[:, 0, side] ** 2 * 2.2
        pose[:, ELBOWS[side]] = pose[:, ELBOWS[side]] * torch.tensor([0.5, 0.0, 0.1])
        pose[:, ELBOWS[side], 1] = bend[:, 1, side] ** 1.5 * 2.2 * (-1.0 if side == 0 else 1.0)
    pose[:, 1:3, 0] -= torch.rand(count, 2, generator=generator) ** 3 * 1.8
    return axis_angle_to_matrix(pose)
