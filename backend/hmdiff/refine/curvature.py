"""Gauss-Newton steps for guidance: how steep a problem is, from the body's levers in closed form.

ScoreHMR moves x0 by (1 - a) / a times the gradient. That is one step of gradient descent on the gradient's loss plus
a / (2 (1 - a)) |x - x0|^2, the denoiser's say; where a hip moves twenty keypoints and a wrist one, it is too long for
the hip and too short for the wrist. Here the same sum is solved to second order (cf. method_notes A9): the curvature
of picture terms from the points' levers, of other terms as they name it. Any differentiable loss still gives the
gradient; curvature only shapes the step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..fitting.linear import kinematic_tree
from .figure import Posed
from .losses.reprojection import CROP, Keypoints
from .losses.views import CalibratedViews
from .pose_code import POSE_SIZE
from .problem import Problem


@dataclass(frozen=True)
class Levers:
    """How points (B,K,3,D) and joints (B,24,3,D) move with the pose code and, in the last three columns, transl."""

    points: Tensor
    joints: Tensor


def levers(problem: Problem, posed: Posed) -> Levers:
    """D = 144 + 3. Codes are taken to be near rotations, as they are: Gram-Schmidt's stretch is left out."""
    figure = problem.figure
    world, joints = posed.world, posed.joints - posed.transl[:, None]
    count, device = len(world), world.device
    carries = kinematic_tree(figure.body.parents).carries.to(world)
    k = len(figure.share)
    carry = problem.shaped(posed.betas).carry.view(count, k, 24, 3)
    on_bone = torch.einsum("bjac,bkjc->bkja", world, carry) + figure.share[:, :, None] * joints[:, None]
    below = torch.einsum("ij,bkja->bkia", carries, on_bone)
    mass = figure.share @ carries.T
    arms = below - mass[..., None] * joints[:, None]
    joint_arms = carries.T[None, :, :, None] * (joints[:, :, None] - joints[:, None])
    parents = list(figure.body.parents)
    above = torch.cat([torch.eye(3, device=device).expand(count, 1, 3, 3), world[:, parents[1:]]], 1)
    turn = above @ _turn_of_code(posed.rotations)
    return Levers(_with_transl(_cross(turn, arms)), _with_transl(_cross(turn, joint_arms)))


def _turn_of_code(rotations: Tensor) -> Tensor:
    """(B,24,3,3) -> (B,24,3,6): the small turn, in the parent's axes, that a change of the 6D columns makes."""
    first, second, third = rotations.unbind(-1)
    across = third[..., :, None] * second[..., None, :] - second[..., :, None] * third[..., None, :]
    return torch.cat([across, first[..., :, None] * third[..., None, :]], -1)


def _cross(turn: Tensor, arms: Tensor) -> Tensor:
    """turn (B,24,3,6), arms (B,K,24,3) -> turn x arm, (B,K,3,144)."""
    columns = turn.transpose(-1, -2)[:, None]
    moved = torch.linalg.cross(columns.expand(-1, arms.shape[1], -1, -1, -1), arms[..., None, :], dim=-1)
    return moved.flatten(2, 3).transpose(-1, -2)


def _with_transl(moved: Tensor) -> Tensor:
    eye = torch.eye(3, device=moved.device).expand(*moved.shape[:2], 3, 3)
    return torch.cat([moved, eye], -1)


def _picture(points: Tensor, focal: Tensor, per_px: Tensor) -> Tensor:
    """Camera-axes points (B,K,3) -> (B,K,2,3): how a picture, in px of a crop of 500, moves with them."""
    inverse = 1 / points[..., 2].clamp_min(0.1)
    zero = torch.zeros_like(inverse)
    rows = [inverse, zero, -points[..., 0] * inverse**2, zero, inverse, -points[..., 1] * inverse**2]
    return torch.stack(rows, -1).unflatten(-1, (2, 3)) * (focal * per_px)[:, None, None, None]


def _robust(error: Tensor, scale: float | Tensor) -> Tensor:
    """Weight of a squared error under Geman-McClure."""
    return 1 / (1 + (error / (CROP * scale)).square()).square()


