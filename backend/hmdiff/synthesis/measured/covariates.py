"""How a person is seen, from their landmarks alone, so that rendered and synthetic people are described alike."""

from __future__ import annotations

import torch
from torch import Tensor

SEEN, BY_SELF, BY_OTHER, OUTSIDE = range(4)
"""Classes of a landmark: seen; behind the person's own body; behind a thing or somebody else; not in the picture."""
CLASSES = ("seen", "hidden by self", "hidden by others", "outside")
FRONT, LEFT, BACK, RIGHT = range(4)
"""Quarters of the view: which side of the person faces the camera."""
VIEWS = ("front", "left", "back", "right")
COVARIATES = ("upright", "away", "front", "side", "share self", "share others", "share outside")


def hip_centred(landmarks: Tensor) -> Tensor:
    """(...,33,3) -> the same around the middle of the hips, as the detector gives its world landmarks."""
    return landmarks - landmarks[..., 23:25, :].mean(-2, keepdim=True)


def facing(landmarks: Tensor, position: Tensor) -> Tensor:
    """(N,2): cosine and sine of the angle by which the trunk is turned from the camera; 0 faces it, a positive sine
    shows the right side. landmarks (N,33,3) in camera axes, any origin; position (N,3) of the hips, from the camera.
    """
    trunk = _unit(landmarks[:, 11:13].mean(1) - landmarks[:, 23:25].mean(1))
    to_left = landmarks[:, 11] - landmarks[:, 12] + landmarks[:, 23] - landmarks[:, 24]
    to_left = _unit(to_left - trunk * (to_left * trunk).sum(-1, keepdim=True))
    forward = torch.linalg.cross(to_left, trunk, dim=-1)
    to_camera = -_unit(position)
    along = torch.stack([(to_camera * forward).sum(-1), -(to_camera * to_left).sum(-1)], -1)
    return along / along.norm(dim=-1, keepdim=True).clamp_min(1e-6)


def view_of(turn: Tensor) -> Tensor:
    """(N,2) of ``facing`` -> (N,) one of VIEWS."""
    cosine, sine = turn[:, 0], turn[:, 1]
    aside = torch.where(sine > 0, RIGHT, LEFT)
    return torch.where(cosine.abs() > sine.abs(), torch.where(cosine > 0, FRONT, BACK), aside)


def covariates(landmarks: Tensor, position: Tensor, classes: Tensor) -> Tensor:
    """(N,7) as COVARIATES: the trunk's share of the image's up (1 upright, -1 upside down) and of the line of sight
    (1 head away), cosine and absolute sine of ``facing``, and the shares of landmarks in each class (N,33) but SEEN.
    """
    trunk = _unit(landmarks[:, 11:13].mean(1) - landmarks[:, 23:25].mean(1))
    turn = facing(landmarks, position)
    away = (trunk * _unit(position)).sum(-1)
    shares = [(classes == kind).to(landmarks).mean(1) for kind in (BY_SELF, BY_OTHER, OUTSIDE)]
    return torch.stack([-trunk[:, 1], away, turn[:, 0], turn[:, 1].abs(), *shares], 1)


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm(dim=-1, keepdim=True).clamp_min(1e-6)
