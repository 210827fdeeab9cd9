"""Calmer motion by time stamps: a local straight-line fit with a Gaussian kernel (Cleveland 1979), without lag."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import turns
from .sequence import Poses

Array = NDArray[np.floating[Any]]

GAP = 0.5
"""Seconds without a pose across which nothing is smoothed, as in the backend."""
REACH = 2.5


def smoothed(motion: Poses, times: Array, seconds: float) -> Poses:
    """times (n,) seconds, rising; seconds: the kernel's standard deviation, 0 for no change."""
    at = np.flatnonzero(motion.known)
    if seconds <= 0 or len(at) < 3:
        return motion
    index, kernel = _kernel(np.asarray(times, np.float64)[at], seconds)
    quaternions = turns.from_axis_angle(motion.pose[at].reshape(len(at), -1, 3))
    pose, transl = motion.pose.copy(), motion.transl.copy()
    moved = motion.transl[at].astype(np.float64)
    transl[at] = np.einsum("nk,nkd->nd", kernel, moved[index])
    for first in range(0, len(at), 128):
        part = slice(first, first + 128)
        window = quaternions[index[part]]
        sign = np.where((window * quaternions[part, None]).sum(-1, keepdims=True) < 0, -1.0, 1.0)
        mean = np.einsum("nk,nkjq->njq", kernel[part], sign * window)
        mean /= np.linalg.norm(mean, axis=-1, keepdims=True)
        pose[at[part]] = turns.to_axis_angle(mean).reshape(len(mean), -1)
    return Poses(pose, transl)


def window(times: Array, seconds: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Positions (n,K) around each of times (n,), and which of them (n,K) exist and lie within so many seconds."""
    count = len(times)
    own = np.arange(count)
    first = np.searchsorted(times, times - seconds, side="left")
    last = np.searchsorted(times, times + seconds, side="right") - 1
    width = int(max((last - own).max(), (own - first).max()))
    wanted = own[:, None] + np.arange(-width, width + 1)
    index = wanted.clip(0, count - 1)
    return index, (wanted == index) & (np.abs(times[index] - times[:, None]) <= seconds)


def calmed(values: Array, times: Array, seconds: float) -> Array:
    """Plain averages of values (n,D) with a Gaussian kernel in time."""
    index, usable = window(times, REACH * seconds)
    kernel = np.where(usable, np.exp(-0.5 * ((times[index] - times[:, None]) / seconds) ** 2), 0.0)
    return np.einsum("nk,nkd->nd", kernel, values[index]) / kernel.sum(1, keepdims=True)


def _kernel(times: Array, seconds: float) -> tuple[NDArray[np.int64], Array]:
    """Whom each pose looks at (n,K) and with what weight (n,K); rows sum to 1."""
    index, usable = window(times, REACH * seconds)
    stretch = np.concatenate([[0], np.cumsum(np.diff(times) > GAP)])
    usable = usable & (stretch[index] == stretch[:, None])
    apart = (times[index] - times[:, None]) / seconds
    trust = np.where(usable, np.exp(-0.5 * apart**2), 0.0)
    # The straight line's value at 0, by its normal equations; the small number keeps single poses as they are.
    s0, s1, s2 = trust.sum(1), (trust * apart).sum(1), (trust * apart**2).sum(1) + 1e-3
    kernel = trust * (s2[:, None] - s1[:, None] * apart) / (s0 * s2 - s1**2)[:, None]
    return index, kernel / kernel.sum(1, keepdims=True)
