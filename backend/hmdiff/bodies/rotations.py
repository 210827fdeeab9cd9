"""Rotation representations in torch: axis-angle, matrices, 6D.

6D is the first two columns of the matrix, flattened column after column (method_notes 2.3; PyTorch3D uses rows).
"""

from __future__ import annotations

import torch
from torch import Tensor


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """(...,3) -> (...,3,3), Rodrigues; smooth at zero."""
    angle = torch.sqrt((axis_angle * axis_angle).sum(-1, keepdim=True) + 1e-16)
    axis = axis_angle / angle
    x, y, z = axis.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    sine, cosine = torch.sin(angle)[..., None], torch.cos(angle)[..., None]
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return eye + sine * cross + (1 - cosine) * (cross @ cross)


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """(...,3,3) -> (...,4), w first, w >= 0. Takes the largest of the four candidates, so it is stable everywhere."""
    m = matrix
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    squares = torch.stack(
        [1 + trace, 1 + 2 * m[..., 0, 0] - trace, 1 + 2 * m[..., 1, 1] - trace, 1 + 2 * m[..., 2, 2] - trace], -1
    )
    a, b, c = m[..., 2, 1], m[..., 0, 2], m[..., 1, 0]
    d, e, f = m[..., 1, 2], m[..., 2, 0], m[..., 0, 1]
    rows = torch.stack(
        [
            torch.stack([squares[..., 0], a - d, b - e, c - f], -1),
            torch.stack([a - d, squares[..., 1], c + f, b + e], -1),
            torch.stack([b - e, c + f, squares[..., 2], a + d], -1),
            torch.stack([c - f, b + e, a + d, squares[..., 3]], -1),
        ],
        -2,
    )
    best = squares.argmax(-1)
    chosen = torch.gather(rows, -2, best[..., None, None].expand(*best.shape, 1, 4)).squeeze(-2)
    quaternion = torch.nn.functional.normalize(chosen, dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """(...,3,3) -> (...,3), angle in [0, pi]."""
    quaternion = matrix_to_quaternion(matrix)
    vector = quaternion[..., 1:]
    length = vector.norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(length, quaternion[..., :1])
    return torch.where(length > 1e-7, angle / length.clamp_min(1e-7), torch.full_like(length, 2.0)) * vector


def matrix_to_6d(matrix: Tensor) -> Tensor:
    """(...,3,3) -> (...,6): first column, then second column."""
    return matrix[..., :2].transpose(-1, -2).flatten(-2)


def sixd_to_matrix(sixd: Tensor) -> Tensor:
    """(...,6) -> (...,3,3) by Gram-Schmidt (Zhou et al. 2019)."""
    a, b = sixd[..., :3], sixd[..., 3:]
    first = torch.nn.functional.normalize(a, dim=-1)
    second = torch.nn.functional.normalize(b - (first * b).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -1)


def nearest_rotation(matrix: Tensor) -> Tensor:
    """Closest rotation (...,3,3) to any matrix, determinant +1 (orthogonal Procrustes)."""
    u, _, vt = torch.linalg.svd(matrix)
    sign = torch.sign(torch.linalg.det(u @ vt))
    fix = torch.ones(*matrix.shape[:-2], 3, dtype=matrix.dtype, device=matrix.device)
    fix[..., 2] = sign
    return (u * fix[..., None, :]) @ vt
