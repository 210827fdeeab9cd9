"""A clip at another frame rate: every key moves to where its time stamp lies, the artist's own keys too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.take import Take

from . import clips, compat, naming
from .clock import Clock, clock_of
from .doubt import MARKERS
from .footage import resynchronise
from .timing import SNAP


def retime(root: Any, take: Take, fps: float) -> None:
    """Let the clip of ``root`` run in a scene of ``fps`` frames a second; it begins where it began."""
    old = clock_of(root)
    if abs(old.fps - fps) > 1e-6:
        new = Clock(fps, old.start)
        for curve in _curves(root):
            _move(curve, old, new)
        _move_markers(root, old, new)
        root[naming.RATE] = fps
    camera = clips.camera_of(root)
    if camera is not None:
        resynchronise(camera, take, clock_of(root).frame_map(take))


def clip_span(root: Any, take: Take) -> tuple[int, int]:
    """First and last whole scene frame of the clip."""
    frames = clock_of(root).frame_map(take).frames(take.times)
    return int(np.floor(frames[0])), int(np.ceil(frames[-1]))


def _curves(root: Any) -> Iterator[Any]:
    """Every F-curve of the clip; of the camera's footage none, which is found anew."""
    owners: list[Any] = []
    actions: list[Any] = []
    for item in bpy.data.objects:
        if item.get(naming.CLIP) != root[naming.CLIP]:
            continue
        data = [value for name, value in item.items() if name.startswith("hmdiff_of_") and hasattr(value, "id_type")]
        actions += [one for one in data if one.id_type == "ACTION"]
        meshes = [one for one in (item.data, *data) if isinstance(one, bpy.types.Mesh)]
        keys = [mesh.shape_keys for mesh in meshes if mesh.shape_keys is not None]
        owners += [item, *([item.data] if item.data is not None else []), *keys]
    seen: set[int] = set()
    for owner in owners:
        animation = owner.animation_data
        if animation is None or animation.action is None or animation.action.as_pointer() in seen:
            continue
        seen.add(animation.action.as_pointer())
        yield from (curve for curve in compat.iter_fcurves(owner) if "background_images" not in curve.data_path)
    for action in actions:
        if action.as_pointer() not in seen:
            seen.add(action.as_pointer())
            yield from compat.action_fcurves(action)


def _move(curve: Any, old: Clock, new: Clock) -> None:
    count = 2 * len(curve.keyframe_points)
    for name in ("co", "handle_left", "handle_right"):
        values = np.empty(count, np.float32)
        curve.keyframe_points.foreach_get(name, values)
        values[0::2] = _moved(values[0::2].astype(np.float64), old, new)
        curve.keyframe_points.foreach_set(name, values)
    curve.update()


def _moved(frames: Any, old: Clock, new: Clock) -> Any:
    exact = new.start + (frames - old.start) * (new.fps / old.fps)
    nearest = np.round(exact)
    return np.where(np.abs(exact - nearest) < SNAP, nearest, exact)


def _move_markers(root: Any, old: Clock, new: Clock) -> None:
    moved = []
    for name, frame in json.loads(root.get(MARKERS, "[]")):
        place = int(np.floor(_moved(np.array(frame, np.float64), old, new)))
        for scene in bpy.data.scenes:
            marker = next((one for one in scene.timeline_markers if one.name == name and one.frame == frame), None)
            if marker is not None:
                marker.frame = place
        moved.append([name, place])
    if moved:
        root[MARKERS] = json.dumps(moved)
