"""Time stamps in seconds <-> Blender's frames. Time is the video's own, never index / fps (DESIGN 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hmdiff_wire.rate import nominal_rate
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

__all__ = ["FrameMap", "SNAP", "footage_offsets", "nominal_rate", "scene_rate"]

SNAP = 0.03
"""Frames: containers that store milliseconds miss a 60 fps frame by as much; a step curve must not miss with them."""


@dataclass(frozen=True)
class FrameMap:
    """Time stamp ``origin`` (s) lies on scene frame ``start``; the scene runs at ``fps``, whatever the video did."""

    fps: float
    start: int = 1
    origin: float = 0.0

    def frames(self, times: Array) -> Array:
        """times (n,) seconds -> scene frames (n,), fractional where the video's frame falls between two."""
        exact = self.start + (np.asarray(times, np.float64) - self.origin) * self.fps
        nearest = np.round(exact)
        return np.where(np.abs(exact - nearest) < SNAP, nearest, exact)

    def times(self, frames: Array) -> Array:
        """Scene frames (n,) -> time stamps (n,) seconds."""
        return self.origin + (np.asarray(frames, np.float64) - self.start) / self.fps


def scene_rate(fps: float) -> tuple[int, float]:
    """Blender's pair (fps, fps_base) for a rate such as 29.97; their quotient is the rate."""
    whole = max(1, round(fps))
    return whole, whole / fps


def footage_offsets(scene: FrameMap, footage_fps: float, last: int) -> tuple[Array, Array]:
    """Which movie frame to show when: scene frames (n,) and Blender's ``frame_offset`` from there on (n,).

    Blender counts a movie's frames one per scene frame, and finds frame p at p / rate seconds. So the offset is
    constant where both rates agree and changes where they do not. last: the scene's last frame of the clip.
    """
    frames = np.arange(scene.start, max(last, scene.start) + 1)
    shown = np.floor(scene.times(frames) * footage_fps + SNAP).astype(np.int64)
    offsets = np.maximum(shown, 0) - (frames - scene.start)
    changes = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
    return frames[changes].astype(np.float64), offsets[changes].astype(np.float64)