def _of_keypoints(posed: Posed, seen: Keypoints, scale: float | Tensor, moved: Levers) -> Tensor:
    per_px = CROP / seen.side
    rows = _picture(posed.points, posed.focal, per_px) @ moved.points
    depth = posed.points[..., 2:].clamp_min(0.1)
    place = posed.points[..., :2] / depth * posed.focal[:, None, None] + seen.principal[:, None]
    error = torch.where(seen.confidence[..., None] > 0, (place - seen.points) * per_px[:, None, None], 0.0)
    weight = 2 * seen.confidence.square()[..., None] * _robust(error, scale)
    return _gram(rows, weight)


def _of_views(posed: Posed, views: CalibratedViews, scale: float | Tensor, moved: Levers) -> Tensor:
    total = posed.code.new_zeros(())
    for v in range(views.focal.shape[1]):
        points = posed.points @ views.rotation[:, v].transpose(-1, -2) + views.translation[:, v, None]
        per_px = CROP / views.side[:, v]
        turned = views.rotation[:, v, None] @ moved.points
        rows = _picture(points, views.focal[:, v], per_px) @ turned
        place = points[..., :2] / points[..., 2:].clamp_min(0.1) * views.focal[:, v, None, None]
        error = (place + views.principal[:, v, None] - views.points[:, v]) * per_px[:, None, None]
        error = torch.where(views.confidence[:, v, :, None] > 0, error, 0.0)
        total = total + _gram(rows, 2 * views.confidence[:, v].square()[..., None] * _robust(error, scale))
    return total


def _gram(rows: Tensor, weight: Tensor) -> Tensor:
    """rows (B,K,2,D), weight (B,K,2) -> (B,D,D)."""
    scaled = (rows * weight.sqrt()[..., None]).flatten(1, 2)
    return scaled.transpose(1, 2) @ scaled


@dataclass(frozen=True)
class GaussNewton:
    """A ``Metric`` of ``guide`` for a Problem. The betas of a code and the focal length keep their plain steps."""

    problem: Problem

    @torch.no_grad()
    def __call__(
        self, clean: Tensor, along: tuple[Tensor, ...], gradient: Tensor, gradients: tuple[Tensor, ...], hold: float
    ) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        """gradient (B,D) of the loss by x0; hold: a / (1 - a), the stiffness of the denoiser's say -> the way against
        the gradient, for x0 and for each thing solved along (None: leave it to Adam).
        """
        problem = self.problem
        posed = problem.pose(clean, along)
        moved = levers(problem, posed)
        matrix = self._curvature(posed, moved)
        size = POSE_SIZE + (3 if problem.solve_transl else 0)
        matrix = matrix[:, :size, :size].clone()
        stiff = hold + sum(term.weight * term.code_curvature for term in problem.terms)
        diagonal = matrix.diagonal(dim1=1, dim2=2)
        diagonal[:, :POSE_SIZE] += stiff
        # metres: a place that nothing fixes moves little
        diagonal[:, POSE_SIZE:] += 1e-3 * diagonal[:, POSE_SIZE:] + 1e-3
        right = gradient[:, :POSE_SIZE]
        if problem.solve_transl:
            right = torch.cat([right, gradients[0]], 1)
        factor, failed = torch.linalg.cholesky_ex(matrix)
        step = torch.cholesky_solve(right[..., None], factor).squeeze(-1)
        good = (failed == 0) & torch.isfinite(step).all(1)
        step = torch.where(good[:, None], step, 0.0)
        full = gradient / hold
        full[:, :POSE_SIZE] = step[:, :POSE_SIZE]
        if not problem.solve_transl:
            return full, (None,) * len(along)
        limit = 0.2 * posed.transl[:, 2:].abs().clamp_min(0.5)
        shift = step[:, POSE_SIZE:]
        shift = shift * (limit / shift.norm(dim=1, keepdim=True).clamp_min(1e-9)).clamp_max(1.0)
        return full, (shift, *(None,) * (len(along) - 1))

    def _curvature(self, posed: Posed, moved: Levers) -> Tensor:
        total = posed.code.new_zeros(len(posed.code), POSE_SIZE + 3, POSE_SIZE + 3)
        joint = 0.0
        for term in self.problem.terms:
            if isinstance(term.picture, Keypoints):
                total = total + term.weight * _of_keypoints(posed, term.picture, term.scale, moved)
            elif isinstance(term.picture, CalibratedViews):
                total = total + term.weight * _of_views(posed, term.picture, term.scale, moved)
            joint += term.weight * term.joint_curvature
        if joint:
            rows = moved.joints.flatten(1, 2)
            total = total + joint * rows.transpose(1, 2) @ rows
        return total
