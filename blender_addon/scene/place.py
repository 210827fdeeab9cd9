"""Where the artist is: which person of a clip, which frame of its take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hmdiff_wire.take import Take

from . import naming
from .timing import FrameMap


@dataclass(frozen=True)
class Place:
    """person: 0..P-1 of the take; track: its id; position: 0..F-1; frame: of the source; seen: there is a pose."""

    person: int
    track: int
    position: int
    frame: int
    seen: bool


def chosen_track(context: Any, root: Any) -> int | None:
    """Of the active object where it belongs to a person of this clip, else of the clip's first person."""
    active = context.active_object
    if active is not None and active.get(naming.CLIP) == root[naming.CLIP] and naming.PERSON in active:
        return int(active[naming.PERSON])
    tracks = [int(item[naming.PERSON]) for item in naming.find("body", root[naming.CLIP]) if naming.PERSON in item]
    return min(tracks) if tracks else None


def place_at(take: Take, frame_map: FrameMap, track: int | None, scene_frame: float) -> Place | None:
    """The take's frame nearest to a frame of the scene; None where the take has no such person."""
    tracks = take.track_ids.tolist()
    if track not in tracks or not take.n_frames:
        return None
    person = tracks.index(track)
    position = int(np.argmin(np.abs(frame_map.frames(take.times) - scene_frame)))
    return Place(person, track, position, int(take.frame_indices[position]), bool(take.valid[person, position]))


def source_range(take: Take, frame_map: FrameMap, first: float, last: float) -> tuple[int, int] | None:
    """The frames of the source that lie on the scene's frames first..last; None where there are none."""
    frames = frame_map.frames(take.times)
    inside = take.frame_indices[(frames >= first - 0.5) & (frames <= last + 0.5)]
    return (int(inside[0]), int(inside[-1])) if len(inside) else None
