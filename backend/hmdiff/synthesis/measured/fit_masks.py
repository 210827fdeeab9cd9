"""Which shift and wave of a mask's edge lose and win as much as the detector's masks do, by trying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator
from scipy.special import ndtr
from torch import Tensor

from ...models.inputs import GRID
from ..rasterise import grow
from .gather import Readings, Table
from .masks import FIELD, MaskDamage, look_up_damage, wear
from .scores import SCORES
from .variables import FLOOR, PLACES

NAMES = ("eaten", "added", "faded")
SHIFTS = np.linspace(-2.5, 3.5, 13)
WAVES = np.geomspace(0.05, 7.0, 14)
PLACES_PER_AXIS = 14
PEOPLE = 160
ROUNDS = 6
_SOFT = np.linspace(0.3, 14.0, 16)


@dataclass(frozen=True)
class MaskFit:
    """See NoiseTables; marginals: those of NAMES set so that what comes out has what was measured, the scatter between
    people of one shift and wave being part of it."""

    marginals: Tensor
    axes: Tensor
    table: Tensor
    soft: Tensor


def unpack(bits: NDArray[np.uint8]) -> Tensor:
    """(M,392) -> (M,56,56) in {0,1}."""
    return torch.from_numpy(np.unpackbits(bits, axis=1, count=GRID * GRID).reshape(-1, GRID, GRID)).float()


def wear_figures(worn: Tensor, mask: Tensor, sizes: Tensor | None = None) -> Tensor:
    """(N,5) missing, extra, eaten, added, faded as MaskShape has them, of worn against mask (N,56,56) in {0,1}; sizes:
    ``mask_sizes`` of the masks, if they are at hand."""
    area, edge = (mask_sizes(mask) if sizes is None else sizes).unbind(1)
    seen = (worn > 0.5).float()
    both = (seen * mask).flatten(1).sum(1)
    missing, extra = area - both, seen.flatten(1).sum(1) - both
    faded = ((worn - 0.5).abs() < 0.4).float().flatten(1).sum(1)
    area = area.clamp_min(1)
    return torch.stack([missing / area, extra / area, missing / edge, extra / edge, faded / edge], 1)


def mask_sizes(mask: Tensor) -> Tensor:
    """(N,2) cells of the masks (N,56,56), and of their edges."""
    area = mask.flatten(1).sum(1)
    inner = 1 - grow(1 - mask)
    return torch.stack([area, (area - inner.flatten(1).sum(1)).clamp_min(1)], 1)


def fit_masks(table: Table, marginals: Tensor, correlation: Tensor, seed: int) -> MaskFit:
    """marginals (COUNT,4,2,KNOTS) as measured; correlation (3,3) of the scores of NAMES."""
    generator = torch.Generator().manual_seed(seed)
    mask = _examples(table.readings, generator)
    outcome = _try(mask, generator)
    axes = torch.stack([_axis(marginals[PLACES[name].start, 0]) for name in NAMES[:2]])
    lut = torch.from_numpy(_inverse(outcome, axes.numpy())).float()
    soft = _soft_table(mask, generator)
    fitted, factor = marginals.clone(), torch.linalg.cholesky(correlation)
    for state in range(2):
        wanted = [fitted[PLACES[name].start, 0, state].clone() for name in NAMES]
        given = [value.clone() for value in wanted]
        for _ in range(ROUNDS):
            got = _simulate(mask, given, factor, axes, lut, soft, generator)
            for k, value in enumerate(got):
                given[k] = (given[k] + 0.6 * (wanted[k] - value)).sort().values
        for name, value in zip(NAMES, given, strict=True):
            fitted[PLACES[name].start, :, state] = value
    return MaskFit(fitted, axes, lut, soft)


def _examples(read: Readings, generator: torch.Generator) -> Tensor:
    """(PEOPLE,56,56) true masks; a square where there are none at all."""
    known = np.flatnonzero(np.isfinite(read.mask_drawn).all(1))
    if not len(known):
        square = torch.zeros(1, GRID, GRID)
        square[:, 10:46, 20:36] = 1
        return square
    return unpack(read.drawn[known[torch.randperm(len(known), generator=generator)[:PEOPLE].numpy()]])


def _axis(quantiles: Tensor) -> Tensor:
    """(A,) ascending, over both kinds of readings (2,KNOTS) of logarithms."""
    low, high = float(quantiles.min()), float(quantiles.max())
    return torch.linspace(low, max(high, low + 0.1), PLACES_PER_AXIS)


def _try(mask: Tensor, generator: torch.Generator) -> NDArray[np.float64]:
    """(shifts,waves,2) mean logarithms of eaten and added."""
    field = torch.randn(len(mask), FIELD, FIELD, generator=generator)
    outcome, sizes = np.zeros((len(SHIFTS), len(WAVES), 2)), mask_sizes(mask)
    for i, shift in enumerate(SHIFTS):
        for j, size in enumerate(WAVES):
            damage = MaskDamage(torch.full((len(mask),), float(shift)), float(size) * field, torch.ones(len(mask)))
            figures = wear_figures(wear(mask, damage), mask, sizes)
            outcome[i, j] = [_log(name, figures[:, k]).mean() for k, name in ((2, "eaten"), (3, "added"))]
    return outcome


def _inverse(outcome: NDArray[np.float64], axes: NDArray[np.float32]) -> NDArray[np.float64]:
    """(A,A,2): the shift and wave whose outcome is nearest."""
    shifts, waves = np.linspace(SHIFTS[0], SHIFTS[-1], 120), np.geomspace(WAVES[0], WAVES[-1], 120)
    tried = np.stack(np.meshgrid(shifts, np.log(waves), indexing="ij"), -1).reshape(-1, 2)
    given = RegularGridInterpolator((SHIFTS, np.log(WAVES)), outcome)(
        tried.clip([SHIFTS[0], np.log(WAVES[0])], [SHIFTS[-1], np.log(WAVES[-1])])
    )
    wanted = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    nearest = ((wanted[..., None, :] - given) ** 2).sum(-1).argmin(-1)
    chosen = tried[nearest]
    chosen[..., 1] = np.exp(chosen[..., 1])
    return chosen


def _soft_table(mask: Tensor, generator: torch.Generator) -> Tensor:
    """(2,S): mean of faded, ascending, and the edge's width that gives it."""
    field = 0.7 * torch.randn(len(mask), FIELD, FIELD, generator=generator)
    found = []
    for width in _SOFT:
        damage = MaskDamage(torch.zeros(len(mask)), field, torch.full((len(mask),), float(width)))
        found.append(float(wear_figures(wear(mask, damage), mask)[:, 4].mean()))
    ascending = np.maximum.accumulate(found) + 1e-4 * np.arange(len(found))
    return torch.from_numpy(np.stack([ascending, _SOFT])).float()


def _simulate(
    mask: Tensor, given: list[Tensor], factor: Tensor, axes: Tensor, lut: Tensor, soft: Tensor,
    generator: torch.Generator,
) -> list[Tensor]:  # fmt: skip
    """Quantiles (KNOTS,) of NAMES that come out when the given ones are drawn from."""
    many = mask.repeat(max(1, 2000 // len(mask)), 1, 1)
    scores = torch.randn(len(many), len(NAMES), generator=generator) @ factor.T
    drawn = [
        torch.from_numpy(np.interp(scores[:, k].numpy(), SCORES, quantiles.numpy())).float()
        for k, quantiles in enumerate(given)
    ]
    field = torch.randn(len(many), FIELD, FIELD, generator=generator)
    damage = look_up_damage(drawn[0].exp(), drawn[1].exp(), drawn[2], field, axes, lut, soft)
    figures = wear_figures(wear(many, damage), many)
    values = (_log("eaten", figures[:, 2]), _log("added", figures[:, 3]), figures[:, 4])
    level = torch.from_numpy(ndtr(SCORES)).float()
    return [torch.quantile(value, level) for value in values]


def _log(name: str, values: Tensor) -> Tensor:
    return values.clamp_min(FLOOR[name]).log()
