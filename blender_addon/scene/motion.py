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

CACHE_MODIFIER = "HMDiff motion"
HEADER_BYTES = 32


def animate_shape_keys(item: Any, frames: Array, shapes: Iterable[Array | str]) -> Iterator[str | None]:
    """One absolute key per time stamp; yields after each. frames (n,) scene frames, shapes: n arrays (V,3), and WAIT in
    between, which is passed on.

    The curve's values are read back from ``ShapeKey.frame``: Blender spaces keys by 10 and lets the sum drift.
    """
    for shape in shapes:
        if isinstance(shape, str):
            yield shape
            continue
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


def animate_point_cache(item: Any, frames: Array, shapes: Iterable[Array | str], path: Path) -> Iterator[str | None]:
    """Write the shapes to a PC2 file at ``path`` and play them by time stamp; yields after each shape."""
    yield from write_point_cache(path, len(frames), len(item.data.vertices), shapes)
    compat.set_keys(play_point_cache(item, path), frames, np.arange(len(frames)))
    yield


def write_point_cache(path: Path, count: int, vertices: int, shapes: Iterable[Array | str]) -> Iterator[str | None]:
    """A PC2 file of ``count`` shapes (V,3); yields after each.

    The file gets its name when it is complete, so that a stopped run leaves no file that looks whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with partial.open("wb") as stream:
        stream.write(point_cache_header(vertices, count))
        for shape in shapes:
            if isinstance(shape, str):
                yield shape
                continue
            stream.write(np.ascontiguousarray(shape, "<f4").tobytes())
            yield
    os.replace(partial, path)


def point_cache_header(vertices: int, count: int) -> bytes:
    return struct.pack("<12siiffi", b"POINTCACHE2\0", 1, vertices, 0.0, 1.0, count)


def play_point_cache(item: Any, path: Path) -> Any:
    """A Mesh Cache modifier on ``item``; returns the F-curve, still empty, from scene frames to the file's frames."""
    modifier = item.modifiers.new(CACHE_MODIFIER, "MESH_CACHE")
    modifier.cache_format = "PC2"
    modifier.filepath = stored_path(path)
    modifier.interpolation = "LINEAR"
    modifier.time_mode = "FRAME"
    modifier.play_mode = "CUSTOM"
    return compat.ensure_fcurve(item, f'modifiers["{modifier.name}"].eval_frame')


def key_presence(item: Any, frames: Array, present: NDArray[np.bool_]) -> None:
    """Hide an object, in steps at scene frames (F,), where ``present`` (F,) is False; no keys where it never is."""
    if present.all():
        return
    hidden = ~present
    changes = np.flatnonzero(np.diff(hidden, prepend=~hidden[0]))
    for path in ("hide_viewport", "hide_render"):
        compat.set_keys(compat.ensure_fcurve(item, path), frames[changes], hidden[changes], "CONSTANT")
