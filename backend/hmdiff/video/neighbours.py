"""What was seen of each person in the frames around, for the model's look at time."""

from __future__ import annotations

import base64
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..models.temporal import FPS

NEAR = 0.5 / FPS + 1e-4
"""A frame stands for a place in time where it is within so many seconds of it."""


class Neighbours:
    """Tracks as rows of numbers by time. reach: how many places, 1/30 s apart, count before and after a frame; width of
    a row. Nothing is remembered that no later frame can need.
    """

    def __init__(self, reach: int, width: int) -> None:
        self.reach, self.width = reach, width
        self._times: dict[int, list[float]] = {}
        self._rows: dict[int, list[Tensor]] = {}

    @property
    def span(self) -> float:
        """Seconds before and after a frame within which others count."""
        return self.reach / FPS + NEAR if self.reach else 0.0

    def add(self, track: int, time: float, row: Tensor) -> None:
        """row (W,) of a frame later than those before."""
        self._times.setdefault(track, []).append(time)
        self._rows.setdefault(track, []).append(row)

    def around(self, people: Iterable[tuple[int, float]]) -> tuple[Tensor, Tensor]:
        """(track, time) of B people -> rows (B,2*reach+1,W), seen (B,2*reach+1) bool."""
        rows, seen = [], []
        nothing = torch.zeros(self.width)
        for track, time in people:
            times, known = self._times.get(track, []), self._rows.get(track, [])
            found = [_nearest(times, time + step / FPS) for step in range(-self.reach, self.reach + 1)]
            rows.append(torch.stack([nothing if at is None else known[at] for at in found]))
            seen.append([at is not None for at in found])
        size = 2 * self.reach + 1
        if not rows:
            return torch.zeros(0, size, self.width), torch.zeros(0, size, dtype=torch.bool)
        return torch.stack(rows), torch.tensor(seen)

    def forget_before(self, time: float) -> None:
        """What lies more than ``span`` before time is not needed any more."""
        for track in list(self._times):
            keep = bisect_left(self._times[track], time - self.span)
            if keep == len(self._times[track]):
                del self._times[track], self._rows[track]
            else:
                del self._times[track][:keep], self._rows[track][:keep]

    def state(self, until: float) -> dict[str, Any]:
        """What frames after ``until`` will need of those up to it, as JSON."""
        kept: dict[str, Any] = {}
        for track, times in self._times.items():
            first, last = bisect_left(times, until - self.span), bisect_left(times, until + 1e-9)
            if first < last:
                data = torch.stack(self._rows[track][first:last]).numpy().astype("<f4").tobytes()
                kept[str(track)] = {"times": times[first:last], "rows": base64.b64encode(data).decode("ascii")}
        return {"width": self.width, "tracks": kept}

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        """Go on after the frame that gave ``state``; False, and nothing remembered, where it is not usable."""
        self._times, self._rows = {}, {}
        try:
            if state is None or state["width"] != self.width:
                return False
            for track, kept in state["tracks"].items():
                times = [float(time) for time in kept["times"]]
                rows = np.frombuffer(base64.b64decode(kept["rows"]), "<f4").reshape(len(times), self.width)
                self._times[int(track)] = times
                self._rows[int(track)] = list(torch.from_numpy(rows.astype(np.float32)))
        except (KeyError, TypeError, ValueError, AttributeError):
            self._times, self._rows = {}, {}
            return False
        return True


def _nearest(times: list[float], wanted: float) -> int | None:
    """Place of the time nearest to ``wanted``, None where none is near."""
    at = bisect_left(times, wanted)
    beside = [one for one in (at - 1, at) if 0 <= one < len(times) and abs(times[one] - wanted) <= NEAR]
    return min(beside, key=lambda one: abs(times[one] - wanted), default=None)
