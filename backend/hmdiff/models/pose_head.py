"""The pose distribution U: an xy and a z heatmap per joint (J x 56 x 56), and 25 poses drawn from them.

Two heads with one output. The regressor's mixture is painted into heatmaps (default); the paper's three
deconvolutions make them from features (supplement 3.1). Heatmaps span a metric cube around the pelvis (note A11 a);
E_z is an (x, z) map (note A10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from .regressor import N_J14, PoseMixture

CELLS = 56
HALF_EXTENT = 1.25
"""The cube is [-1.25, 1.25] m on each axis; a hand over the head of a tall person is inside."""


@dataclass(frozen=True)
class PoseHeatmaps:
    """xy (N,14,56,56) indexed [y, x] and xz (N,14,56,56) indexed [z, x]; each map sums to 1."""

    xy: Tensor
    xz: Tensor


def cell_centres(device: torch.device | str = "cpu") -> Tensor:
    """(56,) metres."""
    return ((torch.arange(CELLS, device=device) + 0.5) / CELLS * 2 - 1) * HALF_EXTENT


def paint(mixture: PoseMixture) -> PoseHeatmaps:
    """Evaluate the mixture's (x, y) and (x, z) marginals on the grid and normalise."""
    centres = cell_centres(mixture.mean.device)
    cell = 2 * HALF_EXTENT / CELLS
    covariance = mixture.scale_tril @ mixture.scale_tril.transpose(-1, -2)
    weight = torch.softmax(mixture.logits, -1)
    maps = []
    for axes in ([0, 1], [0, 2]):
        mean = mixture.mean[..., axes]
        # A cell averages the density over its area; adding its variance keeps narrow peaks from falling between cells.
        spread = covariance[..., axes, :][..., axes] + torch.eye(2, device=mean.device) * (cell**2 / 12)
        precision = torch.linalg.inv(spread)
        across = (centres - mean[..., 0:1])[..., None, :]
        along = (centres - mean[..., 1:2])[..., :, None]
        exponent = (
            precision[..., 0, 0, None, None] * across**2
            + 2 * precision[..., 0, 1, None, None] * across * along
            + precision[..., 1, 1, None, None] * along**2
        )
        scale = weight * torch.linalg.det(precision).clamp_min(1e-12).sqrt()
        density = (scale[..., None, None] * torch.exp(-0.5 * exponent)).sum(2)
        maps.append(density / density.sum((-1, -2), keepdim=True).clamp_min(1e-20))
    return PoseHeatmaps(maps[0], maps[1])


def sample_poses(
    heatmaps: PoseHeatmaps, uniform: Tensor, reading: Literal["conditional", "marginal"] = "conditional"
) -> Tensor:
    """Draw poses: (x, y) from the xy map, then z from the xz map's column at that x, or from its marginal (note A10).

    uniform (N,S,14,5) in [0,1): fixed numbers give the same poses again. -> (N,S,14,3) metres around the pelvis.
    """
    count, samples, joints = uniform.shape[:3]
    flat = heatmaps.xy.flatten(2).cumsum(-1).contiguous()
    draw = uniform[..., 0].permute(0, 2, 1).contiguous()
    index = torch.searchsorted(flat, draw * flat[..., -1:], right=True).clamp_max(CELLS * CELLS - 1)
    row, column = index // CELLS, index % CELLS
    xz = heatmaps.xz.transpose(2, 3)
    if reading == "conditional":
        lines = torch.gather(xz, 2, column[..., None].expand(count, joints, samples, CELLS))
        empty = lines.sum(-1, keepdim=True) < 1e-9
        lines = torch.where(empty, xz.sum(2, keepdim=True), lines)
    else:
        lines = xz.sum(2, keepdim=True).expand(count, joints, samples, CELLS)
    cumulative = lines.cumsum(-1).contiguous()
    depth_draw = uniform[..., 1].permute(0, 2, 1).contiguous()[..., None] * cumulative[..., -1:]
    depth = torch.searchsorted(cumulative, depth_draw, right=True).squeeze(-1).clamp_max(CELLS - 1)
    cells = torch.stack([column, row, depth], -1).permute(0, 2, 1, 3).float()
    return ((cells + uniform[..., 2:]) / CELLS * 2 - 1) * HALF_EXTENT


def most_likely_pose(heatmaps: PoseHeatmaps) -> Tensor:
    """u_c: the peaks (N,14,3), Table 5's single pose."""
    index = heatmaps.xy.flatten(2).argmax(-1)
    depth = heatmaps.xz.sum(3).argmax(-1)
    centres = cell_centres(heatmaps.xy.device)
    return torch.stack([centres[index % CELLS], centres[index // CELLS], centres[depth]], -1)


class DeconvPoseHead(nn.Module):
    """Supplement 3.1: three deconvolutions 7 x 7 x 1024 -> 14 x 14 x 512 -> 28 x 28 x 256 -> 56 x 56 x 2J."""

    def __init__(self, in_channels: int = 1024, channels: tuple[int, int] = (512, 256)) -> None:
        super().__init__()
        sizes = (in_channels, *channels)
        layers: list[nn.Module] = []
        for inner, outer in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [
                nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outer),
                nn.ReLU(inplace=True),
            ]
        layers.append(nn.ConvTranspose2d(sizes[-1], 2 * N_J14, 4, 2, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> PoseHeatmaps:
        """features (N,C,7,7) -> normalised heatmaps."""
        logits = self.layers(features)
        maps = torch.softmax(logits.flatten(2), -1).view_as(logits)
        return PoseHeatmaps(maps[:, :N_J14], maps[:, N_J14:])
