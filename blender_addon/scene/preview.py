"""A run seen while it goes on: each person's raw bodies, frame by frame, before the smoothed motion is there.

The vertices go to a PC2 file that grows, so that no data-block of Blender does: a frame costs the same whether it is
the tenth or the thousandth, and undo, saving and the dependency graph never see more than one mesh. ``importer`` puts
the finished clip in its place.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedRandom
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import BodyData, skin
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from . import compat, naming
from .axes import world_from_camera
from .body import body_mesh, posed_copy, skin_material
from .camera import create_camera
from .footage import add_footage
from .motion import play_point_cache, point_cache_header
from .reading import read_in_background
from .timing import FrameMap

Array = NDArray[np.floating[Any]]

ROLE = "preview"


@dataclass
class _Person:
    """What was streamed of one person. frames: scene frames; first: of them; betas: sum over the frames."""

    path: Path
    stream: BufferedRandom
    frames: list[float] = field(default_factory=list)
    betas: Array = field(default_factory=lambda: np.zeros(10))
    first_shape: Array | None = None


class Preview:
    """Feed it frames; ``advance`` does a slice of the work. It holds no reference to Blender's data between slices that
    it does not look up again, so that undo and file changes cannot leave it with a dead one.
    """

    def __init__(self, take: Path, start: int) -> None:
        self.folder, self.start = take, start
        self.newest: float | None = None
        self._waiting: deque[tuple[float, Mapping[str, NDArray[Any]]]] = deque()
        self._people: dict[int, _Person] = {}
        self._take: Take | None = None
        self._map: FrameMap | None = None
        self._slices: Generator[object, None, None] | None = None

    @property
    def clip(self) -> str:
        """uuid of the take, "" before the first frame."""
        return self._take.header.uuid if self._take else ""

    def feed(self, time: float, arrays: Mapping[str, NDArray[Any]]) -> None:
        """One frame of the run. time: seconds; arrays: those of a FrameResult."""
        self._waiting.append((time, arrays))

    def advance(self) -> object:
        """One slice of work; WAIT or None when there is nothing to do just now. Errors: those of reading the take."""
        if self._slices is None:
            if not self._waiting:
                return None
            self._slices = self._work()
        try:
            return next(self._slices) or True
        except StopIteration:
            self._slices = None
            return None

    def interrupt(self) -> None:
        """Blender's data is about to change under us (undo): start anew from what is on disk."""
        if self._slices is not None:
            self._slices.close()
            self._slices = None

    def close(self) -> None:
        """Let go of the files; what is in the scene stays."""
        self.interrupt()
        for person in self._people.values():
            person.stream.close()

    def _work(self) -> Generator[object, None, None]:
        if self._take is None:
            self._take = yield from read_in_background(self.folder)
        take, body = self._take, self._take.body
        if self._map is None:
            render = bpy.context.scene.render
            # A resumed run goes on in the middle of a take that begins earlier.
            origin = float(take.times[0]) if len(take.times) else self._waiting[0][0]
            self._map = FrameMap(render.fps / render.fps_base, self.start, origin)
        world = world_from_camera(np.asarray(take.header.up))
        root = _find(self.clip, "clip")
        if root is None:
            root = yield from self._create_stage(take, world)
        while self._waiting:
            time, arrays = self._waiting.popleft()
            at = float(self._map.frames(np.array([time]))[0])
            for row, track in enumerate(arrays["track_id"].tolist()):
                if not np.isfinite(arrays["pose"][row]).all() or not np.isfinite(arrays["transl"][row]).all():
                    continue
                shape = self._posed(body, track, arrays, row, world)
                self._append(track, at, shape)
                yield
                item = _find(self.clip, "body", track)
                if item is None:
                    item = yield from self._create_body(take, track, root)
                _key(item, at, len(self._people[track].frames) - 1)
            self.newest = at
            yield

    def _posed(self, body: BodyData, track: int, arrays: Mapping[str, NDArray[Any]], row: int, world: Array) -> Array:
        """(V,3) in the world. The shape is the mean of what was seen so far, so that the body does not breathe."""
        person = self._people.get(track) or self._open(track, body)
        person.betas = person.betas + arrays["betas"][row]
        betas = person.betas / (len(person.frames) + 1)
        vertices = skin(body, betas.astype(np.float32), arrays["pose"][row][None], arrays["transl"][row][None])[0][0]
        return vertices @ world.T.astype(np.float32)

    def _open(self, track: int, body: BodyData) -> _Person:
        path = self.folder / "blender" / f"preview-{track}.pc2"
        path.parent.mkdir(exist_ok=True)
        stream = path.open("w+b")
        stream.write(point_cache_header(len(body.v_template), 0))
        self._people[track] = _Person(path, stream)
        return self._people[track]

    def _append(self, track: int, at: float, shape: Array) -> None:
        """The shape first and its number after it, so that a reader never sees a frame that is not whole."""
        person = self._people[track]
        data = np.ascontiguousarray(shape, "<f4").tobytes()
        person.stream.seek(0, os.SEEK_END)
        person.stream.write(data)
        person.stream.flush()
        person.frames.append(at)
        if person.first_shape is None:
            person.first_shape = shape
        person.stream.seek(28)
        person.stream.write(struct.pack("<i", len(person.frames)))
        person.stream.flush()

    def _create_stage(self, take: Take, world: Array) -> Generator[object, None, Any]:
        """Collection, root, camera and footage."""
        assert self._map is not None
        title = f"{Path(take.header.source_path).stem or 'HMDiff'} (running)"
        collection = naming.new_collection(title)
        self._mark(collection, "clip")
        root = bpy.data.objects.new(title, None)
        root.empty_display_size = 0.3
        collection.objects.link(root)
        for earlier in naming.find("clip", self.clip):  # what is resumed stands where the artist has put it
            root.matrix_basis = earlier.matrix_basis
            root[naming.ORIGIN] = earlier.get(naming.ORIGIN, (0.0, 0.0, 0.0))
        root[naming.START] = self.start
        camera = create_camera(f"{title} camera", take, self._map, world, collection)
        camera.parent = root
        self._mark(camera, "camera")
        yield
        yield from add_footage(camera, take, self._map, bpy.context.scene)
        self._mark(root, "clip")
        bpy.context.scene.collection.children.link(collection)
        yield
        return root

    def _create_body(self, take: Take, track: int, root: Any) -> Generator[object, None, Any]:
        """The moving body of one person, with all frames there are; after an undo these may be many."""
        person = self._people[track]
        assert person.first_shape is not None
        name = f"Person {track} (running)"
        template = yield from body_mesh(name, take.body, skin_material())
        mesh = posed_copy(template, name, person.first_shape)
        bpy.data.meshes.remove(template)
        item = bpy.data.objects.new(name, mesh)
        item.parent = root
        curve = play_point_cache(item, person.path)
        compat.set_keys(curve, np.array(person.frames), np.arange(len(person.frames)))
        if self._map is not None and person.frames[0] > self._map.start:
            for path in ("hide_viewport", "hide_render"):
                times = np.array([self._map.start, person.frames[0]])
                compat.set_keys(compat.ensure_fcurve(item, path), times, np.array([1.0, 0.0]), "CONSTANT")
        self._mark(item, "body", track)
        for parent in root.users_collection:
            parent.objects.link(item)
        if naming.ORIGIN not in root:
            middle = person.first_shape.mean(0)
            naming.place(root, (-middle[0], -middle[1], -person.first_shape[:, 2].min()))
        yield
        return item

    def _mark(self, item: Any, role: str, person: int | None = None) -> None:
        naming.mark(item, self.clip, self.folder, f"{ROLE} {role}", person)
        item[naming.COMPLETE] = False


