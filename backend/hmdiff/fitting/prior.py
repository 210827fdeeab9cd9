"""How people bend: mean and spread of every SMPL joint, to decide what a noisy mesh leaves open.

Measured over the training subjects of the CMU motion capture data (mocap.cs.cmu.edu), balanced over pose clusters,
made symmetric and rounded; where the capture has no motion (hands) or locks an axis (knees) the spread is set by hand.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SIDE = (1.0, -1.0, -1.0)
"""Mirroring an axis-angle left to right keeps x and negates y and z."""

_MIDDLE = {
    0: ((0.0, 0.0, 0.0), (9.0, 9.0, 9.0)),
    3: ((0.08, 0.0, 0.0), (0.22, 0.13, 0.12)),
    6: ((0.05, 0.0, 0.0), (0.15, 0.12, 0.10)),
    9: ((-0.03, 0.0, 0.0), (0.12, 0.10, 0.10)),
    12: ((0.05, 0.0, 0.0), (0.30, 0.25, 0.18)),
    15: ((0.0, 0.0, 0.0), (0.25, 0.20, 0.20)),
}
_LEFT = {
    1: ((-0.45, 0.06, 0.08), (0.55, 0.28, 0.30)),
    4: ((0.85, 0.0, 0.0), (0.60, 0.10, 0.08)),
    7: ((-0.20, 0.08, 0.02), (0.30, 0.22, 0.15)),
    10: ((0.0, 0.0, 0.0), (0.20, 0.04, 0.04)),
    13: ((0.0, 0.04, 0.02), (0.10, 0.12, 0.15)),
    16: ((0.20, -0.55, -0.90), (0.60, 0.60, 0.65)),
    18: ((0.0, -1.05, 0.50), (0.25, 0.65, 0.40)),
    20: ((0.0, 0.10, 0.15), (0.30, 0.30, 0.35)),
    22: ((0.0, 0.0, 0.0), (0.08, 0.08, 0.10)),
}


def pose_prior() -> tuple[Tensor, Tensor]:
    """Mean (24,3) and standard deviation (24,3) of the local axis-angles, radians. The root's is next to flat."""
    mean, spread = torch.zeros(24, 3), torch.ones(24, 3)
    for joint, (centre, width) in (_MIDDLE | _LEFT).items():
        mean[joint], spread[joint] = torch.tensor(centre), torch.tensor(width)
    for joint, (centre, width) in _LEFT.items():
        mean[joint + 1], spread[joint + 1] = torch.tensor(centre) * torch.tensor(_SIDE), torch.tensor(width)
    return mean, spread


def inverse_left_jacobian(axis_angle: Tensor) -> Tensor:
    """(...,3) -> (...,3,3): how log(exp(d) exp(theta)) moves with d, for small d.

    Barfoot, State Estimation for Robotics, eq. 7.76b. The last coefficient is held where the angle nears a full turn.
    """
    angle = axis_angle.norm(dim=-1).clamp(1e-4, 5.0)[..., None, None]
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    half = 0.5 * angle
    quadratic = torch.where(angle < 0.05, torch.full_like(angle, 1 / 12), (1 - half / torch.tan(half)) / angle**2)
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return eye - 0.5 * cross + quadratic * (cross @ cross)
