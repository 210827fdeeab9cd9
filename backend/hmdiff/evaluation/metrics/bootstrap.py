"""How sure a mean is, given that the frames of one clip are nearly the same picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Interval:
    """A mean and its bootstrap interval, in the unit of the values."""

    mean: float
    low: float
    high: float
    level: float
    n_clips: int

    def to_dict(self) -> dict[str, float | int]:
        return asdict(self)


def clip_interval(
    values: ArrayLike, clips: ArrayLike, *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Interval:
    """Percentile bootstrap of the mean over frames, drawing whole clips with replacement (Efron & Tibshirani 1993).

    values (F,), clips (F,) any labels. Frames that are nan are left out. With a single clip the interval is (-inf,
    inf): nothing is known about other clips.
    """
    numbers, labels = np.asarray(values, np.float64), np.asarray(clips)
    known = ~np.isnan(numbers)
    numbers, labels = numbers[known], labels[known]
    if not len(numbers):
        return Interval(float("nan"), float("nan"), float("nan"), level, 0)
    _, index = np.unique(labels, return_inverse=True)
    totals, counts = np.bincount(index, numbers), np.bincount(index)
    mean = float(numbers.mean())
    if len(totals) == 1:
        return Interval(mean, float("-inf"), float("inf"), level, 1)
    picks = np.random.default_rng(seed).integers(0, len(totals), (draws, len(totals)))
    means = totals[picks].sum(1) / counts[picks].sum(1)
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(mean, float(low), float(high), level, len(totals))
