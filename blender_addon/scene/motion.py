"""Moving vertices: absolute shape keys on one ``eval_time`` curve, or a PC2 file for long clips (DESIGN 8)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import compat
from .body import flat
from .naming import stored_path

Array = NDArray[np.floating[Any]]


def animate_shape_keys(item: Any, frames: Array, shapes: Iterable[Array]) -> Iterator[None]:
    """One absolute key per time stamp; yields after each. frames (n,) scene frames, shapes: n arrays (V,3).

    The curve's values are read back from ``ShapeKey.frame``: Blender spaces keys by 10 and lets the sum drift.
    """
    for shape in shapes:
        key = item.shape_key_add(name="", from_mix=False)
        key.points.foreach_set("co", flat(shape))
        yield
    keys = item.data.shape_keys
    keys.use_relative = False
    keys.name = f"{item.name} shapes"
    positions = np.array([key.frame for key in keys.key_blocks])
    compat.set_keys(compat.ensure_fcurve(keys, "eval_time"), frames, positions)
    item.data.update()
    yield


def animate_point_cache(item: Any, frames: Array, shapes: Iterable[Array], path: Path) -> Iterator[None]:
    """Write the shapes to a PC2 file at ``path`` and play them by time stamp; yields after each shape.

    The file gets its name when it is complete, so that a stopped run leaves no file that looks whole.
    """
    count, vertices = len(frames), len(item.data.vertices)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with partial.open("wb") as stream:
        stream.write(struct.pack("<12siiffi", b"POINTCACHE2\0", 1, vertices, 0.0, 1.0, count))
        for shape in shapes:
            stream.write(np.ascontiguousarray(shape, "<f4").tobytes())
            yield
    os.replace(partial, path)
    modifier = item.modifiers.new("HMDiff motion", "MESH_CACHE")
    modifier.cache_format = "PC2"
    modifier.filepath = stored_path(path)
    modifier.interpolation = "LINEAR"
    modifier.time_mode = "FRAME"
    modifier.play_mode = "CUSTOM"
    curve = compat.ensure_fcurve(item, f'modifiers["{modifier.name}"].eval_frame')
    compat.set_keys(curve, frames, np.arange(count))
    yield


def key_presence(item: Any, frames: Array, present: NDArray[np.bool_]) -> None:
    """Hide an object, in steps at scene frames (F,), where ``present`` (F,) is False; no keys where it never is."""
    if present.all():
        return
    hidden = ~present
    changes = np.flatnonzero(np.diff(hidden, prepend=~hidden[0]))
    for path in ("hide_viewport", "hide_render"):
        compat.set_keys(compat.ensure_fcurve(item, path), frames[changes], hidden[changes], "CONSTANT")
