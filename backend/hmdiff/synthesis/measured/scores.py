"""Marginals as quantile tables over the normal score: fitting them, and reading them in both directions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from .tables import KNOTS, REACH
from .variables import COUNT, GROUPS, PLACES, SLOTS, tabulated

Array = NDArray[np.float64]
REGIONS = (
    tuple(range(11)),
    (11, 12, 23, 24),
    (13, 14),
    (15, 16, 17, 18, 19, 20, 21, 22),
    (25, 26),
    (27, 28, 29, 30, 31, 32),
)
"""Landmarks that may stand for one another where one was hardly ever met: face, trunk, elbows, hands, knees, feet."""
BORROWED = 40.0
"""A quantile table of so many values counts as much as that of its region."""
SCORES = np.linspace(-REACH, REACH, KNOTS)


def fit_marginals(values: Tensor, classes: Tensor, lost: Tensor) -> Tensor:
    """values (M,COUNT) tabulated, NaN where unknown; classes (M,33); lost (M,) -> (COUNT,4,2,KNOTS)."""
    table = np.zeros((COUNT, 4, 2, KNOTS))
    data, kinds, off = values.numpy().astype(np.float64), classes.numpy(), lost.numpy()
    for name, place in PLACES.items():
        for region in (*REGIONS, (-1,)):
            members = [place.start + k for k, slot in enumerate(GROUPS[name]) if slot in region]
            if members:
                _fit_region(table, data, kinds, off, members)
    return torch.from_numpy(table).float()


def _fit_region(
    table: Array, data: Array, kinds: NDArray[np.integer], off: NDArray[np.bool_], members: list[int]
) -> None:
    known = np.isfinite(data[:, members])
    classes = kinds[:, [SLOTS[m] for m in members]] if SLOTS[members[0]] >= 0 else np.zeros_like(known, np.int64)
    everything = _quantiles(data[:, members][known], None)
    for state in range(2):
        here = known & (off == bool(state))[:, None]
        whole = _quantiles(data[:, members][here], everything)
        for kind in range(4):
            chosen = here & (classes == kind)
            region = _quantiles(data[:, members][chosen], whole)
            for k, member in enumerate(members):
                table[member, kind, state] = _quantiles(data[chosen[:, k], member], region)


def _quantiles(values: Array, parent: Array | None) -> Array:
    if not len(values):
        return np.zeros(KNOTS) if parent is None else parent
    own = np.quantile(values, ndtr(SCORES))
    weight = 1.0 if parent is None else len(values) / (len(values) + BORROWED)
    return own if parent is None else weight * own + (1 - weight) * parent


def scores_of(values: Tensor, classes: Tensor, lost: Tensor, marginals: Tensor) -> Tensor:
    """The normal score of each value (M,COUNT) in its table; the middle one where many values are alike."""
    data, kinds, off = values.numpy().astype(np.float64), classes.numpy(), lost.numpy().astype(int)
    table = marginals.numpy().astype(np.float64)
    ramp = np.arange(KNOTS) * 1e-9
    result = np.full(data.shape, np.nan)
    for place, slot in enumerate(SLOTS):
        for kind in range(4):
            for state in range(2):
                chosen = np.isfinite(data[:, place]) & (off == state)
                chosen &= kinds[:, slot] == kind if slot >= 0 else kind == 0
                x, q = data[chosen, place], table[place, kind, state]
                # from both ends, so that a value that many share gets the middle of their scores
                low, high = np.interp(x - 1e-7, q + ramp, SCORES), np.interp(x + 1e-7, q + ramp, SCORES)
                result[chosen, place] = (low + high) / 2
    return torch.from_numpy(result).float()


def look_up(scores: Tensor, classes: Tensor, lost: Tensor, marginals: Tensor, logarithmic: Tensor) -> Tensor:
    """Values of normal scores (N,COUNT) for classes (N,33), lost (N,): the tables read by linear interpolation."""
    device = scores.device
    slots = torch.tensor(SLOTS, device=device)
    kind = torch.where(slots >= 0, classes[:, slots.clamp_min(0)], 0)
    row = (torch.arange(COUNT, device=device) * 4 + kind) * 2 + lost[:, None].long()
    at = ((scores + REACH) * ((KNOTS - 1) / (2 * REACH))).clamp(0, KNOTS - 1.0001)
    below = at.floor()
    flat = marginals.reshape(-1)
    first = row * KNOTS + below.long()
    low = flat[first]
    value = low + (at - below) * (flat[first + 1] - low)
    return torch.where(logarithmic, value.exp(), value)


def tabulate(values: Tensor) -> Tensor:
    """(M,COUNT) as measured -> as tabulated."""
    return torch.cat([tabulated(name, values[:, place]) for name, place in PLACES.items()], 1)
