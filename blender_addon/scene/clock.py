"""How a clip lies in the scene's time: at the frame rate and from the frame it was made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
from hmdiff_wire.take import Take

from . import naming
from .timing import FrameMap


@dataclass(frozen=True)
class Clock:
    """fps: the scene's when the clip was made; start: scene frame of the take's first time stamp."""

    fps: float
    start: int

    def frame_map(self, take: Take) -> FrameMap:
        return FrameMap(self.fps, self.start, float(take.times[0]) if take.n_frames else 0.0)


def clock_of(root: Any) -> Clock:
    render = bpy.context.scene.render
    return Clock(float(root.get(naming.RATE, render.fps / render.fps_base)), int(root.get(naming.START, 1)))
