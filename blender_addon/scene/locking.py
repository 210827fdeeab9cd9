"""Locking a frame: what it shows now becomes its own, whatever else is changed."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ..edits.played import played
from ..edits.record import Lock
from . import naming, stored_edits
from .opened import iter_open
from .reading import in_background
from .replay import iter_replay


def iter_lock(root: Any, track: int, position: int, blend: int) -> Generator[object, None, None]:
    """In slices. position: 0..F-1 of the take. Errors: ``take.*``."""
    edits = stored_edits.edits_of(root)
    take = yield from iter_open(root, edits.version)
    raw = (yield from iter_open(root, edits.version, raw=True)) if edits.unsmoothed else None
    floor = -float(root.get(naming.ORIGIN, (0.0, 0.0, 0.0))[2])
    person = take.track_ids.tolist().index(track)
    motion = yield from in_background(lambda: played(take, person, edits, floor, raw))
    pose, transl = motion.poses.pose[position], motion.poses.transl[position]
    lock = Lock(int(take.frame_indices[position]), tuple(pose.tolist()), tuple(transl.tolist()), blend)
    stored_edits.remember(root)
    yield from iter_replay(root, edits.locked(track, lock))