def preview_objects(clip: str | None = None) -> list[Any]:
    """Every object a preview has put into the file, of one clip or of all."""
    return [item for item in bpy.data.objects if is_preview(item) and clip in (None, item.get(naming.CLIP))]


def remove_preview_files(take: Path) -> None:
    """The grown PC2 files, once nothing in the scene plays them."""
    for path in (take / "blender").glob("preview-*.pc2"):
        with suppress(OSError):  # still open in another Blender
            path.unlink()
    with suppress(OSError):
        (take / "blender").rmdir()


def is_preview(item: Any) -> bool:
    """Whether an object was put into the file by a preview."""
    return str(item.get(naming.ROLE, "")).startswith(ROLE)


def _find(clip: str, role: str, person: int | None = None) -> Any | None:
    found = naming.find(f"{ROLE} {role}", clip)
    return next((item for item in found if person is None or item.get(naming.PERSON) == person), None)


def _key(item: Any, frame: float, number: int) -> None:
    """Show shape ``number`` of the file at a scene frame."""
    path = next(f'modifiers["{m.name}"].eval_frame' for m in item.modifiers if m.type == "MESH_CACHE")
    curve = compat.ensure_fcurve(item, path)
    if len(curve.keyframe_points) <= number:
        point = curve.keyframe_points.insert(frame, number, options={"FAST"})
        point.interpolation = "LINEAR"
        curve.update()
    item.update_tag()
