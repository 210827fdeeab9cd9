"""A clip set up for an exporter: in a scene of its own, at the file's rate, frame 0 at second 0."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import bpy
import numpy as np
from hmdiff_wire.errors import HmdiffError
from mathutils import Matrix
from numpy.typing import NDArray

from .. import clips, compat, naming
from ..motion import point_cache_header
from .bones import baked_armature
from .clock import Frames, frames_of
from .meshes import rigged_copy, still_copy
from .run import run_selected, set_clock
from .sampled import At, each_moment, temporary_scene, watched
from .wish import Told, Wish

Array = NDArray[np.floating[Any]]


@dataclass
class Person:
    """One person of a staged clip. root: of the artist's clip; body: a mesh in its first pose, its F shapes in the PC2
    file ``shapes``; armature: baked, its bones in the world ``poses`` (F,B,4,4); rigged: a mesh that the armature
    moves. None for what was not asked for."""

    track: int
    root: Any
    armature: Any = None
    poses: Any = None
    rigged: Any = None
    body: Any = None
    shapes: Path | None = None


@dataclass(frozen=True)
class Stage:
    """scale: of the clip in the world; folder: for files that are needed only while the file is written."""

    scene: Any
    frames: Frames
    people: tuple[Person, ...]
    camera: Any
    scale: float
    folder: Path

    def run(self, operator: Any, objects: list[Any], **options: Any) -> None:
        """Let one of Blender's exporters write ``objects``, as the selection."""
        run_selected(operator, self.scene, objects, **options)


@dataclass
class _Seen:
    """What was read of one person: bones (F,B,4,4) in the world, values of corrective shape keys (F,) by name."""

    track: int
    source: dict[str, Any]
    bones: list[Array] = field(default_factory=list)


@contextmanager
def staged(wish: Wish, bones: bool = False, rigged: bool = False, shapes: bool = False) -> Iterator[Stage]:
    """Read the clip as it is shown and set up what is asked for. Errors: ``export.nothing``."""
    root = _root(wish.clip)
    clip = root[naming.CLIP]
    parts = {role: _by_track(role, clip) for role in ("body", "armature", "rigged")}
    tracks = sorted(parts["body"].keys() | parts["armature"].keys())
    if (rigged and not parts["rigged"]) or ((bones or rigged) and not parts["armature"]) or not tracks:
        raise nothing()
    frames = frames_of(root, wish.fps)
    with temporary_scene() as scene, TemporaryDirectory(prefix="hmdiff-export-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        seen = [_Seen(track, {role: parts[role].get(track) for role in parts}) for track in tracks]
        camera = clips.camera_of(root)
        looks = _read(scene, frames, seen, camera, folder, bones or rigged, shapes, wish.told)
        scale = _scale(looks.world)
        people = []
        for one in seen:
            person = Person(one.track, root)
            name = f"Person_{one.track}"
            if one.bones:
                person.poses = np.array(one.bones)
                person.armature = baked_armature(one.source["armature"], name, scene, person.poses, scale)
            if rigged and one.source["rigged"] is not None:
                person.rigged = rigged_copy(one.source["rigged"], f"{name}_body", person.armature, frames, scene)
            path = _shapes(folder, one.track)
            if path.is_file():
                person.shapes = path
                person.body = still_copy(one.source["body"], f"{name}_body", path, scene)
            people.append(person)
        view = _camera(camera, looks, scene) if camera is not None else None
        set_clock(scene, frames.fps, frames.last, view)
        yield Stage(scene, frames, tuple(people), view, scale, folder)


def nothing() -> HmdiffError:
    return HmdiffError(
        "export.nothing", "There is no body of HMDiff in this file to export.", "Load a take first, then export again."
    )


@dataclass
class _Looks:
    """world (4,4) of the first armature or body; cameras: (4,4) per frame; lenses in mm."""

    world: Array = field(default_factory=lambda: np.eye(4))
    cameras: list[Array] = field(default_factory=list)
    lenses: list[float] = field(default_factory=list)


def _read(
    scene: Any, frames: Frames, seen: list[_Seen], camera: Any, folder: Path, bones: bool, shapes: bool, told: Told
) -> _Looks:
    looks = _Looks()
    copies: dict[tuple[int, str], Any] = {}
    for one in seen:
        for role, wanted in (("armature", bones), ("body", shapes)):
            if wanted and one.source[role] is not None:
                copies[one.track, role] = watched(one.source[role], scene)
    view = watched(camera, scene) if camera is not None else None
    with ExitStack() as stack:
        files: dict[int, BinaryIO] = {}
        for track, role in copies:
            if role == "body":
                files[track] = stack.enter_context(_shapes(folder, track).open("wb"))
                vertices = len(copies[track, role].data.vertices)
                files[track].write(point_cache_header(vertices, frames.count))
        for at in each_moment(scene, frames, told):
            for one in seen:
                if (one.track, "armature") in copies:
                    one.bones.append(at.bones(copies[one.track, "armature"]))
                if one.track in files:
                    shape = at.vertices(copies[one.track, "body"])
                    files[one.track].write(np.ascontiguousarray(shape, "<f4").tobytes())
            _look(looks, at, copies, view)
    for item in [*copies.values(), *([view] if view is not None else [])]:
        action = item.animation_data.action if item.animation_data else None
        bpy.data.objects.remove(item)
        if action is not None and not action.users:
            bpy.data.actions.remove(action)
    return looks


def _look(looks: _Looks, at: At, copies: dict[tuple[int, str], Any], view: Any) -> None:
    if at.number == 0 and copies:
        looks.world = at.world(next(iter(copies.values())))
    if view is not None:
        looks.cameras.append(at.world(view))
        looks.lenses.append(float(view.evaluated_get(at.depsgraph).data.lens))


def _camera(source: Any, looks: _Looks, scene: Any) -> Any:
    data = source.data.copy()
    data.animation_data_clear()
    data.background_images.clear()
    item = bpy.data.objects.new("Camera", data)
    scene.collection.objects.link(item)
    item.rotation_mode = "QUATERNION"
    item.matrix_world = Matrix(looks.cameras[0].tolist())
    item.scale = (1.0, 1.0, 1.0)
    frames, lenses = np.arange(len(looks.lenses), dtype=np.float64), np.array(looks.lenses)
    data.lens = lenses[0]
    if np.ptp(lenses) > 1e-4:
        compat.set_keys(compat.ensure_fcurve(data, "lens"), frames, lenses)
    moved = np.array(looks.cameras)
    if np.ptp(moved, axis=0).max() > 1e-6:
        for axis in range(3):
            compat.set_keys(compat.ensure_fcurve(item, "location", axis), frames, moved[:, axis, 3])
        turns = np.array([Matrix(one.tolist()).to_quaternion() for one in moved])
        for axis in range(4):
            compat.set_keys(compat.ensure_fcurve(item, "rotation_quaternion", axis), frames, turns[:, axis])
    return item


def _root(clip: str | None) -> Any:
    for root in reversed(clips.roots()):
        if clip in (None, root[naming.CLIP]) and root.get(naming.ROLE) == "clip":
            return root
    raise nothing()


def _by_track(role: str, clip: str) -> dict[int, Any]:
    return {int(item[naming.PERSON]): item for item in naming.find(role, clip) if naming.PERSON in item}


def _shapes(folder: Path, track: int) -> Path:
    return folder / f"{track}.pc2"


def _scale(world: Array) -> float:
    return float(np.cbrt(abs(np.linalg.det(np.asarray(world, np.float64)[:3, :3]))))
