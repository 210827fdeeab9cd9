"""How objects are named, marked and found again: a uuid and the take's path on each (DESIGN 8)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

UUID, CLIP, TAKE, ROLE, PERSON, SCORE, HYPOTHESIS, HIDDEN, COMPLETE, ORIGIN, COUNT, START, RATE = (
    "hmdiff_uuid", "hmdiff_clip", "hmdiff_take", "hmdiff_role", "hmdiff_person", "hmdiff_score", "hmdiff_hypothesis",
    "hmdiff_hidden", "hmdiff_complete", "hmdiff_origin", "hmdiff_hypotheses", "hmdiff_start", "hmdiff_fps",
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


def folder_of(item: Any) -> Path | None:
    """Where the take of a marked object lies; None where it has none."""
    stored = item.get(TAKE)
    return Path(bpy.path.abspath(stored)) if isinstance(stored, str) and stored else None


def place(root: Any, origin: Any) -> None:
    """Move a clip's root by the offset (3,) that brings its people to the world's origin and onto the floor, and note
    the offset, so that what the artist adds to it can be told apart.
    """
    root.location = origin
    root[ORIGIN] = [float(value) for value in origin]


def find(role: str, clip: str | None = None) -> list[Any]:
    """All objects of a role ("body", "armature", "rigged", "hypothesis", "camera", "clip") in a clip or in the file."""
    return [item for item in bpy.data.objects if item.get(ROLE) == role and clip in (None, item.get(CLIP))]


def new_collection(name: str, parent: Any = None, hidden: bool = False) -> Any:
    """A collection under ``parent``, or in no scene yet. A hidden one is excluded from the view layers by
    ``exclude_hidden``: it costs nothing until the artist ticks the box beside its name."""
    collection = bpy.data.collections.new(name)
    if parent is not None:
        parent.children.link(collection)
    if hidden:
        collection[HIDDEN] = True
    return collection


def exclude_hidden(collection: Any) -> None:
    """Leave what was made hidden below ``collection``, which must be in a scene by now, out of every view layer."""
    below = set(collection.children_recursive)
    for item in layer_collections():
        if item.collection in below and item.collection.get(HIDDEN):
            item.exclude = True


def layer_collections() -> Iterator[Any]:
    """Every collection of every view layer of the file, as the view layer sees it."""
    waiting = [layer.layer_collection for scene in bpy.data.scenes for layer in scene.view_layers]
    while waiting:
        item = waiting.pop()
        waiting.extend(item.children)
        yield item
