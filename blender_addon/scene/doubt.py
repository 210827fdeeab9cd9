"""How sure the model is, in the file: a keyed property on each body, and timeline markers where a person was missed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from ..edits.doubt import doubtful, missed
from . import compat
from .timing import FrameMap

Array = NDArray[np.floating[Any]]

SPREAD = "hmdiff_spread_mm"
"""Custom property of a body, one key a frame: millimetres by which the hypotheses differ; small is sure."""
MARKERS = "hmdiff_markers"


def key_spread(item: Any, frames: Array, spread_mm: Array) -> None:
    """frames (F,) of the scene, spread_mm (F,) with NaN where unknown; nothing where all of it is."""
    known = np.isfinite(spread_mm)
    if not known.any():
        return
    item[SPREAD] = float(spread_mm[known][0])
    item.id_properties_ui(SPREAD).update(
        description="By how much the explanations of this frame differ; small is sure", min=0.0, soft_max=200.0
    )
    compat.set_keys(compat.ensure_fcurve(item, f'["{SPREAD}"]'), frames[known], spread_mm[known])


def spread_keys(item: Any) -> tuple[Array, Array]:
    """Scene frames (n,) and millimetres (n,) of a body; empty where nothing is known."""
    for curve in compat.iter_fcurves(item):
        if curve.data_path == f'["{SPREAD}"]':
            points = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get("co", points)
            return points[0::2].astype(np.float64), points[1::2].astype(np.float64)
    return np.empty(0), np.empty(0)


def doubtful_frames(item: Any, take: Take, person: int, frame_map: FrameMap) -> list[tuple[float, float, float]]:
    """Runs of frames one should look at, as scene frames: first, last, worst."""
    frames = frame_map.frames(take.times)
    keyed, values = spread_keys(item)
    spread_mm = np.full(len(frames), np.nan)
    if len(keyed):
        nearest = np.abs(frames[:, None] - keyed).argmin(1) if len(keyed) < 4000 else np.searchsorted(keyed, frames)
        nearest = nearest.clip(0, len(keyed) - 1)
        close = np.abs(frames - keyed[nearest]) < 0.01
        spread_mm[close] = values[nearest[close]]
    runs = doubtful(spread_mm, take.status[person])
    return [(float(frames[first]), float(frames[last]), float(frames[worst])) for first, last, worst in runs]


def mark_missed(scene: Any, root: Any, take: Take, people: Iterable[int], frame_map: FrameMap) -> None:
    """A marker on the timeline for each run of frames in which a person was missed and the pose before is held."""
    frames, made = frame_map.frames(take.times), []
    for person in people:
        for first, last in missed(take.status[person]):
            begin, end = int(np.floor(frames[first])), int(np.ceil(frames[last]))
            name = f"Person {take.track_ids[person]} missed" + (f" to {end}" if end > begin else "")
            scene.timeline_markers.new(name, frame=begin)
            made.append([name, begin])
    if made:
        root[MARKERS] = json.dumps(made)


def has_marks(root: Any) -> bool:
    return MARKERS in root


def remove_marks(scene: Any, root: Any) -> None:
    """The markers that were made for this clip; one that the artist has renamed or moved is the artist's."""
    for name, frame in json.loads(root.get(MARKERS, "[]")):
        found = next((one for one in scene.timeline_markers if one.name == name and one.frame == frame), None)
        if found is not None:
            scene.timeline_markers.remove(found)
    if MARKERS in root:
        del root[MARKERS]
