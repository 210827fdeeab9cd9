"""Masks damaged as the detector's are: an edge that is shifted, wavy and soft, pieces lost and pieces of others won."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ...models.inputs import GRID

FIELD = 14
"""The wave that lays the edge elsewhere has this many free values each way over the crop: limbs, not pixels."""
LOWEST, HIGHEST = 0.015, 0.985
_BLUR = 2.0
_SLOPE = _BLUR * (2 * torch.pi) ** 0.5
"""Cells per unit of a blurred straight edge, at its middle."""
_NEAR = 25.0
"""One over the blurred mask's height beyond which the edge does not reach: four cells out."""


@dataclass(frozen=True)
class MaskDamage:
    """shift (N,) cells outwards; field (N,14,14) cells; soft (N,) cells over which the edge fades."""

    shift: Tensor
    field: Tensor
    soft: Tensor

    def __getitem__(self, rows: Tensor) -> MaskDamage:
        return MaskDamage(self.shift[rows], self.field[rows], self.soft[rows])


def wear(mask: Tensor, damage: MaskDamage) -> Tensor:
    """mask (N,56,56) in {0,1} -> the same in [0,1], as a detector would have it."""
    kernel = _blur(str(mask.device))
    blur = kernel @ mask @ kernel
    # what is won hangs together with the person: far from them nothing moves
    near = (blur * _NEAR).clamp_(max=1.0)
    # roughly the signed distance to the edge in cells; the half step keeps limbs thinner than the blur inside
    level = blur.sub_(0.5).mul_(_SLOPE).add_(mask - 0.5)
    level += near.mul_(wave(damage.field) + damage.shift[:, None, None])
    return (0.5 + level / damage.soft[:, None, None]).clamp_(LOWEST, HIGHEST)


def wave(field: Tensor) -> Tensor:
    """(N,14,14) of unit variance -> (N,56,56) smooth, of about unit variance."""
    spread = _spread(str(field.device))
    return spread @ field @ spread.T


@lru_cache(maxsize=4)
def _blur(device: str) -> Tensor:
    cells = torch.arange(GRID, dtype=torch.float32)
    weight = torch.exp(-((cells[:, None] - cells) ** 2) / (2 * _BLUR**2))
    return _cut(weight / weight.sum(1, keepdim=True)).to(device)


@lru_cache(maxsize=4)
def _spread(device: str) -> Tensor:
    cells = (torch.arange(GRID, dtype=torch.float32) + 0.5) * (FIELD / GRID) - 0.5
    weight = torch.exp(-((cells[:, None] - torch.arange(FIELD)) ** 2) / (2 * 0.6**2))
    return _cut(weight / (weight**2).sum(1, keepdim=True).sqrt()).to(device)


def _cut(weight: Tensor) -> Tensor:
    """Without the faint ends, whose products are slow numbers."""
    return torch.where(weight > 1e-4, weight, 0.0)


def look_up_damage(
    eaten: Tensor, added: Tensor, faded: Tensor, field: Tensor, axes: Tensor, table: Tensor, soft_table: Tensor
) -> MaskDamage:
    """eaten, added, faded (N,) as in MaskShape, field (N,14,14) normal; axes (2,A), table (A,A,2), soft_table (2,S)."""
    (row, part), (column, rest) = (_place(value.log(), axis) for value, axis in ((eaten, axes[0]), (added, axes[1])))
    value = torch.zeros(len(eaten), 2, device=eaten.device)
    for i, a in ((row, 1 - part), (row + 1, part)):
        for j, b in ((column, 1 - rest), (column + 1, rest)):
            value += (a * b)[:, None] * table[i, j]
    place, part = _place(faded, soft_table[0])
    width = soft_table[1][place] * (1 - part) + soft_table[1][place + 1] * part
    return MaskDamage(value[:, 0], value[:, 1, None, None] * field, width)


def _place(value: Tensor, axis: Tensor) -> tuple[Tensor, Tensor]:
    """Index of the lower neighbour on an ascending axis, and the share of the upper one."""
    index = (torch.searchsorted(axis, value.contiguous()) - 1).clamp(0, len(axis) - 2)
    low, high = axis[index], axis[index + 1]
    return index, ((value - low) / (high - low)).clamp(0, 1)
