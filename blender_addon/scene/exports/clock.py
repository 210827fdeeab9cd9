"""When a file's frames are: second 0 is the clip's first frame, at the take's own rate whatever the scene plays at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from .. import compat, naming, opened, stored_edits, timing
from ..clock import clock_of


@dataclass(frozen=True)
class Frames:
    """The file has frames 0..count-1 at ``fps``; ``scene`` (count,): where each lies in the artist's scene."""

    fps: float
    scene: NDArray[np.float64]

    @property
    def count(self) -> int:
        return len(self.scene)

    @property
    def last(self) -> int:
        return self.count - 1


def frames_of(root: Any, fps: float | None = None) -> Frames:
    """The frames of a clip at ``fps`` (default: the take's own rate), from its first to its last key."""
    clock = clock_of(root)
    keys = _keys(root)
    rate = fps or _own_rate(root, keys, clock.fps)
    start = float(clock.start)
    return frames_between(start, float(keys[-1]) if len(keys) else start, clock.fps, rate)


def frames_between(start: float, end: float, scene_fps: float, fps: float) -> Frames:
    """The frames of a file at ``fps`` over the frames start..end of a scene at ``scene_fps``."""
    count = int(np.floor(max(end - start, 0.0) / scene_fps * fps + 0.01)) + 1
    scene = start + np.arange(count) / fps * scene_fps
    whole = np.round(scene)
    # As FrameMap.frames does it, so that a file's frame is a key and not something beside it.
    return Frames(fps, np.where(np.abs(scene - whole) < timing.SNAP, whole, scene))


def _own_rate(root: Any, keys: NDArray[np.float64], scene_fps: float) -> float:
    """As the take says; by the clip's keys where its folder is gone."""
    try:
        header = opened.open_now(root, stored_edits.edits_of(root).version)
    except HmdiffError:
        return timing.nominal_rate(keys / scene_fps, 0.0)
    return timing.nominal_rate(header.times, header.header.fps)


def _keys(root: Any) -> NDArray[np.float64]:
    """Scene frames of all keys of the clip's armatures, ascending."""
    found: set[float] = set()
    for armature in naming.find("armature", root[naming.CLIP]):
        for curve in compat.iter_fcurves(armature):
            values = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get("co", values)
            found.update(np.round(values[::2].astype(np.float64), 4).tolist())
    return np.array(sorted(found))
