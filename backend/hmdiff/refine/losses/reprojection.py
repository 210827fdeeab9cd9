"""Where a body's points fall in the picture, against keypoints."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..figure import Posed
from .robust import geman_mcclure

CROP = 500.0
"""Errors are counted in px of a person whose crop is 500 px wide: the published weights are for pictures of 1000 px
in which people fill about half (method_notes 2.3)."""
SCALE = 0.2
"""Robust scale as a share of the crop; 100 of 500 px, as published."""


@dataclass(frozen=True)
class Keypoints:
    """points (B,K,2) px and confidence (B,K) of the figure's K points, 0 for those unseen; side (B,) px of the person's
    crop; principal (B,2) px. The focal length belongs to the bodies, since it may be solved for.
    """

    points: Tensor
    confidence: Tensor
    side: Tensor
    principal: Tensor

    def rows(self, rows: Tensor) -> Keypoints:
        return Keypoints(self.points[rows], self.confidence[rows], self.side[rows], self.principal[rows])


def project_points(points: Tensor, focal: Tensor, principal: Tensor) -> Tensor:
    """points (B,K,3) camera axes, focal (B,) px, principal (B,2) px -> (B,K,2) px. Behind the camera counts as 10 cm
    before it."""
    return points[..., :2] / points[..., 2:].clamp_min(0.1) * focal[:, None, None] + principal[:, None]


def reprojection_loss(posed: Posed, seen: Keypoints, scale: float | Tensor = SCALE) -> Tensor:
    """(B,): sum over points and both axes of confidence^2 times the robust squared error, in px of a crop of 500.

    scale: of Geman-McClure, as a share of the crop; one number, or (B,K,1): an artist's keypoint (1, say) is no outlier
    however far it was dragged.
    """
    error = project_points(posed.points, posed.focal, seen.principal) - seen.points
    error = CROP * torch.where(seen.confidence[..., None] > 0, error, 0.0) / seen.side[:, None, None]
    return (seen.confidence.square()[..., None] * geman_mcclure(error, CROP * scale)).sum((1, 2))
