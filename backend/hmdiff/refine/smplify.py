"""Fitting without a network (SMPLify, Bogo et al. 2016): robust reprojection, a pose prior, a shape prior, in stages.

The baseline beside ScoreHMR, and the way where there are no weights. It takes the same ``Problem`` with the same
losses; its code holds the betas, so the shape is solved too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .adam import RowAdam, by_row
from .guide import Guided
from .losses.prior import fitted_shape_loss, pose_prior_loss
from .pose_code import BetaRange, PoseCode
from .pose_prior import PosePrior, load_pose_prior
from .problem import Problem, Term

NOISE = 6.0
"""Expected error of a keypoint in px of a crop of 500, which weighs the picture against the priors."""
DATA_WEIGHT = 0.5 / NOISE**2
BETAS = PoseCode(BetaRange((-1.0,) * 10, (1.0,) * 10))
"""Poses with betas as they are."""


@dataclass(frozen=True)
class Stage:
    """steps of Adam; rate for the code; pose, shape: weights of the priors; whole: False turns and moves the body
    without bending it."""

    steps: int
    rate: float
    pose: float
    shape: float
    whole: bool = True


STAGES = (
    Stage(30, 0.02, 4.0, 4.0, whole=False),
    Stage(40, 0.02, 6.0, 4.0),
    Stage(40, 0.015, 2.5, 2.0),
    Stage(40, 0.008, 1.0, 1.0),
)


def smplify(
    problem: Problem,
    rotations: Tensor,
    stages: tuple[Stage, ...] = STAGES,
    prior: PosePrior | None = None,
    fixed: Tensor | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Guided:
    """Fit from rotations (B,24,3,3) and the problem's betas and translation. The problem's terms are the data, each
    with its weight (``DATA_WEIGHT`` for a reprojection alone).

    x of the result is (B,154), read by ``BETAS``; loss is that of the last stage. Errors: ``weights.missing`` for the
    prior.
    """
    prior = prior or load_pose_prior()
    held = torch.zeros(len(rotations), dtype=torch.bool, device=rotations.device) if fixed is None else fixed
    start = BETAS.encode(rotations, problem.betas)
    # the last stage's loss judges the start as well as the end
    final = _with_priors(problem, stages[-1], prior)
    along = final.along()
    values, rates = tuple(one.value for one in along), tuple(one.rate for one in along)
    with torch.no_grad():
        first = final(start, values)
    x, done, total, complete = start.clone(), 0, sum(stage.steps for stage in stages), True
    for stage in stages:
        objective = _with_priors(problem, stage, prior)
        adam = RowAdam((x, *values))
        free = torch.zeros(x.shape[1], device=x.device)
        free[: 6 if not stage.whole else None] = 1.0
        for _ in range(stage.steps):
            if should_stop():
                complete = False
                break
            leaf = x.detach().requires_grad_(True)
            leaves = tuple(value.detach().requires_grad_(True) for value in values)
            placed = torch.where(by_row(held, leaf), start, leaf)
            loss = objective(placed, leaves).sum()
            gradients = torch.autograd.grad(loss, (leaf, *leaves), allow_unused=True, materialize_grads=True)
            x, *rest = adam.step((x, *values), (gradients[0] * free, *gradients[1:]), (stage.rate, *rates), ~held)
            values = tuple(rest)
            done += 1
            on_progress(done / total)
        if not complete:
            break
    with torch.no_grad():
        loss = final(torch.where(by_row(held, x), start, x), values)
        better = (torch.isfinite(loss) & (loss < first)) & ~held
    kept = tuple(torch.where(by_row(better, new), new, one.value) for new, one in zip(values, along, strict=True))
    x = torch.where(better[:, None], x, start)
    steps = torch.full((len(x),), done, device=x.device)
    return Guided(x, kept, torch.minimum(loss.nan_to_num(torch.inf), first), first, steps, ~better, complete)


def _with_priors(problem: Problem, stage: Stage, prior: PosePrior) -> Problem:
    terms = (
        *problem.terms,
        Term("pose prior", stage.pose, lambda posed: pose_prior_loss(posed, prior)),
        Term("shape prior", 0.5 * stage.shape, fitted_shape_loss),
    )
    return replace(problem, code=BETAS, terms=terms)
