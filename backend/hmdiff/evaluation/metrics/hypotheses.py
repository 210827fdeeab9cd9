"""Oracle figures over a set of hypotheses. They need the truth to choose, so no user ever gets them: always print n."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .alignment import MM_PER_M, Array


def best_of_n(hypothesis_errors: ArrayLike, estimate_errors: ArrayLike | None = None) -> Array:
    """Least error of n hypotheses per frame; call it once per metric, so that each picks its own best (method_notes 3).

    hypothesis_errors (..., N); estimate_errors (...) adds the single estimate to the set, as the papers' "includes
    the mode" does. -> (...), same unit.
    """
    best = np.asarray(hypothesis_errors, np.float64).min(-1)
    return best if estimate_errors is None else np.minimum(best, np.asarray(estimate_errors, np.float64))


def spread_mm(samples: ArrayLike) -> Array:
    """Mean distance of the samples to their mean, per joint (3DKP spread). (..., N, J, 3) metres -> (..., J) mm."""
    points = np.asarray(samples, np.float64)
    distances = np.linalg.norm(points - points.mean(-3, keepdims=True), axis=-1)
    return distances.mean(-2) * MM_PER_M


def spread_by_visibility(
    samples: ArrayLike, visible: ArrayLike, hidden: ArrayLike | None = None
) -> tuple[Array, Array]:
    """``spread_mm`` of the joints that are visible and of those that are not (HuMR's "Vis. / Invis.").

    samples (..., N, J, 3) metres, visible (..., J) bool, hidden (..., J): which count as not visible (all others)
    -> (...), (...) mm per person; nan where there is no such joint.
    """
    spread, seen = spread_mm(samples), np.asarray(visible, bool)
    unseen = ~seen if hidden is None else np.asarray(hidden, bool)
    return mean_where(spread, seen), mean_where(spread, unseen)


def mean_where(values: ArrayLike, mask: ArrayLike) -> Array:
    """Mean over the last axis of the values that the mask picks; nan where it picks none. (..., J) -> (...)."""
    numbers = np.asarray(values, np.float64)
    taken = np.broadcast_to(np.asarray(mask, bool), numbers.shape)
    total, count = np.where(taken, numbers, 0.0).sum(-1), taken.sum(-1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
