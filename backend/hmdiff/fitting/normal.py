"""Gauss-Newton's normal equations from second moments."""

from __future__ import annotations

import torch
from torch import Tensor

from .linear import Linear


def normal_equations(
    at: Linear, residual: Tensor, weight: Tensor, hint: Tensor | None, joint_weight: float
) -> tuple[Tensor, Tensor]:
    """Matrix (B,P,P), upper triangle only, and right side (B,P) for P = 72 turns + 3 translation (+ S betas).

    residual (B,V,3) target minus current; weight (B,V). With skew(a) the cross product's matrix the blocks are
    skew(a_k)^T skew(a_l) = (a_k . a_l) I - a_l a_k^T and skew(a_k) d = a_k x d, so one Gram matrix of
    [arms | residual | 1 | shape] holds all of them.
    """
    arms, shape = at.vertex_arms, at.vertex_shape
    if hint is not None:
        arms = torch.cat([arms, at.joint_arms], 1)
        residual = torch.cat([residual, hint - at.joints], 1)
        weight = torch.cat([weight, torch.full_like(hint[..., 0], joint_weight)], 1)
        if shape is not None and at.joint_shape is not None:
            shape = torch.cat([shape, at.joint_shape], 1)
    count, points = weight.shape
    columns = [arms.reshape(count, points, 72), residual, residual.new_ones(count, points, 1)]
    if shape is not None:
        columns.append(shape.reshape(count, points, -1))
    table = torch.cat(columns, -1).mul_(weight.sqrt()[..., None])
    gram = table.transpose(1, 2) @ table

    turn = gram[:, :72, :72].view(count, 3, 24, 3, 24)
    dot = turn.diagonal(dim1=1, dim2=3).sum(-1)
    blocks = -turn.permute(0, 2, 3, 4, 1).clone()
    blocks.diagonal(dim1=2, dim2=4).add_(dot[..., None])
    with_residual = _cross(gram[:, :72, 72:75].view(count, 3, 24, 3))
    sums = gram[:, :72, 75].view(count, 3, 24).transpose(1, 2)
    size = 0 if shape is None else shape.shape[-1]
    matrix = gram.new_zeros(count, 75 + size, 75 + size)
    right = gram.new_zeros(count, 75 + size)
    matrix[:, :72, :72] = blocks.reshape(count, 72, 72)
    matrix[:, :72, 72:75] = _skew(sums).reshape(count, 72, 3)
    matrix[:, 72:75, 72:75] = gram[:, 75, 75, None, None] * torch.eye(3, device=gram.device)
    right[:, :72] = with_residual.reshape(count, 72)
    right[:, 72:75] = gram[:, 72:75, 75]
    if shape is not None:
        crossed = gram[:, :72, 76:].view(count, 3, 24, 3, size)
        for beta in range(size):
            matrix[:, :72, 75 + beta] = _cross(crossed[..., beta]).reshape(count, 72)
        matrix[:, 72:75, 75:] = gram[:, 75, 76:].view(count, 3, size)
        matrix[:, 75:, 75:] = gram[:, 76:, 76:].view(count, 3, size, 3, size).diagonal(dim1=1, dim2=3).sum(-1)
        right[:, 75:] = gram[:, 72:75, 76:].view(count, 3, 3, size).diagonal(dim1=1, dim2=2).sum(-1)
    return matrix, right


def _cross(moments: Tensor) -> Tensor:
    """Sum of a_k x d from moments (B,3,24,3) = sum of a_k[c] d[e] -> (B,24,3)."""
    m = moments
    parts = [m[:, 1, :, 2] - m[:, 2, :, 1], m[:, 2, :, 0] - m[:, 0, :, 2], m[:, 0, :, 1] - m[:, 1, :, 0]]
    return torch.stack(parts, -1)


def _skew(vectors: Tensor) -> Tensor:
    """(...,3) -> (...,3,3) with skew(a) d = a x d."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
