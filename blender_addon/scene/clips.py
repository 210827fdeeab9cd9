"""The clips of a file: which one the artist means, what can be told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from . import naming
from .preview import ROLE as PREVIEW
from .shown import shown


@dataclass(frozen=True)
class ClipInfo:
    """What a panel shows of a clip. shown: hypothesis (0..N-1) or -1 for the estimate; running: only a preview yet."""

    uuid: str
    name: str
    people: int
    hypotheses: int
    shown: int
    complete: bool
    running: bool


def roots() -> list[Any]:
    """The empties that hold the clips, previews included, newest last."""
    # By collection: a file has far fewer of them than objects, and panels ask at every redraw.
    found: list[Any] = []
    for role in (f"{PREVIEW} clip", "clip"):
        for collection in bpy.data.collections:
            if collection.get(naming.ROLE) == role:
                found += [item for item in collection.objects if item.get(naming.ROLE) == role]
    return found


def chosen_root(context: Any) -> Any | None:
    """The root of the active object's clip; else the only clip, or the one that came last."""
    found = roots()
    active = context.active_object
    if active is not None and active.get(naming.CLIP):
        for root in reversed(found):
            if root[naming.CLIP] == active[naming.CLIP]:
                return root
    return found[-1] if found else None


def info(root: Any) -> ClipInfo:
    clip = root[naming.CLIP]
    people = naming.find("body", clip) or naming.find(f"{PREVIEW} body", clip)
    complete, running = bool(root.get(naming.COMPLETE, True)), str(root[naming.ROLE]).startswith(PREVIEW)
    return ClipInfo(clip, root.name, len(people), int(root.get(naming.COUNT, 0)), shown(root), complete, running)


def camera_of(root: Any) -> Any | None:
    clip = root[naming.CLIP]
    found = [*naming.find("camera", clip), *naming.find(f"{PREVIEW} camera", clip)]
    return found[0] if found else None


def select_clip(root: Any) -> None:
    """Make a clip's root the active object, so that the panel is about it; only if the artist works on nothing else."""
    layer = bpy.context.view_layer
    active = layer.objects.active
    if active is not None and active.mode != "OBJECT":
        return
    if root.name in layer.objects:
        layer.objects.active = root


def span(root: Any) -> tuple[int, int] | None:
    """First and last scene frame of a clip's motion, by the keys of its armatures."""
    frames: list[float] = []
    for armature in naming.find("armature", root[naming.CLIP]):
        animation = armature.animation_data
        if animation and animation.action:
            frames += list(animation.action.frame_range)
    return (int(min(frames)), int(round(max(frames)))) if frames else None
