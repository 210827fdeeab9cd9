"""One person's state between frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from .landmarks import Reading
from .matching import continuity, return_score
from .observation import Array, Crop, Observation

Rule = Callable[[Observation, Observation, float], float]
_VELOCITY_KEEP = 0.5
_FORESIGHT = 0.4
"""A motion is not extrapolated further than this many seconds."""
_SIZE_STEP = 1.35
"""A body's circle does not grow or shrink by more than this from one frame to the next, plus 1 per second."""


@dataclass(eq=False)
class Track:
    """last: the latest Observation that was seen; crop: where the person was then; time: seconds, of ``last``.

    rescued: when turned crops were last tried. A track is reported once it is confirmed; it is lost while it is not
    seen.
    """

    track_id: int
    last: Observation
    crop: Crop
    time: float
    frames: int = 1
    confirmed: bool = False
    lost: bool = False
    rescued: float = -np.inf
    velocity: Array = field(default_factory=lambda: np.zeros(2, np.float32))

    def shift(self, time: float) -> Array:
        """(2,) px: how far the person has probably gone since ``last``."""
        return self.velocity * np.float32(np.clip(time - self.time, 0.0, _FORESIGHT))

    def expected_crop(self, time: float) -> Crop:
        """Where to look after a miss."""
        return replace(self.crop, center=self.crop.center + self.shift(time))

    def continues(self, reading: Reading, one: Observation, time: float) -> float:
        """How well a reading made where this track was last seen goes on with it, in [0,1]."""
        return self._score(continuity, reading, one, time)

    def returns(self, reading: Reading, one: Observation, time: float) -> float:
        """How likely somebody found anywhere in the image is this track's person, in [0,1]."""
        return self._score(return_score, reading, one, time)

    def _score(self, rule: Rule, reading: Reading, one: Observation, time: float) -> float:
        seconds = max(time - self.time, 0.0)
        low, high = sorted((reading.next_crop.size, self.crop.size))
        if high > (_SIZE_STEP + seconds) * low:
            return 0.0
        moved = self.shift(time)
        expected = replace(
            self.last, landmarks_2d=self.last.landmarks_2d + moved, box=self.last.box + np.concatenate([moved, moved])
        )
        return max(rule(expected, one, seconds), rule(self.last, one, seconds))

    def update(self, reading: Reading, one: Observation, time: float, confirm_frames: int) -> Observation:
        """Go on with a reading of this or a later frame; returns the Observation with the track's id."""
        crop = reading.next_crop
        if time > self.time:
            seen = (crop.center - self.crop.center) / np.float32(time - self.time)
            self.velocity = _VELOCITY_KEEP * self.velocity + (1 - _VELOCITY_KEEP) * seen
            self.frames += 1
        self.crop, self.time, self.lost = crop, time, False
        self.confirmed = self.confirmed or self.frames >= confirm_frames
        self.last = replace(one, track_id=self.track_id)
        return self.last
