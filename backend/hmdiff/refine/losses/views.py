"""Several cameras on one person."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..figure import Posed
from ..pose_code import POSE_SIZE
from .reprojection import CROP, SCALE, project_points
from .robust import geman_mcclure

CONSISTENCY = 300.0


def consistency_loss(posed: Posed, group: Tensor) -> Tensor:
    """(B,): cameras without calibration: rows with the same group (B,) long are one person at one moment seen from
    several sides; 300^2 times the squared distance of each body pose (6D, root left out) from the group's mean.
    """
    body = posed.code[:, 6:POSE_SIZE]
    groups = int(group.max()) + 1
    size = torch.zeros(groups, device=body.device).index_add(0, group, torch.ones(len(group), device=body.device))
    mean = body.new_zeros(groups, body.shape[1]).index_add(0, group, body) / size[:, None].clamp_min(1)
    return CONSISTENCY**2 * (body - mean[group]).square().sum(1)


@dataclass(frozen=True)
class CalibratedViews:
    """V cameras around the frame of refinement. rotation (B,V,3,3), translation (B,V,3) metres: frame to camera axes;
    focal (B,V) px, principal (B,V,2) px; points (B,V,K,2) px, confidence (B,V,K), side (B,V) px as in ``Keypoints``.
    A camera that does not see somebody has confidence 0. Lens distortion is to be taken out of the points beforehand.
    """

    rotation: Tensor
    translation: Tensor
    focal: Tensor
    principal: Tensor
    points: Tensor
    confidence: Tensor
    side: Tensor


def calibrated_loss(posed: Posed, views: CalibratedViews, scale: float | Tensor = SCALE) -> Tensor:
    """(B,): ``reprojection_loss`` summed over the views of one shared body."""
    placed = torch.einsum("bvij,bkj->bvki", views.rotation, posed.points) + views.translation[:, :, None]
    count, cameras = views.focal.shape
    flat = project_points(placed.flatten(0, 1), views.focal.flatten(), views.principal.flatten(0, 1))
    error = flat.unflatten(0, (count, cameras)) - views.points
    error = CROP * torch.where(views.confidence[..., None] > 0, error, 0.0) / views.side[..., None, None]
    return (views.confidence.square()[..., None] * geman_mcclure(error, CROP * scale)).sum((1, 2, 3))
