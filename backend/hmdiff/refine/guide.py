"""Algorithm 1 of ScoreHMR: inversion to a noise level, then sampling that an objective guides, again and again.

Knows nothing of bodies: any denoiser eps(x_t, t, c), any objective over x0 and whatever is solved along (a camera's
translation). Rows are samples; they share nothing but what the objective ties, so a batch of independent rows gives
what each would give alone. As in the reference code no gradient goes through the denoiser (method_notes 2.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ..diffusion.ddim import ddim_step
from .adam import RowAdam, by_row
from .schedule import EpsModel, at_step, invert, one_step_clean, sampling_plan

Objective = Callable[[Tensor, tuple[Tensor, ...]], Tensor]
"""(x0 (B,D), along) -> (B,) each row's loss, weights included (the paper's rho are among them)."""

Metric = Callable[
    [Tensor, tuple[Tensor, ...], Tensor, tuple[Tensor, ...], float], tuple[Tensor, tuple[Tensor | None, ...]]
]
"""(x0, along, gradient by x0, gradients by along, a / (1 - a)) -> the ways to go down instead of (1 - a) / a times the
gradient and Adam's steps; None leaves one to Adam."""


@dataclass(frozen=True)
class GuideOptions:
    """tau: noise level of the start; dt: stride; outer: S_max; early_stop: ``relative`` stops a row when its loss
    changes by less than threshold of itself from one step to the next (the reference code), ``absolute`` when the loss
    is below threshold (the paper), ``none`` never; floor: the relative change of a smaller loss is measured against
    this; max_step: longest way of x0 by one guidance step, so that a wild gradient cannot throw a body about, None for
    none; step: which way ``hmdiff.refine.refiner`` goes: down the gradient as published, or by a metric
    (``curvature``).
    """

    tau: int = 50
    dt: int = 2
    outer: int = 10
    early_stop: Literal["relative", "absolute", "none"] = "relative"
    threshold: float = 1e-5
    floor: float = 3e-3
    max_step: float | None = 0.5
    step: Literal["gradient", "gauss_newton"] = "gradient"


PAPER = GuideOptions(max_step=None)
"""Keypoints and video as published."""
MULTI_VIEW = replace(PAPER, tau=100, dt=10)


@dataclass(frozen=True)
class Along:
    """Something solved along by Adam, a step at each guidance step: value (B,...), rate: step size, one number or
    (B,1)."""

    value: Tensor
    rate: float | Tensor


@dataclass(frozen=True)
class Guided:
    """x (B,D) the best clean sample of each row; along: what belongs to it; loss and first_loss (B,); steps (B,):
    guidance steps that a row took; stopped (B,): early; complete: False when it was cancelled (x is the best so far).
    """

    x: Tensor
    along: tuple[Tensor, ...]
    loss: Tensor
    first_loss: Tensor
    steps: Tensor
    stopped: Tensor
    complete: bool


def guide(
    eps: EpsModel,
    objective: Objective,
    start: Tensor,
    condition: Tensor,
    bars: Tensor,
    options: GuideOptions | None = None,
    along: tuple[Along, ...] = (),
    fixed: Tensor | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
    metric: Metric | None = None,
    group: Tensor | None = None,
) -> Guided:
    """start (B,D), condition (B,...) as eps wants it, bars (T,). fixed (B,) bool: rows that stay as they are to the
    bit and still count in the objective for others. should_stop is asked at every guidance step; on_progress hears the
    share done, 0 to 1. group (B,) long: rows that the objective ties are judged by the sum of their losses and kept
    together. The start is a candidate too, so no row's (group's) loss ends above its start's.
    """
    options = options or GuideOptions()
    held = torch.zeros(len(start), dtype=torch.bool, device=start.device) if fixed is None else fixed.clone()
    run = _Run(objective, options, start, along, held, metric, group)
    run.look(start)
    first = run.best_loss.clone()
    plan = sampling_plan(bars, options.tau, options.dt)
    x, done, complete = start, 0, True
    for _ in range(options.outer):
        x = invert(eps, x, condition, bars, options.tau, options.dt)
        for step in plan:
            if should_stop():
                complete = False
                break
            with torch.no_grad():
                noise = eps(x, at_step(x, step.k), condition)
            way = run.guidance(x, noise, step.alpha_bar)
            if bool(run.resting.all()):
                break
            # eps' = eps + (1 - a)^1/2 rho grad, as the way that x0 goes
            noise = noise + (step.alpha_bar / (1 - step.alpha_bar)) ** 0.5 * run.limited(way)
            guided = one_step_clean(x, noise, step.alpha_bar)
            x = torch.where(run.resting[:, None], x, ddim_step(guided, noise, step, None))
            done += 1
            on_progress(done / (options.outer * len(plan)))
        if not complete or bool(run.resting.all()):
            break
        run.look(x)
    if complete:
        on_progress(1.0)
    return Guided(run.best, run.best_along, run.best_loss, first, run.steps, run.stopped, complete)


