"""The baseline that looks at nothing: the mean of the training poses."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..bodies.model import BodyModel
from ..bodies.rotations import axis_angle_to_matrix, nearest_rotation
from ..synthesis.poses import apply_collar_correction, collar_correction, load_pose_pool


def mean_pose(body: BodyModel, mocap: Path) -> Tensor:
    """Mean local rotations (24,3,3) of the training poses on this body. Errors as ``load_pose_pool``."""
    poses = load_pose_pool(mocap, "train").poses
    rest = body.joint_template
    direction = torch.stack([rest[16] - rest[13], rest[17] - rest[14]])
    rotations = apply_collar_correction(axis_angle_to_matrix(poses), collar_correction(poses, direction))
    return nearest_rotation(rotations.mean(0))


@torch.no_grad()
def mean_pose_bodies(body: BodyModel, mean: Tensor, orientation: Tensor) -> tuple[Tensor, Tensor]:
    """The mean pose and shape, turned by ``orientation`` (B,3,3): knowing the heading favours this baseline.

    -> vertices (B,V,3), joints (B,24,3) about the pelvis joint, metres.
    """
    rotations = mean.expand(len(orientation), -1, -1, -1).clone()
    rotations[:, 0] = orientation
    vertices, joints = body(torch.zeros(len(orientation), body.n_betas), rotations)
    return vertices - joints[:, :1], joints - joints[:, :1]
