"""Where readings lie on average, and how far neighbouring landmarks err the same way."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import hyp2f1
from torch import Tensor

from .covariates import OUTSIDE, VIEWS
from .prepare import Rows
from .scores import REGIONS

FEW = 30.0
"""A middle over so many readings counts half."""
SHRINK = 0.02
"""Share of the correlations that is given up, so that few readings make no false certainty."""
SIZES = torch.linspace(-5.2, -1.6, 7)
"""Logarithms of error sizes (0.5 % to 20 % of a person) by which the directions' agreement is told."""
_TOGETHER = 0.04
"""From this error on, what neighbours have in common outweighs the rest."""


def fit_inwards(rows: Rows) -> Tensor:
    """(33,2): slope of the error over how far the truth lies beyond the picture's edge, per axis and region."""
    slopes = torch.zeros(33, 2)
    outside = (rows.classes == OUTSIDE) & ~rows.lost[:, None]
    for region in REGIONS:
        for axis in range(2):
            where = outside[:, region] & (rows.beyond[:, region, axis] != 0)
            x, y = rows.beyond[:, region, axis][where].clamp(-1, 1), rows.error[:, region, axis][where].clamp(-1.5, 1.5)
            weight = torch.ones_like(x)
            slope = torch.zeros(())
            for _ in range(5):
                slope = (weight * x * y).sum() / ((weight * x * x).sum() + 0.1)
                weight = 0.1 / (y - slope * x).abs().clamp_min(0.1)
            slopes[list(region), axis] = slope
    return slopes


def fit_bias(rows: Rows, inwards: Tensor) -> Tensor:
    """(4,4,33,2) geometric medians by view and class; few readings are drawn to the class's over all views, and those
    to nothing."""
    bias = torch.zeros(len(VIEWS), 4, 33, 2)
    error = rows.error - inwards * rows.beyond
    for slot in range(33):
        for kind in range(4):
            member = (rows.classes[:, slot] == kind) & ~rows.lost
            count = int(member.sum())
            whole = _middle(error[member, slot]) * (count / (count + FEW))
            for view in range(len(VIEWS)):
                own = error[member & (rows.view == view), slot]
                bias[view, kind, slot] = (len(own) * _middle(own) + FEW * whole) / (len(own) + FEW)
    return bias


def _middle(points: Tensor) -> Tensor:
    """Geometric median of (K,2) by Weiszfeld's rounds: far readings do not move it."""
    if not len(points):
        return torch.zeros(2)
    middle = points.median(0).values
    for _ in range(30):
        weight = 1 / (points - middle).norm(dim=1, keepdim=True).clamp_min(1e-4)
        middle = (weight * points).sum(0) / weight.sum()
    return middle


def fit_direction(rest: Tensor) -> tuple[Tensor, Tensor]:
    """rest (M,33,2): errors about their middles -> factor (33,33) of the correlation of the directions of large errors,
    and agreement (2,A), see ``draw.direction``."""
    size = rest.norm(dim=-1)
    way = rest / size[..., None].clamp_min(1e-9)
    large = (size > _TOGETHER).to(way)
    both = large.T @ large
    agree = torch.einsum("mjc,mkc->jk", way * large[..., None], way * large[..., None]) / both.clamp_min(1)
    matrix = from_cosine(agree.double()) * (both / (both + FEW)) * (1 - SHRINK)
    matrix.fill_diagonal_(1.0)
    matrix = nearest_correlation(matrix)
    agreement = torch.stack([SIZES, _agreement(size.clamp_min(1e-5).log(), way, matrix.float())])
    return torch.linalg.cholesky(matrix).float(), agreement


def fit_stretch(rest: Tensor) -> Tensor:
    """(33,2) factors across and down, product 1, from the share of the directions' square that lies across: for normal
    vectors of axes a and b that share is a / (a + b)."""
    across = (rest[..., 0] ** 2 / (rest**2).sum(-1).clamp_min(1e-12)).mean(0).clamp(0.1, 0.9)
    ratio = (across / (1 - across)).sqrt()
    return torch.stack([ratio, 1 / ratio], -1)


def _agreement(log: Tensor, way: Tensor, matrix: Tensor) -> Tensor:
    """(A,): for pairs that agree strongly and are of one size, mean cosine over that of large errors."""
    strong = (torch.triu(matrix, 1) > 0.7).nonzero()
    one, two = strong[:, 0], strong[:, 1]
    if not len(strong):
        return torch.zeros(len(SIZES))
    cosine, pair = (way[:, one] * way[:, two]).sum(-1), (log[:, one] + log[:, two]) / 2
    near = (log[:, one] - log[:, two]).abs() < 1.0
    full = torch.from_numpy(_cosine(matrix[one, two].double().numpy())).float().expand_as(cosine)
    half = float(SIZES[1] - SIZES[0])
    shares = []
    for middle in SIZES:
        weight = (1 - (pair - middle).abs() / half).clamp_min(0) * near
        # the cosine grows nearly as the correlation does, which is the two's common share
        shares.append(float((weight * cosine).sum() / (weight * full).sum().clamp_min(1e-6)))
    return torch.tensor(shares).clamp(0, 1)


def from_cosine(cosine: Tensor) -> Tensor:
    """Correlation of two normal vectors of the plane whose mean cosine is this, any sign."""
    grid = np.linspace(0, 0.995, 200)
    return torch.from_numpy(np.interp(cosine.abs().numpy(), _cosine(grid), grid)) * cosine.sign()


def _cosine(rho: np.ndarray) -> np.ndarray:
    return rho * np.pi / 4 * hyp2f1(0.5, 0.5, 2.0, rho**2)


def nearest_correlation(matrix: Tensor, least: float = 0.01) -> Tensor:
    """The matrix with its eigenvalues at least so large, and ones on the diagonal again."""
    values, vectors = torch.linalg.eigh(matrix)
    matrix = (vectors * values.clamp_min(least)) @ vectors.T
    scale = matrix.diagonal().rsqrt()
    return matrix * scale[:, None] * scale
