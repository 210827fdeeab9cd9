"""c: what the denoiser is told of the picture, as numbers whose meaning outlives any one network.

The detector's landmarks as the regressor gets them, and the regressor's answer in metres: points on m and the moments
of U. Not its hidden state, which means something else after every training; so a denoiser stays usable with a new
regressor, and without one: either part may be missing, and training hides each at times.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.inputs import LANDMARK_FEATURES, ModelInputs
from ..models.regressor import N_J14, Regression

LANDMARK_PART = 33 * LANDMARK_FEATURES + 3 + 3
POINTS = 57
"""24 joints and 33 landmarks read off m."""
REGRESSION_PART = 3 * POINTS + 2 * 3 * N_J14
SIZE = LANDMARK_PART + REGRESSION_PART + 2
"""Two flags at the end: landmarks known, regression known."""


@dataclass(frozen=True)
class ConditionMaps:
    """points (57,431): coarse vertices to joints and landmarks."""

    points: Tensor

    @classmethod
    def of(cls, coarse_joints: Tensor, coarse_landmarks: Tensor) -> ConditionMaps:
        """coarse_joints (24,431), coarse_landmarks (33,431), as in ``JointMaps``."""
        return cls(torch.cat([coarse_joints, coarse_landmarks]).float())


def condition(inputs: ModelInputs | None, regression: Regression | None, maps: ConditionMaps, count: int) -> Tensor:
    """(count, SIZE) float32; zeros and a flag of 0 for what is None. Landmarks and no regression: outside keypoints;
    neither: an outside pose.
    """
    landmarks = torch.zeros(count, LANDMARK_PART)
    answer = torch.zeros(count, REGRESSION_PART)
    if inputs is not None:
        crop = torch.cat([inputs.crop[:, :2], inputs.crop[:, 2:].clamp_min(1e-3).log()], 1)
        # the heatmaps' and the mask's flags say nothing of these numbers, but cost nothing
        landmarks = torch.cat([inputs.landmarks.flatten(1), inputs.flags, crop], 1).float()
    if regression is not None:
        points = torch.einsum("kv,nvc->nkc", maps.points.to(regression.mesh.device), regression.mesh.float())
        points = points - points[:, :1]
        mean, covariance = regression.u.moments()
        spread = torch.diagonal(covariance, dim1=-2, dim2=-1).clamp_min(1e-8).log() / 2
        answer = torch.cat([points.flatten(1), mean.flatten(1), spread.flatten(1)], 1).float()
    known = torch.tensor([float(inputs is not None), float(regression is not None)])
    device = landmarks.device if inputs is not None else answer.device
    return torch.cat([landmarks.to(device), answer.to(device), known.to(device).expand(count, 2)], 1)


def hide(condition: Tensor, landmarks: Tensor, regression: Tensor) -> Tensor:
    """The same with a part taken away where the flags (B,) bool say so."""
    keep_landmarks = (~landmarks).to(condition)[:, None]
    keep_regression = (~regression).to(condition)[:, None]
    parts = torch.split(condition, [LANDMARK_PART, REGRESSION_PART, 1, 1], 1)
    return torch.cat(
        [parts[0] * keep_landmarks, parts[1] * keep_regression, parts[2] * keep_landmarks, parts[3] * keep_regression],
        1,
    )
