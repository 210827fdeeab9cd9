"""How much of what is wrong in one frame of a clip is still wrong in the next."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import ndtr, ndtri
from torch import Tensor

LAGS = (1, 2, 3, 4, 6, 8, 12, 16)
FEWEST = 60


def pairs(clip: NDArray[np.int64], frame: NDArray[np.int64], lag: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the same run of frames that are lag apart."""
    place = {(int(c), int(f)): row for row, (c, f) in enumerate(zip(clip, frame, strict=True)) if c >= 0}
    both = [(row, place[c, f + lag]) for (c, f), row in place.items() if (c, f + lag) in place]
    found = np.array(both, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def correlations(values: Tensor, clip: NDArray[np.int64], frame: NDArray[np.int64]) -> NDArray[np.float64]:
    """values (M,K) of mean zero, NaN where unknown -> (len(LAGS),): the columns' mean correlation, NaN with few
    pairs."""
    found = np.full(len(LAGS), np.nan)
    for k, lag in enumerate(LAGS):
        one, two = pairs(clip, frame, lag)
        if len(one) < FEWEST:
            continue
        a, b = values[one], values[two]
        known = torch.isfinite(a) & torch.isfinite(b)
        a, b = torch.where(known, a, 0), torch.where(known, b, 0)
        product, power = (a * b).sum(0), ((a**2).sum(0) * (b**2).sum(0)).sqrt()
        enough = known.sum(0) >= FEWEST
        if enough.any():
            found[k] = float((product[enough] / power[enough].clamp_min(1e-9)).mean())
    return found


def event_correlations(
    hit: NDArray[np.bool_], clip: NDArray[np.int64], frame: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Correlation (len(LAGS),) of the normal variable that lies under an event that comes and goes."""
    found = np.full(len(LAGS), np.nan)
    for k, lag in enumerate(LAGS):
        one, two = pairs(clip, frame, lag)
        if len(one) < FEWEST or hit[one].sum() < 5:
            continue
        rate = float((hit[one].mean() + hit[two].mean()) / 2)
        found[k] = _tetrachoric(rate, float((hit[one] & hit[two]).mean()))
    return found


def _tetrachoric(rate: float, both: float) -> float:
    """Correlation of two normal variables that both stay below a limit so often, each alone at this rate."""
    limit = float(ndtri(np.clip(rate, 1e-4, 1 - 1e-4)))
    grid = np.linspace(0, 0.995, 400)
    # Plackett: the derivative of that chance by the correlation is the density at the limits
    density = np.exp(-(limit**2) / (1 + grid)) / (2 * np.pi * np.sqrt(1 - grid**2))
    steps = (density[1:] + density[:-1]) / 2 * np.diff(grid)
    joint = float(ndtr(limit)) ** 2 + np.concatenate([[0.0], np.cumsum(steps)])
    return float(np.interp(both, joint, grid))


def fit_course(correlation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """(share, slow share, slow, quick): correlation after k frames = share + slow share x slow^k + the rest x quick^k.
    Zeros where nothing is known."""
    known = np.isfinite(correlation)
    if not known.any():
        return 0.0, 0.0, 0.0, 0.0
    lags, values = np.array(LAGS)[known], correlation[known].clip(0, 0.999)
    if known.sum() < 4:
        return 0.0, 1.0, float(values[0] ** (1 / lags[0])), 0.0

    def off(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return course(x[0], x[1], x[2], x[3], lags) - values

    # shares of what is left, so that no choice of the four is impossible
    low, high = [0.0, 0.0, 0.6, 0.0], [0.95, 1.0, 0.99, 0.6]
    share, part, slow, quick = least_squares(off, [0.3, 0.5, 0.85, 0.2], bounds=(low, high)).x
    return float(share), float((1 - share) * part), float(slow), float(quick)


def course(share: float, part: float, slow: float, quick: float, lags: NDArray[np.integer]) -> NDArray[np.float64]:
    """Correlation after lags frames; part: of what does not stay, the share that fades slowly."""
    return share + (1 - share) * (part * slow**lags + (1 - part) * quick**lags)
