"""A pool of mocap poses to draw from, balanced and augmented.

The pool reads the project's mocap bundle (``mocap_cmu_poses.npz``) or what ``mocap_files`` makes of a folder of
AMASS-style npz and CMU BVH files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from hmdiff_wire.errors import HmdiffError
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix

MIRROR = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22)
COLLARS, SHOULDERS = (13, 14), (16, 17)

COLLAR_REST = (((0.95, 0.31, 0.0), 13), ((-0.95, 0.31, 0.0), 14))
"""The bundle's rest direction of collar -> shoulder (README_mocap.md)."""

LIMBS = ((13, 16, 18, 20, 22), (14, 17, 19, 21, 23), (1, 4, 7, 10), (2, 5, 8, 11))
TILTED, TILT_STD = 0.12, 40.0
"""Share of augmented people whose whole body is leant over, and how far (degrees): mocap has few who lie or fall."""

UPPER_BODY = (3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)


@dataclass(frozen=True)
class PosePool:
    """poses (P,24,3) axis-angle, local, y up; weight (P,) sampling weight; hands_valid (P,)."""

    poses: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.poses)

    def to(self, device: torch.device | str) -> PosePool:
        return PosePool(self.poses.to(device), self.weight.to(device))


def load_pose_pool(path: Path, split: str = "train") -> PosePool:
    """split: ``train`` or ``test`` (by subject). Half of the weight is spread over poses, half over pose clusters.

    Errors: ``mocap.not_found``, ``mocap.unreadable``.
    """
    path = Path(path)
    if path.is_dir():
        bundle = path / "mocap_cmu_poses.npz"
        if not bundle.is_file():
            from .mocap_files import load_mocap_folder

            poses = torch.from_numpy(load_mocap_folder(path, split))
            return PosePool(poses, torch.full((len(poses),), 1.0 / len(poses)))
        path = bundle
    if not path.is_file():
        raise HmdiffError(
            "mocap.not_found", f"There is no motion capture data at {path}.",
            "Give --data a mocap_cmu_poses.npz, or a folder of AMASS-style .npz or CMU .bvh files.",
        )  # fmt: skip
    try:
        with np.load(path, allow_pickle=False) as data:
            chosen = data["pose_split"] == {"train": 0, "test": 1}[split]
            poses = data["poses"][chosen].astype(np.float32)
            cluster = data["pose_cluster"][chosen].astype(np.int64)
    except (KeyError, ValueError, OSError) as error:
        raise HmdiffError(
            "mocap.unreadable",
            f"{path.name} is not a motion capture bundle.",
            "Use the file as it was handed out.",
            repr(error),
        ) from error
    per_cluster = 1.0 / np.bincount(cluster, minlength=cluster.max() + 1)[cluster]
    weight = 0.5 / len(poses) + 0.5 * per_cluster / per_cluster.sum()
    return PosePool(torch.from_numpy(poses), torch.from_numpy(weight.astype(np.float32)))


