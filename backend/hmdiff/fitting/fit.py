"""Meshes to SMPL-format parameters: a closed-form start, then a few Gauss-Newton steps, batched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from hmdiff.bodies.model import BodyModel
from hmdiff.bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle

from .linear import Linear, Tree, kinematic_tree, linearise
from .normal import normal_equations
from .params import FittedBody, concatenate
from .parts import rotations_by_parts
from .prior import inverse_left_jacobian, pose_prior

SLICE = 64
_FLOOR = 5e-4
_OUTLIER = 0.05
_CORRELATION = 6.0
_STEP = 0.8
_CHI = 2.366
"""Median of a squared length in 3D over the variance per coordinate."""


@torch.no_grad()
def fit_body(
    body: BodyModel,
    vertices: Tensor,
    joints_hint: Tensor | None = None,
    betas: Tensor | None = None,
    iterations: int = 4,
    joint_weight: float = 4.0,
) -> FittedBody:
    """Parameters whose skinned vertices lie closest to the given ones.

    body: the model reduced to the same V' vertices (``BodyModel.subset``). vertices (B,V',3) metres in any frame, any
    origin; joints_hint (B,24,3) in the same frame, each counting as joint_weight vertices; betas (S,) or (B,S) when
    the shape is known, otherwise solved with a unit-variance prior. iterations: Gauss-Newton steps after the start.

    Vertices far off (over about three times the median residual) lose their say. The pose and shape priors weigh as
    much as the mesh is noisy, which the residual itself tells: a clean mesh is reproduced, a noisy one is kept human.
    Non-finite meshes give the rest pose with an infinite vertex_error_mm. Meshes go through in slices, so memory does
    not grow with B beyond the result.
    """
    tree = kinematic_tree(body.parents)
    tree = Tree(tree.carries.to(vertices.device), tree.levels)
    parts: list[FittedBody] = []
    with _one_thread():
        for start in range(0, len(vertices), SLICE):
            piece = slice(start, start + SLICE)
            shape = betas if betas is None or betas.dim() == 1 else betas[piece]
            hint = None if joints_hint is None else joints_hint[piece].float()
            parts.append(_fit_slice(body, tree, vertices[piece].float(), hint, shape, iterations, joint_weight))
    if not parts:
        empty = vertices.new_zeros
        return FittedBody(empty(0, 24, 3, 3), empty(0, 72), empty(0, body.n_betas), empty(0, 3), empty(0))
    return concatenate(parts)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Hundreds of small products gain nothing from a second thread, and waiting for it cost a factor of eight on two
    busy cores (MEASURED)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fit_slice(
    body: BodyModel, tree: Tree, vertices: Tensor, hint: Tensor | None, known: Tensor | None, iterations: int,
    joint_weight: float,
) -> FittedBody:  # fmt: skip
    count, free = len(vertices), known is None
    mean, spread = (table.to(vertices.device) for table in pose_prior())
    finite = torch.isfinite(vertices).flatten(1).all(1)
    vertices = torch.where(finite[:, None, None], vertices, body.template)
    betas = vertices.new_zeros(count, body.n_betas) if known is None else known.float().expand(count, -1)
    rotations = rotations_by_parts(body, tree, vertices, betas, spread)
    start, _ = body(betas, rotations)
    transl = (vertices - start).mean(1)

    for _ in range(iterations):
        at = linearise(body, tree, betas, rotations, transl, with_shape=free)
        residual = vertices - at.vertices
        weight, noise = _trust(residual)
        matrix, right = normal_equations(at, residual, weight, hint, joint_weight)
        _add_priors(matrix, right, body, at, rotations, betas if free else None, mean, spread, noise)
        step = _solve(matrix, right)
        turns = _limited(step[:, :72].view(count, 24, 3))
        rotations = _turn(body, at.world, rotations, turns)
        transl = transl + step[:, 72:75]
        if free:
            betas = (betas + step[:, 75:]).clamp(-6.0, 6.0)

    fitted, _ = body(betas, rotations, transl)
    error = 1000 * (fitted - vertices).norm(dim=-1).mean(1)
    error = torch.where(finite, error, torch.full_like(error, torch.inf))
    pose = matrix_to_axis_angle(rotations).flatten(1)
    return FittedBody(rotations, pose, betas.clone(), transl, error)


def _trust(residual: Tensor) -> tuple[Tensor, Tensor]:
    """Residuals (B,V,3) -> Cauchy weights (B,V) and the noise variance per coordinate (B,), m^2, from the median.

    The scale has a floor of _OUTLIER, or a hand that starts turned would count as an outlier of a clean mesh for ever.
    """
    square = residual.square().sum(-1)
    middle = square.median(dim=1, keepdim=True).values
    weight = 1 / (1 + square / (9 * middle).clamp_min(_OUTLIER**2))
    return weight, (middle[:, 0] / _CHI).clamp_min(_FLOOR**2)


def _add_priors(
    matrix: Tensor, right: Tensor, body: BodyModel, at: Linear, rotations: Tensor, betas: Tensor | None,
    mean: Tensor, spread: Tensor, noise: Tensor,
) -> None:  # fmt: skip
    """Gaussian priors on the local axis-angles and the betas, in place. Noise of meshes is correlated over the surface,
    so that a vertex says less than its residual suggests: _CORRELATION.
    """
    strength = _CORRELATION * noise
    angles = matrix_to_axis_angle(rotations[:, 1:])
    above = at.world[:, list(body.parents[1:])]
    jacobian = inverse_left_jacobian(angles) @ above.transpose(-1, -2)
    scaled = jacobian / spread[1:, :, None]
    blocks = strength[:, None, None, None] * (scaled.transpose(-1, -2) @ scaled)
    pull = scaled.transpose(-1, -2) @ ((mean[1:] - angles) / spread[1:])[..., None]
    right[:, 3:72] += strength[:, None] * pull.flatten(1)
    turns = matrix[:, 3:72, 3:72].unflatten(2, (23, 3)).unflatten(1, (23, 3))
    turns.diagonal(dim1=1, dim2=3).add_(blocks.permute(0, 2, 3, 1))
    if betas is not None:
        matrix[:, 75:, 75:].diagonal(dim1=1, dim2=2).add_(strength[:, None])
        right[:, 75:] -= strength[:, None] * betas


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    diagonal = matrix.diagonal(dim1=1, dim2=2)
    diagonal.add_(1e-4 * diagonal + 1e-5)
    factor, failed = torch.linalg.cholesky_ex(matrix, upper=True)
    step = torch.cholesky_solve(right[..., None], factor, upper=True).squeeze(-1)
    good = (failed == 0) & torch.isfinite(step).all(1)
    return torch.where(good[:, None], step, torch.zeros_like(step))


def _limited(turns: Tensor) -> Tensor:
    """No joint turns more than _STEP radians at once: the linearisation does not reach further."""
    length = turns.norm(dim=-1, keepdim=True)
    return turns * (_STEP / length.clamp_min(_STEP))


def _turn(body: BodyModel, world: Tensor, rotations: Tensor, turns: Tensor) -> Tensor:
    above = world[:, list(body.parents[1:])]
    local = torch.cat([turns[:, :1], (above.transpose(-1, -2) @ turns[:, 1:, :, None]).squeeze(-1)], 1)
    return axis_angle_to_matrix(local) @ rotations
