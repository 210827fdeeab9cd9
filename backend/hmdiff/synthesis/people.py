"""Synthetic people in front of synthetic cameras: exact meshes, joints and projected landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..bodies.hierarchy import Hierarchy
from ..bodies.joint_maps import JointMaps
from ..bodies.model import BodyModel
from ..bodies.rotations import axis_angle_to_matrix
from .poses import PosePool, apply_collar_correction, collar_correction, sample_rotations


@dataclass(frozen=True)
class SynthesisSetup:
    """All that making people needs, on one device."""

    pool: PosePool
    body: BodyModel
    coarse: BodyModel
    coarse_joints: Tensor
    coarse_landmarks: Tensor
    collar: Tensor
    augment: bool = True

    @property
    def device(self) -> torch.device:
        return self.coarse.template.device


@dataclass(frozen=True)
class People:
    """N people. Camera axes (x right, y down, z forward), metres; focal length 1, principal point 0.

    betas (N,10); rotations (N,24,3,3) local with the root in camera axes; pelvis (N,3) position;
    vertices (N,431,3), joints (N,24,3), landmarks (N,33,3) relative to the pelvis joint;
    landmarks_2d (N,33,2), vertices_2d (N,431,2) on the image plane at z = 1.
    """

    betas: Tensor
    rotations: Tensor
    pelvis: Tensor
    vertices: Tensor
    joints: Tensor
    landmarks: Tensor
    landmarks_2d: Tensor
    vertices_2d: Tensor


@dataclass(frozen=True)
class CameraRanges:
    """Angles in degrees (a positive pitch looks down), distances in metres.

    After WHAM's sampler (method_notes 4.1), a little wider.
    """

    pitch_mean: float = 6.0
    pitch_std: float = 18.0
    roll_std: float = 7.0
    nearest: float = 1.6
    farthest: float = 12.0
    off_axis: float = 22.0


def make_setup(
    pool: PosePool,
    body: BodyModel,
    hierarchy: Hierarchy,
    maps: JointMaps,
    device: torch.device | str,
    augment: bool = True,
) -> SynthesisSetup:
    """Bundle the parts on a device; the collar correction is worked out from the pool and the body."""
    rest = body.joint_template
    direction = torch.stack([rest[16] - rest[13], rest[17] - rest[14]])
    return SynthesisSetup(
        pool=pool.to(device),
        body=body,
        coarse=hierarchy.coarse(body).to(device),
        coarse_joints=torch.from_numpy(maps.coarse_joints).to(device),
        coarse_landmarks=torch.from_numpy(maps.coarse_landmarks).to(device),
        collar=collar_correction(pool.poses, direction).to(device),
        augment=augment,
    )


def sample_people(
    setup: SynthesisSetup,
    count: int,
    generator: torch.Generator,
    cameras: CameraRanges | None = None,
    beta_std: float = 1.2,
) -> People:
    """Draw people; all randomness comes from generator (on setup's device)."""
    device = setup.device
    rotations = sample_rotations(setup.pool, count, generator, setup.augment)
    rotations = apply_collar_correction(rotations, setup.collar)
    betas = beta_std * torch.randn(count, 10, generator=generator, device=device)
    turn, pelvis = sample_cameras(count, generator, cameras or CameraRanges(), device)
    rotations[:, 0] = turn @ rotations[:, 0]
    return place_people(setup, betas, rotations, pelvis)


def place_people(setup: SynthesisSetup, betas: Tensor, rotations: Tensor, pelvis: Tensor) -> People:
    """Pose, centre on the pelvis joint and project. rotations (N,24,3,3) with the root in camera axes."""
    vertices, joints = setup.coarse(betas, rotations)
    root = joints[:, :1]
    vertices, joints = vertices - root, joints - root
    landmarks = torch.einsum("kv,nvc->nkc", setup.coarse_landmarks, vertices)
    return People(
        betas, rotations, pelvis, vertices, joints, landmarks,
        project(landmarks + pelvis[:, None]), project(vertices + pelvis[:, None]),
    )  # fmt: skip


def sample_cameras(
    count: int, generator: torch.Generator, ranges: CameraRanges, device: torch.device
) -> tuple[Tensor, Tensor]:
    """World (y up) -> camera rotations (N,3,3) with a uniform heading, and pelvis positions (N,3)."""

    def normal(std: float, mean: float = 0.0) -> Tensor:
        return torch.deg2rad(mean + std * torch.randn(count, generator=generator, device=device))

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator, device=device)

    zero = torch.zeros(count, device=device)
    heading = axis_angle_to_matrix(torch.stack([zero, uniform(-np.pi, np.pi), zero], -1))
    # A camera above the person looks down: the world's up leans towards the camera, which is -z.
    tilt = axis_angle_to_matrix(torch.stack([normal(ranges.pitch_std, ranges.pitch_mean), zero, zero], -1))
    roll = axis_angle_to_matrix(torch.stack([zero, zero, normal(ranges.roll_std)], -1))
    upright = torch.diag(torch.tensor([1.0, -1.0, -1.0], device=device))
    distance = torch.exp(uniform(float(np.log(ranges.nearest)), float(np.log(ranges.farthest))))
    aside = torch.deg2rad(uniform(-ranges.off_axis, ranges.off_axis))
    up_down = torch.deg2rad(uniform(-ranges.off_axis, ranges.off_axis)) * 0.6
    pelvis = torch.stack([torch.tan(aside), torch.tan(up_down), torch.ones_like(zero)], -1) * distance[:, None]
    return roll @ tilt @ upright @ heading, pelvis


def project(points: Tensor) -> Tensor:
    """(...,3) camera axes -> (...,2) on the plane z = 1; points behind the camera are clamped to 10 cm before it."""
    return points[..., :2] / points[..., 2:].clamp_min(0.1)
