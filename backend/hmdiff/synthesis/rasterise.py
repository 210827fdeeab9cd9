"""Masks and heatmaps of synthetic people, drawn straight into the canonical crop."""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.inputs import GRID

_FAINTEST = -20.0


def splat_points(vertices_2d: Tensor, faces: Tensor) -> Tensor:
    """(N,431,2) -> (N,431+2T,2): vertices plus points on the faces, dense enough to fill a 56 x 56 silhouette.

    x and y are worked on as planes, here and below: several times quicker than as pairs.
    """
    planes = vertices_2d.transpose(1, 2).contiguous()
    corners = planes[:, :, faces.T.reshape(-1)].unflatten(-1, (3, -1))
    middle, halfway = corners.sum(2) / 3, (corners[:, :, 0] + corners[:, :, 1]) / 2
    return torch.cat([planes, middle, halfway], 2).transpose(1, 2)


def draw_mask(points: Tensor, centre: Tensor, side: Tensor, window: Tensor) -> Tensor:
    """Point splatting, then closing of one cell. points (N,P,2), crop centre (N,2) and side (N,), window (N,4) the
    visible part, all in one unit -> (N,56,56) in {0,1}.
    """
    count, scale = len(points), GRID / side[:, None]
    corner = centre - side[:, None] / 2
    low, high = ((window[:, :2] - corner) * scale).clamp_min(0), ((window[:, 2:] - corner) * scale).clamp_max(GRID)
    x, y = ((points[..., axis].contiguous() - corner[:, axis, None]).mul_(scale) for axis in range(2))  # cells
    inside = (x > low[:, :1]) & (x < high[:, :1]) & (y > low[:, 1:]) & (y < high[:, 1:])
    # Points outside land in an extra cell that is dropped.
    flat = torch.where(inside, y.long() * GRID + x.long(), GRID * GRID)
    canvas = torch.zeros(count, GRID * GRID + 1, device=points.device)
    canvas.scatter_(1, flat, 1.0)
    return 1 - grow(1 - grow(canvas[:, :-1].view(count, GRID, GRID)))


def grow(mask: Tensor) -> Tensor:
    """3 x 3 dilation by shifted maxima: several times quicker on a CPU than max_pool2d."""
    for axis in (1, 2):
        grown = mask.clone()
        length = mask.shape[axis] - 1
        grown.narrow(axis, 1, length).copy_(torch.maximum(grown.narrow(axis, 1, length), mask.narrow(axis, 0, length)))
        grown.narrow(axis, 0, length).copy_(torch.maximum(grown.narrow(axis, 0, length), mask.narrow(axis, 1, length)))
        mask = grown
    return mask


def damage_mask(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Grow, shrink, cut boxes out and soften, as segmentations of clothed people are wrong."""
    count, device = len(mask), mask.device

    def chance(p: float) -> Tensor:
        return (torch.rand(count, generator=generator, device=device) < p)[:, None, None]

    mask = torch.where(chance(0.5), grow(mask), mask)
    middle = torch.rand(count, 2, generator=generator, device=device) * GRID
    half = (0.05 + 0.15 * torch.rand(count, 2, generator=generator, device=device)) * GRID
    grid = torch.arange(GRID, device=device) + 0.5
    across = (grid[None] - middle[:, :1]).abs() < half[:, :1]
    down = (grid[None] - middle[:, 1:]).abs() < half[:, 1:]
    box = down[:, :, None] & across[:, None, :]
    mask = torch.where(chance(0.15) & box, torch.zeros_like(mask), mask)
    soft = torch.nn.functional.avg_pool2d(mask[:, None], 3, 1, 1)[:, 0]
    return soft * 0.97 + 0.015


def draw_heatmaps(
    points: Tensor, peak: Tensor, width: Tensor, centre: Tensor, side: Tensor, aspect: Tensor | None = None
) -> Tensor:
    """Gaussians. points (N,K,2), peak (N,K), width (N,K) standard deviation in cells, aspect (N,K) logarithm of the
    extent across over that down (round without it) -> (N,K,56,56)."""
    y, x = _profiles(points, peak, width, centre, side, aspect)
    return y[..., :, None] * x[..., None, :]


def draw_haunted(
    points: Tensor, peak: Tensor, width: Tensor, centre: Tensor, side: Tensor, aspect: Tensor, ghost: Tensor,
    partner: list[int],
) -> Tensor:  # fmt: skip
    """As ``draw_heatmaps``, and on each map a second blob like the partner's, ghost (N,K) as high as the own. Where the
    two are within 4 cells of each other they count as one."""
    y, x = _profiles(points, peak, width, centre, side, aspect)
    apart = (points - points[:, partner]).norm(dim=-1) > (4 / GRID) * side[:, None]
    height = ghost * apart * peak / peak[:, partner].clamp_min(0.02)
    rows = torch.stack([y, height[..., None] * y[:, partner]], -1)
    return (rows @ torch.stack([x, x[:, partner]], -2)).clamp_(max=1.0)


def _profiles(
    points: Tensor, peak: Tensor, width: Tensor, centre: Tensor, side: Tensor, aspect: Tensor | None
) -> tuple[Tensor, Tensor]:
    """(N,K,56) down, as high as the peak, and (N,K,56) across."""
    cell = ((points - centre[:, None]) / side[:, None, None] + 0.5) * GRID
    grid = torch.arange(GRID, device=points.device) + 0.5
    scale = 0.5 / width.clamp_min(0.5) ** 2
    across, down = (scale, scale) if aspect is None else (scale * torch.exp(-aspect), scale * torch.exp(aspect))
    # numbers below what a float holds in full are slow to multiply
    x = torch.exp((-((grid - cell[..., :1]) ** 2) * across[..., None]).clamp_min(_FAINTEST))
    y = torch.exp((-((grid - cell[..., 1:]) ** 2) * down[..., None]).clamp_min(_FAINTEST))
    return peak[..., None] * y, x
