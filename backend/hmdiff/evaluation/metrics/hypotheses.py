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
