"""What an export must leave as it was: reading other frames overwrites animated values with those of these frames.

Going back to the frame gives the keyed values back; what the artist changed since without a key is kept here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy

from .. import compat


@dataclass(frozen=True)
class _Channel:
    """One animated number of an ID, and what it was."""

    owner: Any
    path: str
    index: int
    value: float

    def put_back(self) -> None:
        held, name = self.path.rpartition(".")[::2]
        if self.path.endswith('"]'):
            held, _, name = self.path.rpartition('["')
            holder, key = self.owner.path_resolve(held) if held else self.owner, name[:-2]
            if hasattr(holder[key], "__len__"):
                holder[key][self.index] = self.value
            else:
                holder[key] = type(holder[key])(self.value)
            return
        holder = self.owner.path_resolve(held) if held else self.owner
        current = getattr(holder, name)
        if hasattr(current, "__len__"):
            current[self.index] = self.value
        else:
            setattr(holder, name, type(current)(self.value))


@contextmanager
def standing_still(items: list[Any]) -> Iterator[None]:
    """However other frames are read inside, the scene shows the same as before afterwards, what was posed on these
    objects without a key too.
    """
    scene = bpy.context.scene
    frame, part = scene.frame_current, scene.frame_subframe
    kept = [channel for item in items for channel in _channels(item)]
    try:
        yield
    finally:
        scene.frame_set(frame, subframe=part)
        for channel in kept:
            channel.put_back()
        for owner in {channel.owner for channel in kept}:
            owner.update_tag()
        bpy.context.view_layer.update()


def _channels(item: Any) -> Iterator[_Channel]:
    """All that keys move on an object, its data and its shape keys; linked data are as in their file."""
    for owner in (item, item.data, getattr(item.data, "shape_keys", None)):
        if owner is None or owner.library is not None:
            continue
        for curve in compat.iter_fcurves(owner):
            try:
                value = owner.path_resolve(curve.data_path)
            except ValueError:  # a curve of something that is gone
                continue
            value = value[curve.array_index] if hasattr(value, "__len__") else value
            if isinstance(value, int | float):
                yield _Channel(owner, curve.data_path, curve.array_index, float(value))
