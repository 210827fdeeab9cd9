"""Rendering a whole data set: shards of scenes, in parallel, resumable after any kill."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from .shards import finished, pack_mask, write_shard, write_whole
from .workers import spread

SPLITS = {"train": 0, "test": 1}
PER_SHARD = 64
"""Pictures a shard holds, or those of one scene where that has more."""


@dataclass(frozen=True)
class RenderOptions:
    """views: cameras per scene; frames: consecutive frames per scene; bare: unclothed single people for checking."""

    data: Path
    out: Path
    split: str = "train"
    count: int = 1000
    seed: int = 0
    views: int = 1
    frames: int = 1
    workers: int = 1
    bare: bool = False

    @property
    def per_scene(self) -> int:
        return self.views * self.frames

    @property
    def scenes_per_shard(self) -> int:
        return max(1, PER_SHARD // self.per_scene)

    @property
    def scenes(self) -> int:
        return -(-self.count // self.per_scene)

    def settings(self) -> dict[str, Any]:
        """What must not change when a folder is gone on with."""
        return {key: getattr(self, key) for key in ("split", "seed", "views", "frames", "bare")}


class Studio:
    """All that drawing needs, loaded once per process. Errors: those of ``load_motion`` and ``open_context``."""

    def __init__(self, options: RenderOptions) -> None:
        from ...bodies.joint_maps import read_landmark_regressor
        from ...bodies.model import load_free_body
        from .anatomy import study
        from .motion import load_motion
        from .renderer import Renderer
        from .textures import texture_bank
        from .truth import make_probe

        body = load_free_body()
        self.options = options
        self.anatomy = study(body.data)
        self.library = load_motion(options.data, options.split, body)
        self.probe = make_probe(self.anatomy, read_landmark_regressor(body.data))
        # textures depend on the split too: what is held out is never seen in training
        self.renderer = Renderer(self.anatomy, texture_bank((options.seed, SPLITS[options.split])))

    def scene(self, index: int) -> tuple[list[tuple[int, bytes]], dict[str, list[Any]], dict[str, list[Any]]]:
        """Scene ``index``: its JPEG pictures, its rows per picture and per person (with ``mask`` still loose)."""
        from .film import develop, draw_film, to_jpeg
        from .scene import draw_scene
        from .truth import person_truth

        options = self.options
        rng = np.random.default_rng([options.seed, SPLITS[options.split], index])
        scene = draw_scene(self.anatomy, self.library, rng, options.views, options.frames, options.bare)
        films = [draw_film(rng) for _ in scene.cameras]
        jpegs: list[tuple[int, bytes]] = []
        pictures: dict[str, list[Any]] = {}
        people: dict[str, list[Any]] = {}
        with self.renderer.stage(scene) as stage:
            for view, camera in enumerate(scene.cameras):
                for frame in range(options.frames):
                    number = index * options.per_scene + view * options.frames + frame
                    moment = frame * scene.step
                    picture = stage.draw(moment, camera)
                    jpegs.append((number, to_jpeg(develop(picture.colour, films[view], number), films[view].quality)))
                    row = {"picture": number, "scene": index, "view": view, "frame": frame, "clip_time": moment,
                           "focal": camera.focal, "size": (camera.width, camera.height), "shutter": scene.shutter,
                           "rotation": camera.rotation, "translation": camera.translation}  # fmt: skip
                    _append(pictures, row)
                    for who, person in enumerate(scene.people):
                        truth = person_truth(self.probe, person, who, moment, camera, picture)
                        if truth is not None:
                            mask = pack_mask(picture.owner == who + 1, truth["box_seen"])
                            _append(people, {"row": len(pictures["picture"]) - 1, "person": who, "mask": mask, **truth})
        return jpegs, pictures, people


def _append(columns: dict[str, list[Any]], row: dict[str, Any]) -> None:
    for name, value in row.items():
        columns.setdefault(name, []).append(value)


def draw_shard(studio: Studio, index: int) -> int:
    """Draw and write one shard; returns its number of pictures."""
    options = studio.options
    first = index * options.scenes_per_shard
    jpegs: list[tuple[int, bytes]] = []
    pictures: dict[str, list[Any]] = {}
    people: dict[str, list[Any]] = {}
    for scene in range(first, min(first + options.scenes_per_shard, options.scenes)):
        some, rows, persons = studio.scene(scene)
        before = len(jpegs)
        jpegs += some
        for name, values in rows.items():
            pictures.setdefault(name, []).extend(values)
        for name, values in persons.items():
            people.setdefault(name, []).extend([v + before for v in values] if name == "row" else values)
    masks: list[NDArray[np.uint8]] = people.pop("mask", [])
    arrays: dict[str, NDArray[Any]] = {name: _array(values) for name, values in (pictures | people).items()}
    arrays["mask_bits"] = np.concatenate([np.zeros(0, np.uint8), *masks])
    arrays["mask_start"] = np.cumsum([0, *(len(mask) for mask in masks)])[: len(masks)]
    arrays["split"] = np.array(options.split)
    write_shard(options.out, index, jpegs, arrays)
    return len(jpegs)


def _array(values: list[Any]) -> NDArray[Any]:
    made = np.array(values)
    return made.astype(np.float32) if made.dtype == np.float64 else made


def render_dataset(options: RenderOptions, report: Callable[[str], None]) -> int:
    """Draw what is missing of ``count`` pictures; returns how many were drawn.

    Errors: ``render.other_settings`` where the folder holds another run; those of ``Studio``.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    _same_settings(options)
    shards = -(-options.scenes // options.scenes_per_shard)
    missing = sorted(set(range(shards)) - set(finished(options.out)))
    if _last_is_short(options, shards) and shards - 1 not in missing:
        missing.append(shards - 1)
    drawn, start = 0, time.perf_counter()

    def done(pictures: int) -> None:
        nonlocal drawn
        drawn += pictures
        rate = drawn / (time.perf_counter() - start)
        report(f"{drawn} pictures drawn, {rate:.1f} per second")

    spread(partial(_draw, options), missing, options.workers, done)
    return drawn


_studio: Studio | None = None


def _draw(options: RenderOptions, index: int) -> int:
    """draw_shard with a studio that is kept for the next shard."""
    global _studio
    if _studio is None or _studio.options != options:
        _studio = Studio(options)
    return draw_shard(_studio, index)


def _same_settings(options: RenderOptions) -> None:
    path = options.out / "render.json"
    wanted = options.settings()
    if path.is_file():
        try:
            found = json.loads(path.read_text())
        except ValueError:
            found = {}
        if {key: found.get(key) for key in wanted} != wanted:
            raise HmdiffError(
                "render.other_settings", f"{options.out} holds pictures made with other settings.",
                "Choose another --out, or the same --split, --seed, --views and --clip-frames as before.", str(found),
            )  # fmt: skip
    write_whole(path, (json.dumps(wanted, indent=1) + "\n").encode())


def _last_is_short(options: RenderOptions, shards: int) -> bool:
    """Whether the last shard was written when fewer pictures were asked for."""
    from .shards import read_shard, truth_path

    if not truth_path(options.out, shards - 1).is_file():
        return False
    expected = (options.scenes - (shards - 1) * options.scenes_per_shard) * options.per_scene
    return len(read_shard(options.out, shards - 1).truth["picture"]) < expected
