"""Refinement of estimated bodies: what a command, the server's job or the add-on calls.

Rows are (frame, person, hypothesis) in any order; tracks tie them in time, and a track is one batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ..bodies.joint_maps import read_landmark_regressor
from ..bodies.model import BodyModel, load_free_body
from ..bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from . import condition as conditions
from .adam import by_row
from .curvature import GaussNewton
from .denoiser import ScoreDenoiser
from .figure import Figure
from .guide import PAPER, Guided, GuideOptions, guide
from .losses.reprojection import project_points
from .pose_code import PoseCode
from .problem import Problem
from .smplify import BETAS, DATA_WEIGHT, smplify
from .weights import load_score
from .wishes import DOUBTED, LITERAL, REPROJECTION, TRUSTED, Bodies, Wishes, make_problem, tied_rows

FAST = GuideOptions(tau=50, dt=10, outer=4, step="gauss_newton")
"""Chosen by measurement: twenty looks at the body instead of 250, nearer to the keypoints than those."""
DOUBT = GuideOptions(tau=200, dt=20, outer=4, step="gauss_newton")
"""For a detector's keypoints in a single picture: where the model's word counts for more than they do."""
THOROUGH = replace(FAST, outer=10)
PUBLISHED = PAPER
"""tau 50, dt 2, S 10 down the gradient; ``guide.MULTI_VIEW`` for several views."""
__all__ = [
    "DOUBT", "DOUBTED", "FAST", "LITERAL", "PUBLISHED", "THOROUGH", "TRUSTED", "Bodies", "RefinedBodies", "Refiner",
    "Wishes", "make_refiner", "refine_bodies",
]  # fmt: skip


@dataclass(frozen=True)
class Refiner:
    """figure: the body with the detector's 33 landmarks; denoiser: None to fit with SMPLify."""

    figure: Figure
    denoiser: ScoreDenoiser | None


@dataclass(frozen=True)
class RefinedBodies:
    """pose (B,72), betas (B,S), transl (B,3), focal (B,), joints (B,24,3) metres in camera axes, joints_2d (B,24,2) px;
    loss and first_loss (B,), parts: each loss (B,) by name; steps (B,); stopped (B,); complete: not cancelled.
    """

    pose: Tensor
    betas: Tensor
    transl: Tensor
    focal: Tensor
    joints: Tensor
    joints_2d: Tensor
    loss: Tensor
    first_loss: Tensor
    parts: dict[str, Tensor]
    steps: Tensor
    stopped: Tensor
    complete: bool


def make_refiner(
    body: BodyModel | None = None, points: Tensor | None = None, method: Literal["score", "smplify"] = "score"
) -> Refiner:
    """body: the free one if None; points (K,V): any joint map, the detector's landmarks on the free body if None.

    Errors: those of ``load_score``.
    """
    body = body or load_free_body()
    if points is None:
        points = torch.from_numpy(read_landmark_regressor(body.data))
    return Refiner(Figure.of(body, points), load_score().model if method == "score" else None)


def refine_bodies(
    refiner: Refiner,
    bodies: Bodies,
    wishes: Wishes | None = None,
    options: GuideOptions = FAST,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> RefinedBodies:
    """Pull the bodies towards what is wished. Locked rows come back to the bit; no loss ends above its start's (of a
    track or a group of views, their sum)."""
    wishes = wishes or Wishes()
    code = PoseCode() if refiner.denoiser is None else refiner.denoiser.config.code
    problem = make_problem(refiner.figure, code, bodies, wishes)
    rotations = axis_angle_to_matrix(bodies.pose.reshape(-1, 24, 3))
    locked = torch.zeros(len(bodies), dtype=torch.bool) if wishes.locked is None else wishes.locked
    if refiner.denoiser is None:
        scale = DATA_WEIGHT / REPROJECTION
        problem = replace(problem, terms=tuple(replace(t, weight=t.weight * scale) for t in problem.terms))
        found = smplify(problem, rotations, fixed=locked, should_stop=should_stop, on_progress=on_progress)
        return _finished(replace(problem, code=BETAS), bodies, found, locked)
    model = refiner.denoiser
    start = problem.code.encode(rotations, bodies.betas)
    told = bodies.condition
    if told is None:
        told = conditions.condition(None, None, _NO_MAPS, len(bodies))
    with torch.no_grad():
        context = model.context(told.to(start))
    found = guide(
        model, problem, start, context, model.bars, options, problem.along(), locked, should_stop, on_progress,
        GaussNewton(problem) if options.step == "gauss_newton" else None, tied_rows(bodies, wishes),
    )  # fmt: skip
    if wishes.share < 1:
        found = _part_of_the_way(problem, start, found, wishes.share)
    return _finished(problem, bodies, found, locked)


@torch.no_grad()
def _part_of_the_way(problem: Problem, start: Tensor, found: Guided, share: float) -> Guided:
    """Between the start and what was found; rows whose loss would rise there stay at the start."""
    x = start + share * (found.x - start)
    began = tuple(one.value for one in problem.along())
    along = tuple(old + share * (new - old) for old, new in zip(began, found.along, strict=True))
    loss = problem(x, along)
    good = torch.isfinite(loss) & (loss <= found.first_loss)
    return replace(
        found, x=torch.where(good[:, None], x, start), loss=torch.where(good, loss, found.first_loss),
        along=tuple(torch.where(by_row(good, new), new, old) for new, old in zip(along, began, strict=True)),
    )  # fmt: skip


_NO_MAPS = conditions.ConditionMaps(torch.zeros(conditions.POINTS, 0))


@torch.no_grad()
def _finished(problem: Problem, bodies: Bodies, found: Guided, locked: Tensor) -> RefinedBodies:
    posed = problem.pose(found.x, found.along)
    keep = locked[:, None]
    pose = torch.where(keep, bodies.pose, matrix_to_axis_angle(posed.rotations).flatten(1))
    return RefinedBodies(
        pose=pose,
        betas=torch.where(keep, bodies.betas, posed.betas),
        transl=torch.where(keep, bodies.transl, posed.transl),
        focal=posed.focal,
        joints=posed.joints,
        joints_2d=project_points(posed.joints, posed.focal, bodies.principal),
        loss=found.loss,
        first_loss=found.first_loss,
        parts=problem.parts(found.x, found.along),
        steps=found.steps,
        stopped=found.stopped,
        complete=found.complete,
    )
