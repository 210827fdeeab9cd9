"""The detector's own 3D: a linear reading of the truth and of its 2D errors, turned, scaled and sheared as a whole by a
little, and a residual per landmark, both with their full covariance. Without the first of these the residual of one
person would be laid over another's pose, which costs 10 mm of PA error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...detect.observation import LIMB_SLOTS
from .covariates import BY_OTHER, BY_SELF, OUTSIDE, VIEWS
from .prepare import Rows
from .swaps import ALL
from .tables import WORLD_MAPS

FAR = 0.25
"""2D errors beyond this fraction of the person's size count as this: a mean cannot follow a reading of somebody
else."""
WHITE = 24
"""The residual's size is measured over its this many widest directions."""
RIDGES = (0.01, 0.1, 1.0, 10.0, 100.0)
FOLDS = 5
RESIDUAL = 9 + 99
"""Entries of the distortion (3,3), then of the landmarks."""
_BODY = 0.3
"""Metres: a distortion of so much per metre counts as much as a residual of so much."""
_READ = [0, *LIMB_SLOTS]
_SWAPPED, _LOST = len(VIEWS), len(VIEWS) + 1


@dataclass(frozen=True)
class WorldFit:
    """maps (6,I,99), mixes (6,RESIDUAL,RESIDUAL), size (M,) of each row's residual, white (M,RESIDUAL) its direction;
    figures for people."""

    maps: Tensor
    mixes: Tensor
    size: Tensor
    white: Tensor
    figures: dict[str, dict[str, float]]


def world_inputs(landmarks: Tensor, error: Tensor, metres: Tensor, classes: Tensor, lost: Tensor) -> Tensor:
    """(N,165): true landmarks (N,33,3) around the hips in metres; of the nose and the 12 limb landmarks the 2D errors,
    of (N,33,2), as lengths at the person's size (N,), and whether each is hidden by the person, by others, or outside;
    1. What a lost reading (N,) reads tells nothing of this person.

    Hands, feet and the rest of the face err with those 13, and would only teach the map to read small differences.
    """
    count = len(landmarks)
    error, classes = error[:, _READ] * ~lost[:, None, None], classes[:, _READ]
    shift = error * (FAR / error.norm(dim=-1, keepdim=True).clamp_min(FAR)) * metres[:, None, None]
    hidden = [0.1 * (classes == kind).to(landmarks) for kind in (BY_SELF, BY_OTHER, OUTSIDE)]
    one = torch.ones(count, 1, device=landmarks.device)
    return torch.cat([landmarks.reshape(count, -1), shift.reshape(count, -1), *hidden, one], 1)


def which_map(view: Tensor, event: Tensor, lost: Tensor) -> Tensor:
    """(N,) index into WORLD_MAPS."""
    return torch.where(lost, _LOST, torch.where(event == ALL, _SWAPPED, view))


def fit_world(rows: Rows) -> WorldFit:
    """Ridge regression per map, its strength by cross-validation over blocks of people; residuals weighted by size."""
    inputs = world_inputs(rows.landmarks, rows.error, rows.metres, rows.classes, rows.lost).double()
    target = rows.world.reshape(len(rows), -1).double()
    which, fold = which_map(rows.view, rows.event, rows.lost), folds(rows.person)
    maps = torch.zeros(len(WORLD_MAPS), inputs.shape[1], 99, dtype=torch.float64)
    mixes = torch.zeros(len(WORLD_MAPS), RESIDUAL, RESIDUAL, dtype=torch.float64)
    size, white, figures = torch.full((len(rows),), torch.nan), torch.zeros(len(rows), RESIDUAL), {}
    everything = _best_ridge(inputs, target, fold, None)
    for index, name in enumerate(WORLD_MAPS):
        here = (which == index).nonzero()[:, 0]
        if len(here) < 40:
            maps[index], mixes[index] = (
                everything.map,
                _factor(split(target - everything.residual, everything.residual)),
            )
            here_residual = split(inputs[here] @ maps[index], target[here] - inputs[here] @ maps[index])
            figures[name] = {"rows": len(here)}
        else:
            best = _best_ridge(inputs[here], target[here], fold[here], everything.map)
            maps[index], here_residual = best.map, split(target[here] - best.residual, best.residual)
            mixes[index] = _factor(here_residual)
            plain = _best_ridge(_without(inputs[here]), target[here], fold[here], None)
            figures[name] = {"rows": len(here), "ridge": best.ridge,
                             "error_mm": _rms(target[here] - inputs[here, :99]), "residual_mm": _rms(best.residual),
                             "residual_from_truth_alone_mm": _rms(plain.residual)}  # fmt: skip
        if len(here):
            score = _whiten(here_residual, mixes[index])
            length = (score[:, -WHITE:] ** 2).mean(1).sqrt()
            size[here] = length.float()
            white[here] = (score / length[:, None]).float()
    return WorldFit(maps.float(), mixes.float(), size, white, figures)


