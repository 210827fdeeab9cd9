"""A finished (or stopped) run comes into the scene, in place of its preview and of earlier imports of the same take."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take, read_take
from hmdiff_wire.take_format import MANIFEST
from mathutils import Vector

from ..edits.record import Edits
from . import naming
from .build import BuildOptions, SceneObjects, iter_build
from .doubt import remove_marks
from .preview import is_preview, remove_preview_files
from .reading import read_in_background
from .replay import iter_replay
from .stored_edits import edits_of


@dataclass(frozen=True)
class _Kept:
    """What the artist may have done to the objects that are replaced. basis: the root's transform (4,4), counted from
    where the replaced clip was placed by itself.
    """

    basis: Any | None
    was_scene_camera: bool
    edits: Edits


def iter_import(
    folder: Path, start: int, complete: bool, scene: Any, shape_key_limit: int = BuildOptions.shape_key_limit
) -> Generator[object, None, SceneObjects]:
    """The take in ``folder`` as a clip of ``scene``, in slices; the return value is what was made.

    start: scene frame of the first time stamp; complete: whether the run went to its end (else it can be resumed).
    The clip's own transform and its place as the scene's camera are kept from what it replaces. Errors: those of
    reading the take, ``take.empty``.
    """
    take = yield from read_in_background(folder)
    clip = take.header.uuid
    options = BuildOptions(hypotheses=0, start=start, ahead=True, shape_key_limit=shape_key_limit)
    objects = yield from iter_build(take, options, scene)
    new = set(objects.collection.all_objects)
    old = [item for item in _objects_of(clip) if item not in new]
    kept = _kept(old, scene)
    objects.root[naming.COMPLETE] = complete
    if kept.edits != Edits():
        yield from iter_replay(objects.root, kept.edits)
    if kept.basis is not None:
        origin = objects.root.location.copy()  # found anew, with all frames
        objects.root.matrix_basis = kept.basis
        objects.root.location += origin
    if kept.was_scene_camera:
        scene.camera = objects.camera
    for item in old:
        remove_marks(scene, item)
    remove_objects(old)
    remove_preview_files(folder)
    yield
    return objects


def read_for_import(folder: Path) -> Take:
    """A take the artist points at; the folder itself or a file in it. Errors: ``take.missing`` and those of reading."""
    for place in (folder, folder.parent):
        if (place / MANIFEST).is_file():
            return read_take(place)
    raise HmdiffError(
        "take.missing", f"{folder.name} is not a take.", "Choose a folder that holds a manifest.json.", str(folder)
    )


def remove_clip(clip: str) -> None:
    """Everything of a clip, its preview and its markers included."""
    for item in _objects_of(clip):
        for scene in bpy.data.scenes:
            remove_marks(scene, item)
    remove_objects(_objects_of(clip))


def remove_objects(items: list[Any]) -> None:
    """Objects with the data only they use, and the collections that are empty without them."""
    data = {item.data for item in items if item.data is not None}
    actions = {item.animation_data.action for item in items if item.animation_data and item.animation_data.action}
    collections = {collection for item in items for collection in item.users_collection}
    clips = {item.get(naming.CLIP) for item in items}
    bpy.data.batch_remove(items)
    bpy.data.batch_remove([item for item in data | actions if item.users == 0])
    parents = {c for c in bpy.data.collections if c.get(naming.CLIP) in clips} | collections
    while empty := [c for c in parents if c.get(naming.CLIP) and not c.objects and not c.children]:
        parents -= set(empty)
        bpy.data.batch_remove(empty)


def _objects_of(clip: str) -> list[Any]:
    return [item for item in bpy.data.objects if item.get(naming.CLIP) == clip]


def _kept(old: list[Any], scene: Any) -> _Kept:
    basis, edits = None, Edits()
    for item in sorted(old, key=is_preview):  # the preview's counts, if there is one: it is the newest
        if str(item.get(naming.ROLE, "")).endswith("clip"):
            basis = item.matrix_basis.copy()
            basis.translation -= Vector(item.get(naming.ORIGIN, (0.0, 0.0, 0.0)))
            edits = edits if is_preview(item) else edits_of(item)
    return _Kept(basis, scene.camera is not None and scene.camera in old, edits)
