"""A clip's bodies and bones play what the artist's edits make of the take: changed in place, only where it changes.

Objects, meshes, materials, constraints and the artist's own keys stay; undo is Blender's. The frames next to the
current one come first, so that the answer is seen at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import skin
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from ..edits.played import Played, played
from ..edits.record import Edits
from . import naming, stored_edits
from .armature import animate_armature, reshape_armature
from .axes import world_from_camera
from .body import flat
from .clock import clock_of
from .motion import write_point_cache
from .opened import iter_open
from .reading import WAIT, ahead, in_background
from .rigged import key_corrections, reshape_rigged
from .shown import ESTIMATE, forget_others, iter_show, shown

Array = NDArray[np.floating[Any]]

FILES_KEPT = 4
HEADER = 32
SAME = 1e-7


@dataclass(frozen=True)
class _Plan:
    """One person: what it is to play at its n keyed frames, and which of them (n,) look different from now."""

    track: int
    frames: Array
    pose: Array
    transl: Array
    betas: Array
    changed: NDArray[np.bool_]
    reshaped: bool


def iter_replay(root: Any, edits: Edits, before: bool = False) -> Generator[object, None, None]:
    """Let the clip of ``root`` play ``edits``, in slices; before: as in ``stored_edits.begin``.

    Errors: ``take.missing``, ``take.changed``, those of reading.
    """
    clip, applied = root[naming.CLIP], stored_edits.applied_to(root)
    take = yield from iter_open(root, edits.version)
    raw = (yield from iter_open(root, edits.version, raw=True)) if edits.unsmoothed else None
    old_take, old_raw = take, raw
    if applied is not None:
        old_take = yield from iter_open(root, applied.version)
        old_raw = (yield from iter_open(root, applied.version, raw=True)) if applied.unsmoothed else None
    stored_edits.begin(root, edits, before)
    if shown(root) != ESTIMATE:
        yield from iter_show(root, ESTIMATE)
    bodies = {int(item[naming.PERSON]): item for item in naming.find("body", clip) if naming.PERSON in item}
    floor = -float(root.get(naming.ORIGIN, (0.0, 0.0, 0.0))[2])
    frame_map = clock_of(root).frame_map(take)

    def plan() -> list[_Plan]:
        found = []
        for person, track in enumerate(take.track_ids.tolist()):
            if track not in bodies:
                continue
            new = played(take, person, edits, floor, raw)
            old = None
            if applied is not None and track in old_take.track_ids:
                old = played(old_take, old_take.track_ids.tolist().index(track), applied, floor, old_raw)
            found.append(_plan(track, new, old, frame_map.frames(take.times)))
        return found

    plans = yield from in_background(plan)
    world = world_from_camera(np.asarray(take.header.up))
    if any(one.reshaped for one in plans):
        forget_others(root)
    for one in plans:
        if one.changed.any():
            yield from _write_body(bodies[one.track], take, one, world)
    for one in plans:
        if one.changed.any():
            yield from _write_bones(clip, take, one, world)
    stored_edits.finish(root)


def roots_without_motion() -> list[Any]:
    """Clips that an undo has brought back to a motion file which is gone by now: to be played anew."""
    found = []
    for root in naming.find("clip"):
        bodies = naming.find("body", root[naming.CLIP])
        files = [one.filepath for body in bodies for one in body.modifiers if one.type == "MESH_CACHE"]
        if any(not Path(bpy.path.abspath(file)).is_file() for file in files):
            found.append(root)
    return found


def _plan(track: int, new: Played, old: Played | None, frames: Array) -> _Plan:
    present = new.present
    pose, transl = new.poses.pose[present], new.poses.transl[present]
    changed, reshaped = np.ones(len(pose), np.bool_), old is None
    if old is not None and np.array_equal(old.present, present):
        reshaped = bool(np.abs(old.betas - new.betas).max() > SAME)
        away = np.abs(old.poses.pose[present] - pose).max(1), np.abs(old.poses.transl[present] - transl).max(1)
        changed = (np.maximum(*away) > SAME) | reshaped
    return _Plan(track, frames[present], pose, transl, new.betas, changed, reshaped)


def _write_body(item: Any, take: Take, plan: _Plan, world: Array) -> Iterator[object]:
    keys = item.data.shape_keys
    cache = next((modifier for modifier in item.modifiers if modifier.type == "MESH_CACHE"), None)
    if cache is not None:
        yield from _write_cache(item, cache, take, plan, world)
        return
    count = len(keys.key_blocks) if keys else 1
    if count != len(plan.frames):
        raise HmdiffError(
            "take.changed", f"{item.name} has {count} frames, its take {len(plan.frames)}.",
            "Import the take again (More > Import Take).",
        )  # fmt: skip
    wanted = np.flatnonzero(plan.changed)
    near = np.abs(plan.frames[wanted] - bpy.context.scene.frame_current_final)
    wanted = wanted[np.argsort(near, kind="stable")]
    number = 0
    for shape in ahead(_shapes(take, plan, wanted, world)):
        if isinstance(shape, str):
            yield shape
            continue
        at = int(wanted[number])
        if keys:
            keys.key_blocks[at].points.foreach_set("co", flat(shape))
        if at == 0:
            item.data.vertices.foreach_set("co", flat(shape))
        if number < 2:
            item.data.update()
        number += 1
        yield
    item.data.update()
    yield


def _shapes(take: Take, plan: _Plan, wanted: NDArray[np.integer], world: Array) -> Iterable[Array]:
    turn = world.T.astype(np.float32)
    starts = [0, 1, 2, *range(3, len(wanted), 8)]
    for first, end in zip(starts, [*starts[1:], len(wanted)], strict=True):
        some = wanted[first:end]
        if len(some):
            yield from skin(take.body, plan.betas, plan.pose[some], plan.transl[some])[0] @ turn


def _write_cache(item: Any, modifier: Any, take: Take, plan: _Plan, world: Array) -> Iterator[object]:
    """A new file beside the old one, which stays for undo; files that are several changes old go."""
    old = Path(bpy.path.abspath(modifier.filepath))
    vertices = len(item.data.vertices)

    def shapes() -> Iterator[Array]:
        size = 12 * vertices
        fresh = _shapes(take, plan, np.flatnonzero(plan.changed), world)
        source = iter(fresh)
        if plan.changed.all():
            yield from source
            return
        with old.open("rb") as stream:
            for number, changed in enumerate(plan.changed):
                if changed:
                    yield next(source)
                else:
                    stream.seek(HEADER + number * size)
                    yield np.frombuffer(stream.read(size), "<f4").reshape(-1, 3)

    digest = hashlib.sha256(plan.pose.tobytes() + plan.transl.tobytes() + plan.betas.tobytes()).hexdigest()[:12]
    stem = str(item[naming.UUID])
    path = old.with_name(f"{stem}_{digest}.pc2")
    if not old.is_file():
        plan = replace(plan, changed=np.ones_like(plan.changed))
    if not path.is_file():
        yield from write_point_cache(path, len(plan.frames), vertices, ahead(shapes()))
    modifier.filepath = naming.stored_path(path)
    files = sorted(old.parent.glob(f"{stem}_*.pc2"), key=lambda file: file.stat().st_mtime_ns)
    for file in files[:-FILES_KEPT]:
        if file != path:  # an earlier motion that is played again
            file.unlink(missing_ok=True)
    yield


def _write_bones(clip: str, take: Take, plan: _Plan, world: Array) -> Iterator[object]:
    for armature in naming.find("armature", clip):
        if armature.get(naming.PERSON) != plan.track:
            continue
        if plan.reshaped:
            reshape_armature(armature, take.body, plan.betas)
            yield
        yield from animate_armature(
            armature, take.body, plan.betas, plan.frames, plan.pose, plan.transl, world, beside=True
        )
    for rigged in naming.find("rigged", clip):
        if rigged.get(naming.PERSON) == plan.track:
            reshape_rigged(rigged, take.body, plan.betas)
            yield from key_corrections(rigged, take.body, plan.frames, plan.pose)
    yield WAIT
