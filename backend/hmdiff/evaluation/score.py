"""Points against points: errors per frame, and their means with an interval. Knows no benchmark and no model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import metrics

Errors = dict[str, NDArray[np.float64]]
"""Name of a figure -> one value per frame, (F,) or (F,N) for N hypotheses."""

LEVEL = 0.95


def pose_errors(
    joints: ArrayLike,
    truth_joints: ArrayLike,
    alignment: metrics.Alignment,
    vertices: ArrayLike | None = None,
    truth_vertices: ArrayLike | None = None,
) -> Errors:
    """``mpjpe_mm``, ``pa_mpjpe_mm`` and, with vertices, ``mpve_mm``, ``pa_mpve_mm``.

    joints (F,J,3), vertices (F,V,3), metres. alignment names the root among these joints; both meshes are centred on
    their own.
    """
    errors = {
        "mpjpe_mm": metrics.mpjpe(joints, truth_joints, alignment),
        "pa_mpjpe_mm": metrics.pa_mpjpe(joints, truth_joints),
    }
    if vertices is None or truth_vertices is None:
        return errors
    mesh = {
        "mpve_mm": metrics.mpve(vertices, truth_vertices, joints, truth_joints, alignment),
        "pa_mpve_mm": metrics.pa_mpve(vertices, truth_vertices),
    }
    return mesh | errors


def acceleration(
    joints: ArrayLike, truth: ArrayLike, alignment: metrics.Alignment, seen: ArrayLike
) -> NDArray[np.float64]:
    """joints, truth (F,J,3) metres of consecutive frames, seen (F,) -> (F,) mm per frame squared; nan at both ends
    and beside frames that were not seen.
    """
    flags, out = np.asarray(seen, bool), np.full(len(np.asarray(joints)), np.nan)
    if len(out) > 2:
        triple = flags[:-2] & flags[1:-1] & flags[2:]
        out[1:-1] = np.where(triple, metrics.acceleration_error(joints, truth, alignment), np.nan)
    return out


def best_errors(per_hypothesis: list[Errors]) -> Errors:
    """N times (F,) -> the least error of each figure, each choosing its own best; the estimate is not among them."""
    return {
        name: metrics.best_of_n(np.stack([errors[name] for errors in per_hypothesis], -1)) for name in per_hypothesis[0]
    }


def summary(errors: Mapping[str, ArrayLike], groups: ArrayLike, seed: int = 0) -> dict[str, Any]:
    """Means and, under ``ci95``, bootstrap intervals drawn over ``groups`` (F,); null where nothing was measured, or
    where a single group tells nothing about others. ``median``: a mean follows the few who were wholly mistaken.
    """
    out: dict[str, Any] = {}
    intervals: dict[str, Any] = {}
    medians: dict[str, Any] = {}
    for name, values in errors.items():
        found = metrics.clip_interval(values, groups, level=LEVEL, seed=seed)
        out[name] = finite(found.mean)
        intervals[name] = [finite(found.low), finite(found.high)] if found.n_clips > 1 else None
        known = np.asarray(values, np.float64)
        known = known[~np.isnan(known)]
        medians[name] = finite(float(np.median(known))) if len(known) else None
    return out | {"ci95": intervals, "median": medians}


def finite(value: float, digits: int = 3) -> float | None:
    """A number for JSON, which has no nan and no inf."""
    return round(float(value), digits) if math.isfinite(value) else None


def difference(errors: Errors, reference: Errors, groups: ArrayLike, seed: int = 0) -> dict[str, Any]:
    """Person by person against another method over the same (F,) people: ``summary`` of what it has more, and under
    ``lower_share`` how often it has less. Only figures that both have.
    """
    both = {name: errors[name] - reference[name] for name in errors if name in reference}
    share = {
        name: finite(float((values[known] < 0).mean()))
        for name, values in both.items()
        if (known := ~np.isnan(values)).any()
    }
    found = summary(both, groups, seed) | {"lower_share": share}
    del found["median"]
    return found


class Tally:
    """Errors of several methods gathered batch by batch."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Errors]] = {}

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self._parts)

    def add(self, method: str, errors: Errors) -> None:
        self._parts.setdefault(method, []).append(errors)

    def errors(self, method: str) -> Errors:
        parts = self._parts[method]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def blocks(self, groups: ArrayLike, seed: int = 0) -> dict[str, Any]:
        """method -> ``summary`` of its errors."""
        return {method: summary(self.errors(method), groups, seed) for method in self._parts}
