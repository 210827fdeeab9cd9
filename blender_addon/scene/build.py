"""A take becomes a scene, in slices short enough for a timer (DESIGN 8)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import bpy
import numpy as np
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take
from hmdiff_wire.world import ground_offset, pelvis, sole_heights
from numpy.typing import NDArray

from ..edits.doubt import spread
from . import naming, timing
from .armature import animate_armature, create_armature
from .axes import world_from_camera
from .body import body_mesh, posed_copy, skin_material
from .body_shape import BODY
from .camera import create_camera, set_scene
from .doubt import key_spread, mark_missed
from .footage import add_footage
from .hypotheses import create_hypothesis, shown_count
from .motion import animate_point_cache, animate_shape_keys, key_presence
from .person import PersonMotion, person_motion
from .reading import ahead, in_background
from .rigged import create_rigged, fill_rigged
from .timing import FrameMap

Array = NDArray[np.floating[Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class BuildOptions:
    """hypotheses: how many become bodies, None for all of a photo and four of a clip. shape_key_limit: longer motions
    go to a PC2 file in ``cache_folder`` (default: next to the .blend, else in the take). start: scene frame of the
    first time stamp. own_scene: the scene was made for this take, so its rate (``fps`` or the video's), size, range and
    camera are set; an artist's scene keeps all of them. ground: the first person begins at the world's origin, the
    lowest foot on z = 0 (else the camera is the origin). vertex_motion: False leaves the bodies in their first pose,
    for exports that carry the bones alone. ahead: pose the meshes in a thread beside Blender; slices may be WAIT then.
    """

    hypotheses: int | None = None
    shape_key_limit: int = 1500
    cache_folder: Path | None = None
    start: int = 1
    own_scene: bool = False
    fps: float | None = None
    ground: bool = True
    vertex_motion: bool = True
    ahead: bool = False


@dataclass(frozen=True)
class Progress:
    done: int
    total: int
    stage: str


@dataclass(frozen=True)
class PersonObjects:
    """One person: the body with moving vertices, the armature with the same motion, the (hidden) body it deforms."""

    track_id: int
    collection: Any
    body: Any
    armature: Any
    rigged: Any
    hypotheses: tuple[Any, ...]


@dataclass(frozen=True)
class SceneObjects:
    """root: an empty that holds all objects of the clip; its own origin is the camera."""

    collection: Any
    root: Any
    camera: Any
    footage: Any | None
    people: tuple[PersonObjects, ...]
    frame_map: FrameMap


def build_scene(take: Take, options: BuildOptions | None = None, scene: Any = None) -> SceneObjects:
    """Everything of ``take`` in ``scene`` (default: the active one) at once. Errors: ``take.empty``."""
    slices = iter_build(take, options, scene)
    while True:
        try:
            next(slices)
        except StopIteration as finished:
            return finished.value


def iter_build(
    take: Take, options: BuildOptions | None = None, scene: Any = None
) -> Generator[Any, None, SceneObjects]:
    """``build_scene`` in slices of about a frame each, a Progress (or WAIT) after each; the generator's return value is
    the result."""
    options = options or BuildOptions()
    scene = scene or bpy.context.scene
    if not take.valid.any():
        raise HmdiffError(
            "take.empty", "No person was found in this clip, so there is nothing to put into Blender.",
            "Try a clip in which a person is larger and less covered, or give the box by hand with --boxes.",
        )  # fmt: skip
    frame_map = _frame_map(take, options, scene)
    world = world_from_camera(np.asarray(take.header.up))
    count = shown_count(take, options.hypotheses)
    people = [person for person in range(take.n_people) if take.valid[person].any()]
    keyed = [int(take.valid[person].sum()) for person in people]
    work = _Work(sum(keyed) * (1 + count))

    title = Path(take.header.source_path).stem or "HMDiff"
    collection = naming.new_collection(title)  # in the scene when all is done: until then no slice costs a redraw
    naming.mark(collection, take.header.uuid, take.folder, "unfinished")
    root = bpy.data.objects.new(title, None)
    root.empty_display_size = 0.3
    collection.objects.link(root)
    naming.mark(root, take.header.uuid, take.folder, "clip")
    camera = create_camera(f"{title} camera", take, frame_map, world, collection)
    camera.parent = root
    naming.mark(camera, take.header.uuid, take.folder, "camera")
    if options.own_scene:
        set_scene(scene, take, camera)
    yield work.at("camera")
    footage = yield from work.each("footage", add_footage(camera, take, frame_map, scene))
    yield work.at("footage")
    template = yield from work.each("body", body_mesh("HMDiff template", take.body, skin_material()))
    yield work.at("body")

    built: list[PersonObjects] = []
    feet: list[Array] = []
    start = np.zeros(3)
    for person in people:
        motion, heights = yield from _beside(partial(_person, take, person, frame_map, world), options)
        yield work.at(f"Person {motion.track_id}")
        feet.append(heights)
        if person == people[0]:
            start = pelvis(take.body, motion.betas, motion.transl[0], world)
        objects = yield from _build_person(
            take, template, person, motion, world, count, collection, root, options, work
        )
        built.append(objects)

    if options.ground:
        naming.place(root, ground_offset(start, feet))
    root[BODY] = take.header.body_name
    root[naming.COUNT], root[naming.START], root[naming.RATE] = take.n_hypotheses, frame_map.start, frame_map.fps
    mark_missed(scene, root, take, people, frame_map)
    bpy.data.meshes.remove(template)
    scene.collection.children.link(collection)
    naming.exclude_hidden(collection)
    collection[naming.ROLE] = "clip"
    if options.own_scene:
        scene.frame_set(frame_map.start)
    yield work.finished()
    return SceneObjects(collection, root, camera, footage, tuple(built), frame_map)


def _beside(make: Callable[[], T], options: BuildOptions) -> Generator[Any, None, T]:
    """What ``make`` (no bpy in it) makes, in a thread where the work is done in slices."""
    if options.ahead:
        return (yield from in_background(make))
    return make()


def _person(take: Take, person: int, frame_map: FrameMap, world: Array) -> tuple[PersonMotion, Array]:
    motion = person_motion(take, person, frame_map)
    return motion, sole_heights(take.body, motion.betas, motion.pose, motion.transl, world)


class _Work:
    """How far the build is; one unit is one posed mesh, everything else is small beside it."""

    def __init__(self, total: int) -> None:
        self.done, self.total = 0, total

    def at(self, stage: str, units: int = 0) -> Progress:
        self.done = min(self.total, self.done + units)
        return Progress(self.done, self.total, stage)

    def each(self, stage: str, slices: Generator[None, None, Any]) -> Generator[Progress, None, Any]:
        """The slices' return value, this progress after each of them."""
        while True:
            try:
                next(slices)
            except StopIteration as finished:
                return finished.value
            yield self.at(stage)

    def finished(self) -> Progress:
        return Progress(self.total, self.total, "done")


def _build_person(
    take: Take, template: Any, person: int, motion: PersonMotion, world: Array, count: int, collection: Any, root: Any,
    options: BuildOptions, work: _Work,
) -> Generator[Any, None, PersonObjects]:  # fmt: skip
    name = f"Person {motion.track_id}"
    clip, betas = take.header.uuid, motion.betas
    parts = naming.new_collection(name, collection)
    naming.mark(parts, clip, take.folder, "person", motion.track_id)

    body = bpy.data.objects.new(name, posed_copy(template, name, next(motion.shapes(world))))
    body.parent = root
    parts.objects.link(body)
    naming.mark(body, clip, take.folder, "body", motion.track_id)
    key_presence(body, motion.all_frames, motion.present)
    yield work.at(f"{name}: body")
    spread_mm = yield from _beside(partial(spread, take, person), options)
    key_spread(body, motion.all_frames, spread_mm)
    yield work.at(f"{name}: body")
    for step in _animate(body, motion, world, take, options):
        yield step or work.at(f"{name}: body", 1)

    armature = create_armature(f"{name} armature", take.body, betas, parts)
    armature.parent = root
    naming.mark(armature, clip, take.folder, "armature", motion.track_id)
    yield work.at(f"{name}: armature")
    for step in animate_armature(
        armature, take.body, betas, motion.frames, motion.pose, motion.transl, world, beside=options.ahead
    ):
        yield step or work.at(f"{name}: armature")

    hidden = naming.new_collection(f"{name} rigged", parts, hidden=True)
    naming.mark(hidden, clip, take.folder, "rigged bodies", motion.track_id)
    rigged = create_rigged(f"{name} rigged", take.body, template, armature, hidden)
    naming.mark(rigged, clip, take.folder, "rigged", motion.track_id)
    key_presence(rigged, motion.all_frames, motion.present)
    yield work.at(f"{name}: rigged body")
    for _ in fill_rigged(rigged, take.body, betas, armature, motion.frames, motion.pose):
        yield work.at(f"{name}: rigged body")

    hypotheses: list[Any] = []
    if count:
        hidden = naming.new_collection(f"{name} hypotheses", parts, hidden=True)
        naming.mark(hidden, clip, take.folder, "hypotheses", motion.track_id)
    for index in range(count):
        sample = person_motion(take, person, frame_map=motion.frame_map, hypothesis=index)
        if not len(sample.frames):
            continue
        item = create_hypothesis(take, template, person, index, sample, world, f"{name} hypothesis {index + 1}", hidden)
        item.parent = root
        for step in _animate(item, sample, world, take, options):
            yield step or work.at(f"{name}: hypotheses", 1)
        hypotheses.append(item)
    return PersonObjects(motion.track_id, parts, body, armature, rigged, tuple(hypotheses))


def _frame_map(take: Take, options: BuildOptions, scene: Any) -> FrameMap:
    render = scene.render
    if options.own_scene:
        rate = options.fps or timing.nominal_rate(take.times, take.header.fps)
        render.fps, render.fps_base = timing.scene_rate(rate)
    frame_map = FrameMap(render.fps / render.fps_base, options.start, float(take.times[0]))
    if options.own_scene:
        scene.frame_start = options.start
        scene.frame_end = max(options.start, int(np.ceil(frame_map.frames(take.times)[-1])))
    return frame_map


def _animate(item: Any, motion: PersonMotion, world: Array, take: Take, options: BuildOptions) -> Iterator[Any]:
    shapes: Iterable[Any] = motion.shapes(world)
    if options.ahead:
        shapes = ahead(shapes)
    if len(motion.frames) == 1 or not options.vertex_motion:
        return iter([None])
    if len(motion.frames) <= options.shape_key_limit:
        return animate_shape_keys(item, motion.frames, shapes)
    folder = options.cache_folder
    if folder is None:
        folder = Path(bpy.data.filepath).with_suffix(".cache") if bpy.data.filepath else take.folder / "blender"
    return animate_point_cache(item, motion.frames, shapes, folder / f"{item[naming.UUID]}.pc2")
