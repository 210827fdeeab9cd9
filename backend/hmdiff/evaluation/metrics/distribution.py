"""Is the set of hypotheses an honest distribution? Coverage, CRPS and energy score.

All three treat the truth as one more draw from the distribution the samples claim to be; they reward both being right
and knowing how wrong one may be (Gneiting & Raftery 2007).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .alignment import MM_PER_M, Array

REGIONS = (0.5, 0.9)


def coverage(samples: ArrayLike, truth: ArrayLike, level: float) -> float:
    """How often the region holding ``level`` of the distribution holds the truth.

    samples (..., N, J, D), truth (..., J, D), any unit. For each joint the N samples and the truth are ranked by
    their distance to the mean of all N + 1; the truth is inside where its rank is at most level * (N + 1). Were the
    truth a draw from the same distribution all ranks would be equally likely, so that the result would be exactly
    ``nominal_coverage``: more means hypotheses too far apart, less means too sure of themselves.
    """
    points = np.asarray(samples, np.float64)
    pool = np.concatenate([points, np.asarray(truth, np.float64)[..., None, :, :]], axis=-3)
    distances = np.linalg.norm(pool - pool.mean(-3, keepdims=True), axis=-1)
    rank = 1 + (distances[..., :-1, :] < distances[..., -1:, :]).sum(-2)
    return float((rank <= _last_rank(points.shape[-3], level)).mean())


def nominal_coverage(n_samples: int, level: float) -> float:
    """What ``coverage`` gives for a perfectly calibrated set of N samples; ``level`` up to a step of 1 / (N + 1)."""
    return _last_rank(n_samples, level) / (n_samples + 1)


def _last_rank(n_samples: int, level: float) -> int:
    return int(np.floor(level * (n_samples + 1) + 1e-9))


def crps(samples: ArrayLike, truth: ArrayLike) -> Array:
    """Continuous ranked probability score of each coordinate, averaged over coordinates.

    samples (..., N, J, D) metres, truth (..., J, D) -> (..., J) mm. The fair form, mean|x - y| - sum|x_i - x_j| /
    (2 N (N - 1)), so that sets of different N compare; with N = 1 it is the absolute error.
    """
    points, goal = np.asarray(samples, np.float64), np.asarray(truth, np.float64)[..., None, :, :]
    count = points.shape[-3]
    error = np.abs(points - goal).mean(-3)
    if count > 1:
        # sum over i<j of |x_i - x_j| = sum_k (2k - N + 1) x_(k), k = 0.. over the sorted samples
        weights = (2.0 * np.arange(count) - count + 1)[:, None, None]
        error = error - (weights * np.sort(points, axis=-3)).sum(-3) / (count * (count - 1))
    return error.mean(-1) * MM_PER_M


def energy_score(samples: ArrayLike, truth: ArrayLike) -> Array:
    """The CRPS of points: mean ||x - y|| - sum ||x_i - x_j|| / (2 N (N - 1)), the fair form.

    samples (..., N, J, D) metres, truth (..., J, D) -> (..., J) mm. For the score of a whole pose reshape it to J = 1,
    D = 3 * joints.
    """
    points, goal = np.asarray(samples, np.float64), np.asarray(truth, np.float64)[..., None, :, :]
    count = points.shape[-3]
    error = np.linalg.norm(points - goal, axis=-1).mean(-2)
    if count > 1:
        between = np.zeros_like(error)
        for shift in range(1, count):
            between += np.linalg.norm(points[..., shift:, :, :] - points[..., :-shift, :, :], axis=-1).sum(-2)
        error = error - between / (count * (count - 1))
    return error * MM_PER_M