def _without(inputs: Tensor) -> Tensor:
    kept = inputs.clone()
    kept[:, 99:-1] = 0
    return kept


@dataclass(frozen=True)
class _Ridge:
    map: Tensor
    residual: Tensor
    ridge: float


def _best_ridge(inputs: Tensor, target: Tensor, fold: Tensor, prior: Tensor | None) -> _Ridge:
    """The map over all rows with the strength that predicts left-out folds best, shrunk towards prior (or zero), and
    the residuals of the left-out rows: what the map misses of people it has not seen."""
    start = torch.zeros(inputs.shape[1], target.shape[1], dtype=inputs.dtype) if prior is None else prior
    rest = target - inputs @ start
    best: tuple[float, float, Tensor] | None = None
    for ridge in RIDGES:
        residual = torch.zeros_like(rest)
        for k in range(FOLDS):
            kept = fold != k
            residual[~kept] = rest[~kept] - inputs[~kept] @ _solve(inputs[kept], rest[kept], ridge)
        # medians over rows: readings of somebody else should not choose the strength
        score = float((residual**2).sum(1).median())
        if best is None or score < best[0]:
            best = (score, ridge, residual)
    assert best is not None
    return _Ridge(start + _solve(inputs, rest, best[1]), best[2], best[1])


def _solve(inputs: Tensor, target: Tensor, ridge: float) -> Tensor:
    """Two rounds of least squares; in the second, rows far off count less."""
    weight = torch.ones(len(inputs), 1, dtype=inputs.dtype)
    unit = ridge * torch.eye(inputs.shape[1], dtype=inputs.dtype)
    unit[-1, -1] = 1e-6
    solution = torch.zeros(inputs.shape[1], target.shape[1], dtype=inputs.dtype)
    for _ in range(2):
        solution = torch.linalg.solve((weight * inputs).T @ inputs + unit, (weight * inputs).T @ target)
        off = (target - inputs @ solution).norm(dim=1, keepdim=True)
        weight = (2 * off.median() / off.clamp_min(1e-6)).clamp(max=1) if len(off) else weight
    return solution


def split(mean: Tensor, residual: Tensor) -> Tensor:
    """mean, residual (M,99) -> (M,RESIDUAL): the distortion of the mean that explains most of the residual, and the
    rest. A weak pull to none keeps flat poses from being stretched."""
    points, off = mean.view(-1, 33, 3), residual.view(-1, 33, 3)
    gram = points.transpose(1, 2) @ points + 0.1 * torch.eye(3, dtype=mean.dtype)
    change = torch.linalg.solve(gram, points.transpose(1, 2) @ off)
    rest = off - points @ change
    return torch.cat([_BODY * change.flatten(1), rest.flatten(1)], 1)


def distorted(mean: Tensor, residual: Tensor) -> Tensor:
    """mean (N,33,3), residual (N,RESIDUAL) -> (N,33,3): what ``split`` took apart."""
    change = residual[:, :9].view(-1, 3, 3) / _BODY
    return mean + mean @ change + residual[:, 9:].view(-1, 33, 3)


def _factor(residual: Tensor) -> Tensor:
    """Factor (RESIDUAL,RESIDUAL), narrow directions first, of the residual's covariance, far rows counting less."""
    weight = torch.ones(len(residual), 1, dtype=residual.dtype)
    unit = torch.eye(residual.shape[1], dtype=residual.dtype)
    values, vectors = unit[0], unit
    for _ in range(3):
        covariance = (weight * residual).T @ residual / len(residual) + 1e-6 * unit
        values, vectors = torch.linalg.eigh(covariance)
        length = ((residual @ vectors / values.sqrt())[:, -WHITE:] ** 2).mean(1, keepdim=True)
        weight = 1 / length.clamp_min(0.05)
    return vectors * values.sqrt()


def _whiten(residual: Tensor, mix: Tensor) -> Tensor:
    return residual @ torch.linalg.inv(mix).T


def _rms(residual: Tensor) -> float:
    """Median over rows of the RMS distance per landmark, mm."""
    return round(1000 * float((residual.reshape(len(residual), 33, 3) ** 2).sum(-1).mean(1).sqrt().median()), 1)


def folds(person: Tensor) -> Tensor:
    """Blocks of neighbouring people (frames of a clip, mirror images) share a fold."""
    return torch.div(person, 50, rounding_mode="floor") % FOLDS
