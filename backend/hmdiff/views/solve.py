"""Bodies that several cameras see, guided by all their pictures at once; knows nothing of takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation
from ..refine.guide import GuideOptions
from ..refine.losses.views import CalibratedViews
from ..refine.refiner import Bodies, RefinedBodies, Refiner, Wishes, refine_bodies
from .triangulate import triangulate

VIEWS = GuideOptions(tau=100, dt=20, outer=4, step="gauss_newton")
CALIBRATED, CONSISTENT, PICTURE = 0.03, 0.0002, 0.003
SCALE = 0.06
LEAST_POINTS = 4


def _never() -> bool:
    return False


def _nobody(share: float) -> None:
    """Hears nothing."""


def solve_calibrated(
    refiner: Refiner, bodies: Bodies, rig: CalibratedViews, should_stop: Callable[[], bool] = _never,
    heard: Callable[[float], None] = _nobody,
) -> RefinedBodies:  # fmt: skip
    """bodies (n rows): one per moment in the frame of ``rig``; their place is triangulated first."""
    bodies = replace(bodies, transl=_triangulated(refiner, bodies, rig))
    wishes = Wishes(reprojection=0.0, calibrated=CALIBRATED, views=rig, scale=SCALE, place_first=False, together=False)
    return refine_bodies(refiner, bodies, wishes, VIEWS, should_stop, heard)


@torch.no_grad()
def _triangulated(refiner: Refiner, bodies: Bodies, rig: CalibratedViews) -> Tensor:
    """(n,3): where the posed bodies come nearest to the triangulated keypoints; as they were, where few are seen."""
    rotations = axis_angle_to_matrix(bodies.pose.reshape(-1, 24, 3))
    model = refiner.figure.pose(refiner.figure.tables(bodies.betas), rotations)[2]
    rays = (rig.points - rig.principal[:, :, None]) / rig.focal[..., None, None]
    parts = (rays, rig.confidence, rig.rotation, rig.translation)
    found, sure = triangulate(*(one.double().numpy() for one in parts))
    weight = torch.from_numpy(sure).float()
    away = torch.where(weight[..., None] > 0, torch.from_numpy(found).float() - model, 0.0)
    middle = (weight[..., None] * away).sum(1) / weight.sum(1, keepdim=True).clamp_min(1e-6)
    enough = (weight > 0).sum(1) >= LEAST_POINTS
    return torch.where(enough[:, None], middle, bodies.transl)


def solve_consistent(
    refiner: Refiner, bodies: Bodies, group: Tensor, should_stop: Callable[[], bool] = _never,
    heard: Callable[[float], None] = _nobody,
) -> tuple[RefinedBodies, Tensor]:  # fmt: skip
    """bodies: a row per moment and camera, each with its own root and place; group (B,) long: rows of one moment -> the
    rows, and the pose (B,72) on which each moment's cameras agree, with the row's own root.
    """
    wishes = Wishes(reprojection=PICTURE, consistency=CONSISTENT, group=group, scale=SCALE, together=False)
    found = refine_bodies(refiner, bodies, wishes, VIEWS, should_stop, heard)
    turns = axis_angle_to_matrix(found.pose.reshape(-1, 24, 3))
    agreed = agreed_rotations(turns, bodies.confidence.mean(1), group)[group]
    agreed[:, 0] = turns[:, 0]
    return found, matrix_to_axis_angle(agreed).flatten(1)


def agreed_rotations(turns: Tensor, trust: Tensor, group: Tensor) -> Tensor:
    """turns (B,24,3,3), trust (B,), group (B,) -> (G,24,3,3): each group's mean."""
    total = turns.new_zeros(int(group.max()) + 1, 24, 3, 3)
    total = total.index_add(0, group, trust.clamp_min(0.05)[:, None, None, None] * turns)
    # a group without rows is nobody's; any rotation will do
    empty = total.abs().sum((1, 2, 3)) == 0
    return nearest_rotation(torch.where(empty[:, None, None, None], torch.eye(3), total))