def collar_correction(poses: Tensor, shoulder_direction: Tensor) -> Tensor:
    """Constant rotations (2,3,3) to put after the collars, so that relaxed arms leave the body's own collars at rest.

    poses (P,24,3); shoulder_direction (2,3): the body's rest direction collar -> shoulder. None where no arm hangs.
    Source: method_notes 4.3.
    """
    matrices = axis_angle_to_matrix(poses[:: max(1, len(poses) // 4000)])
    corrections = []
    for side, (rest, joint) in enumerate(COLLAR_REST):
        arm = matrices[:, joint] @ matrices[:, SHOULDERS[side]]
        hanging = arm[:, 1, 0] * (1.0 if side == 0 else -1.0) < -0.85
        relaxed = matrices[hanging, joint] @ torch.tensor(rest).to(poses)
        if not len(relaxed):
            corrections.append(torch.eye(3).to(poses))
            continue
        relaxed = torch.nn.functional.normalize(relaxed.mean(0), dim=0)
        corrections.append(_rotation_between(relaxed, shoulder_direction[side]))
    return torch.stack(corrections)


def apply_collar_correction(rotations: Tensor, corrections: Tensor) -> Tensor:
    """rotations (N,24,3,3) local. Turns the collars and keeps every arm bone's world direction."""
    fixed = rotations.clone()
    for side, collar in enumerate(COLLARS):
        new = corrections[side] @ rotations[:, collar]
        fixed[:, collar] = new
        fixed[:, SHOULDERS[side]] = new.transpose(1, 2) @ rotations[:, collar] @ rotations[:, SHOULDERS[side]]
    return fixed


def sample_rotations(pool: PosePool, count: int, generator: torch.Generator, augment: bool = True) -> Tensor:
    """Draw local rotations (count,24,3,3), root in mocap axes (y up).

    augment: mirror half, give a fifth the upper body of somebody else and a sixth one limb of somebody else, perturb
    joints by a few degrees, lean some over (``TILTED``).
    """
    device = pool.poses.device
    poses = pool.poses[torch.multinomial(pool.weight, count, replacement=True, generator=generator)].clone()
    if augment:
        other = poses[torch.randperm(count, generator=generator, device=device)]
        swap = torch.rand(count, generator=generator, device=device) < 0.2
        upper = torch.zeros(24, dtype=torch.bool, device=device)
        upper[list(UPPER_BODY)] = True
        poses = torch.where((swap[:, None] & upper)[..., None], other, poses)
        poses = _with_other_limb(poses, generator)
        mirrored = poses[:, list(MIRROR)] * torch.tensor([1.0, -1.0, -1.0], device=device)
        flip = torch.rand(count, generator=generator, device=device) < 0.5
        poses = torch.where(flip[:, None, None], mirrored, poses)
    rotations = axis_angle_to_matrix(poses)
    if augment:
        spread = 0.06 * torch.rand(count, 1, 1, generator=generator, device=device) * 2
        jitter = torch.randn(count, 24, 3, generator=generator, device=device) * spread
        rotations = rotations @ axis_angle_to_matrix(jitter)
        rotations = torch.cat([(_leaning(count, generator, device) @ rotations[:, 0])[:, None], rotations[:, 1:]], 1)
    return rotations


def _with_other_limb(poses: Tensor, generator: torch.Generator) -> Tensor:
    """A sixth of the people (N,24,3) get one arm or leg of somebody else."""
    count, device = len(poses), poses.device
    other = poses[torch.randperm(count, generator=generator, device=device)]
    member = torch.zeros(len(LIMBS) + 1, 24, 1, dtype=torch.bool, device=device)
    for row, limb in enumerate(LIMBS):
        member[row, list(limb)] = True
    which = torch.randint(len(LIMBS), (count,), generator=generator, device=device)
    chosen = torch.rand(count, generator=generator, device=device) < 1 / 6
    return torch.where(member[torch.where(chosen, which, len(LIMBS))], other, poses)


def _leaning(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """(N,3,3) turns about a horizontal axis, none for most; y is up."""
    way = 2 * torch.pi * torch.rand(count, generator=generator, device=device)
    angle = torch.deg2rad(TILT_STD * torch.randn(count, generator=generator, device=device))
    angle = angle * (torch.rand(count, generator=generator, device=device) < TILTED)
    return axis_angle_to_matrix(torch.stack([way.cos() * angle, torch.zeros_like(angle), way.sin() * angle], -1))


def _rotation_between(source: Tensor, target: Tensor) -> Tensor:
    source, target = torch.nn.functional.normalize(source, dim=0), torch.nn.functional.normalize(target, dim=0)
    axis = torch.linalg.cross(source, target)
    angle = torch.atan2(axis.norm(), source @ target)
    return axis_angle_to_matrix(torch.nn.functional.normalize(axis, dim=0) * angle)
