"""When two cameras show the same moment: by how fast the body's joints turn, which looks the same from every side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hmdiff_wire.body import rotation_matrices
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEP = 1 / 120
"""Seconds of the common clock."""
LIMBS = (1, 2, 4, 5, 16, 17, 18, 19)
SURE = 0.35
"""A correlation below this is none."""
OVERLAP = 0.7
"""Seconds that both must show."""


@dataclass(frozen=True)
class Offset:
    """seconds: what a moment's time in the other video is more than in the first; correlation: -1 to 1."""

    seconds: float
    correlation: float

    @property
    def sure(self) -> bool:
        return self.correlation >= SURE


def find_offset(pose: Array, times: Array, other_pose: Array, other_times: Array, most: float = 10.0) -> Offset:
    """pose (F,72) and times (F,) s of the same person in two videos; most: the largest offset looked for, s."""
    first, begin = _turning(pose, times)
    second, other_begin = _turning(other_pose, other_times)
    least = min(len(first), len(second), round(OVERLAP / STEP))
    best = Offset(0.0, -1.0)
    for lag in range(-(len(second) - least), len(first) - least + 1):
        # sample i + lag of the first beside sample i of the second
        seconds = other_begin - begin - lag * STEP
        if abs(seconds) > most:
            continue
        low, high = max(0, lag), min(len(first), len(second) + lag)
        a, b = first[low:high], second[low - lag : high - lag]
        value = _correlation(a, b) * min(
            1.0, (0.5 + 0.5 * (high - low) / max(least, 0.5 * min(len(first), len(second))))
        )
        if value > best.correlation:
            best = Offset(float(seconds), float(value))
    return best


def _turning(pose: Array, times: Array) -> tuple[Array, float]:
    """(n,8) rad/s of the limbs' joints on the common clock, smoothed; the clock's first second."""
    rotations = rotation_matrices(np.asarray(pose, np.float32).reshape(-1, 24, 3)[:, list(LIMBS)])
    between = rotations[1:] @ rotations[:-1].transpose(0, 1, 3, 2)
    angle = np.arccos(np.clip((np.trace(between, axis1=-2, axis2=-1) - 1) / 2, -1, 1))
    speed = angle / np.diff(times)[:, None].clip(1e-3)
    middle = (times[1:] + times[:-1]) / 2
    clock = np.arange(middle[0], middle[-1] + 1e-9, STEP)
    even = np.stack([np.interp(clock, middle, speed[:, k]) for k in range(len(LIMBS))], 1)
    kernel = np.hanning(round(0.1 / STEP) | 1)
    kernel /= kernel.sum()
    return np.stack([np.convolve(even[:, k], kernel, "same") for k in range(len(LIMBS))], 1), float(clock[0])


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(0), b - b.mean(0)
    down = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / down) if down > 1e-9 else -1.0