class _Run:
    """What Algorithm 1 carries from step to step."""

    def __init__(
        self, objective: Objective, options: GuideOptions, start: Tensor, along: tuple[Along, ...], fixed: Tensor,
        metric: Metric | None, group: Tensor | None,
    ) -> None:  # fmt: skip
        self.metric = metric
        self.group = torch.arange(len(start), device=start.device) if group is None else group
        self.objective, self.options, self.start, self.fixed = objective, options, start, fixed
        self.values = tuple(one.value.clone() for one in along)
        self.rates = tuple(one.rate for one in along)
        self.adam = RowAdam(self.values)
        self.best, self.best_along = start.clone(), tuple(value.clone() for value in self.values)
        self.best_loss = start.new_full((len(start),), torch.inf)
        self.best_total = start.new_full((int(self.group.max()) + 1 if len(start) else 0,), torch.inf)
        self.before: Tensor | None = None
        self.steps = torch.zeros(len(start), dtype=torch.long, device=start.device)
        self.stopped = torch.zeros(len(start), dtype=torch.bool, device=start.device)

    @property
    def resting(self) -> Tensor:
        return self.stopped | self.fixed

    def placed(self, clean: Tensor) -> Tensor:
        """x0 as the objective is to see it: fixed rows at their start, stopped ones at their best."""
        clean = torch.where(self.fixed[:, None], self.start, clean)
        return torch.where(self.stopped[:, None], self.best, clean)

    @torch.no_grad()
    def look(self, clean: Tensor) -> None:
        """Judge a candidate."""
        clean = self.placed(clean)
        self.keep(clean, self.objective(clean, self.values))

    def keep(self, clean: Tensor, loss: Tensor) -> None:
        total = torch.zeros_like(self.best_total).index_add(0, self.group, loss)
        improved = torch.isfinite(total) & (total < self.best_total)
        self.best_total = torch.where(improved, total, self.best_total)
        better = improved[self.group]
        self.best_loss = torch.where(better, loss, self.best_loss)
        better = better & ~self.resting
        self.best = torch.where(better[:, None], clean, self.best)
        self.best_along = tuple(
            torch.where(by_row(better, old), new, old) for old, new in zip(self.best_along, self.values, strict=True)
        )

    def guidance(self, x: Tensor, noise: Tensor, alpha_bar: float) -> Tensor:
        """Loss and gradient at the one-step clean estimate; early stopping; a step for what is solved along.

        -> the way that x0 is to go down, (B,D), zero in resting rows.
        """
        with torch.enable_grad():
            leaf = one_step_clean(x, noise, alpha_bar).detach().requires_grad_(True)
            values = tuple(value.detach().requires_grad_(True) for value in self.values)
            clean = self.placed(leaf)
            loss = self.objective(clean, values)
            first, *others = torch.autograd.grad(loss.sum(), (leaf, *values), allow_unused=True, materialize_grads=True)
        loss, clean = loss.detach(), clean.detach()
        self.keep(clean, loss)
        self._stop(loss)
        active = ~self.resting
        self.steps += active
        first = torch.nan_to_num(first, 0.0, 0.0, 0.0)
        hold = alpha_bar / (1 - alpha_bar)
        way, ways = first / hold, (None,) * len(self.values)
        if self.metric is not None:
            way, ways = self.metric(clean, self.values, first, tuple(others), hold)
        plain = self.adam.step(self.values, tuple(others), self.rates, active)
        self.values = tuple(
            adam if given is None else torch.where(by_row(active, old), old - given, old)
            for old, adam, given in zip(self.values, plain, ways, strict=True)
        )
        return torch.where(active[:, None], way, 0.0)

    def limited(self, way: Tensor) -> Tensor:
        """Not longer than ``max_step``."""
        if self.options.max_step is None:
            return way
        return way * (self.options.max_step / way.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp_max(1.0)

    def _stop(self, loss: Tensor) -> None:
        options = self.options
        if options.early_stop == "absolute":
            still = loss < options.threshold
        elif options.early_stop == "relative" and self.before is not None:
            least = torch.full_like(loss, options.floor)
            change = (self.before - loss).abs() / torch.maximum(torch.maximum(self.before, loss), least)
            still = change < options.threshold
        else:
            still = torch.zeros_like(self.stopped)
        self.before = loss
        self.stopped = self.stopped | (still & ~self.fixed)
        self.values = tuple(
            torch.where(by_row(self.stopped, old), best, old)
            for old, best in zip(self.values, self.best_along, strict=True)
        )
