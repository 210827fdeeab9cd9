"""How objects are named, marked and found again: a uuid and the take's path on each (DESIGN 8)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

UUID, CLIP, TAKE, ROLE, PERSON, SCORE, HYPOTHESIS = (
    "hmdiff_uuid", "hmdiff_clip", "hmdiff_take", "hmdiff_role", "hmdiff_person", "hmdiff_score", "hmdiff_hypothesis",
)  # fmt: skip


def mark(item: Any, clip: str, take: Path, role: str, person: int | None = None) -> None:
    """Make an object or collection findable after undo, copies and a reload; names may be changed by the artist."""
    item[UUID] = uuid.uuid4().hex
    item[CLIP] = clip
    item[TAKE] = stored_path(take)
    item[ROLE] = role
    if person is not None:
        item[PERSON] = person


def stored_path(path: Path) -> str:
    """A path as a .blend should keep it: relative to the .blend where one exists on the same drive."""
    absolute = str(Path(path).resolve())
    if not bpy.data.filepath:
        return absolute
    try:
        return bpy.path.relpath(absolute, start=os.path.dirname(os.path.realpath(bpy.data.filepath)))
    except ValueError:  # another Windows drive
        return absolute


def find(role: str, clip: str | None = None) -> list[Any]:
    """All objects of a role ("body", "armature", "rigged", "hypothesis", "camera", "clip") in a clip or in the file."""
    return [item for item in bpy.data.objects if item.get(ROLE) == role and clip in (None, item.get(CLIP))]


def new_collection(name: str, parent: Any, hidden: bool = False) -> Any:
    """A collection under ``parent``, which must be in a scene. A hidden one is excluded from the view layers: it
    costs nothing until the artist ticks the box beside its name."""
    collection = bpy.data.collections.new(name)
    parent.children.link(collection)
    if hidden:
        for item in layer_collections():
            if item.collection == collection:
                item.exclude = True
    return collection


def layer_collections() -> Iterator[Any]:
    """Every collection of every view layer of the file, as the view layer sees it."""
    waiting = [layer.layer_collection for scene in bpy.data.scenes for layer in scene.view_layers]
    while waiting:
        item = waiting.pop()
        waiting.extend(item.children)
        yield item
