"""What the networks see: landmarks, heatmaps and mask in one canonical crop, the same in training and in use."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

GRID = 56
HEATMAP_SLOTS = (0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 31, 32)
"""BlazePose landmarks with a heatmap channel: nose, shoulders, elbows, wrists, hips, knees, ankles, toes."""
CHANNELS = len(HEATMAP_SLOTS) + 1
"""Heatmaps and the person mask."""
MARGIN = 1.25
CONFIDENT = 0.3
LANDMARK_FEATURES = 7


@dataclass(frozen=True)
class ModelInputs:
    """N people.

    landmarks (N,33,7): x, y in the crop (-1..1), confidence, heatmap peak, world x, y, z (metres, hip-centred, 0 where
    unknown); flags (N,3): 1 where world landmarks, heatmaps, mask exist; crop (N,3): centre relative to the principal
    point and side, over the focal length; grid (N,16,56,56): heatmaps then mask.
    """

    landmarks: Tensor
    flags: Tensor
    crop: Tensor
    grid: Tensor

    def __len__(self) -> int:
        return len(self.landmarks)

    def to(self, device: torch.device | str) -> ModelInputs:
        return ModelInputs(*(t.to(device) for t in (self.landmarks, self.flags, self.crop, self.grid)))

    def __getitem__(self, rows: slice | Tensor) -> ModelInputs:
        return ModelInputs(self.landmarks[rows], self.flags[rows], self.crop[rows], self.grid[rows])


def canonical_crop(points: Tensor, confidence: Tensor, fallback: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The upright square around the confident landmarks.

    points (N,K,2), confidence (N,K), fallback box (N,4) where fewer than four landmarks are confident
    -> centre (N,2), side (N,), in the points' unit.
    """
    sure = confidence > CONFIDENT
    enough = sure.sum(1) >= 4
    sure = sure | ~enough[:, None]
    big = torch.finfo(points.dtype).max
    low = torch.where(sure[..., None], points, big).amin(1)
    high = torch.where(sure[..., None], points, -big).amax(1)
    if fallback is not None:
        low = torch.where(enough[:, None], low, fallback[:, :2])
        high = torch.where(enough[:, None], high, fallback[:, 2:])
    return (low + high) / 2, (high - low).amax(1).clamp_min(1e-6) * MARGIN


def landmark_features(
    points: Tensor, confidence: Tensor, peak: Tensor, world: Tensor, has_world: Tensor, centre: Tensor, side: Tensor
) -> Tensor:
    """(N,33,7) as ModelInputs.landmarks. Unknown (zero confidence) landmarks sit at the crop's centre."""
    placed = ((points - centre[:, None]) / (side[:, None, None] / 2)).clamp(-2.5, 2.5)
    known = (confidence > 0).to(points)[..., None]
    world = torch.nan_to_num(world) * has_world.to(points)[:, None, None]
    return torch.cat([placed * known, confidence[..., None], peak[..., None], world], -1)
