"""Where people stand: a room, a studio or the open, with light, things around and in front of them, and cameras."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .anatomy import Anatomy
from .cameras import Camera, draw_camera
from .furnish import add_clutter, add_occluder, add_room
from .materials import Colour, any_colour, blend
from .motion import MotionLibrary
from .person import Person, draw_person
from .props import Props
from .textures import layer

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Light:
    """sun, fill: unit directions (3,) towards the light; colours linear RGB; ambient light from above and below."""

    sun: Doubles
    sun_colour: Colour
    sky: Colour
    ground: Colour
    fill: Doubles
    fill_colour: Colour
    exposure: float


@dataclass(frozen=True)
class Backdrop:
    """What is seen where nothing stands; layers: textures of far shapes and clouds, height and raggedness of shapes."""

    top: Colour
    horizon: Colour
    land: Colour
    far: tuple[Colour, Colour]
    layers: tuple[float, float, float, float]


@dataclass(frozen=True)
class Scene:
    """One moment or a short clip seen by one or several cameras. shutter: seconds a frame is exposed."""

    people: tuple[Person, ...]
    props: Props
    walls: Props
    light: Light
    backdrop: Backdrop
    cameras: tuple[Camera, ...]
    shutter: float
    step: float


def draw_scene(
    anatomy: Anatomy, library: MotionLibrary, rng: np.random.Generator, views: int, frames: int, bare: bool = False
) -> Scene:
    """All randomness comes from rng. frames: consecutive ones, 1/30 s apart (or 1/15 in a third of the clips).

    bare: one unclothed person, nothing in front, all of the body in the picture; for checking truth against pixels.
    """
    step = 1 / 30 if rng.random() < 0.67 or frames == 1 else 1 / 15
    length = int(np.ceil(frames * step * 30)) + 1
    crowd = 1 if bare else int(rng.choice([1, 2, 3, 4, 6], p=[0.56, 0.22, 0.12, 0.06, 0.04]))
    people = [draw_person(anatomy, library, rng, np.zeros(2), length, bare)]
    outdoors = rng.random() < 0.33
    middle = frames * step / 2
    cameras = tuple(draw_camera(rng, people[0], middle, view, bare) for view in range(views))
    for _ in range(crowd - 1):
        people.append(draw_person(anatomy, library, rng, _spot(rng, people, cameras[0]), length))
    props, walls = Props(), Props()
    light, backdrop = _light(rng, outdoors), _backdrop(rng, outdoors)
    add_room(rng, props, walls, outdoors)
    if not bare:
        add_clutter(rng, props, people, cameras, outdoors)
        if rng.random() < 0.25:
            add_occluder(rng, props, people[0], middle, cameras[int(rng.integers(views))])
    shutter = 0.0 if rng.random() < 0.45 else float(np.exp(rng.uniform(np.log(1 / 250), np.log(1 / 25))))
    return Scene(tuple(people), props, walls, light, backdrop, cameras, shutter, step)


def _spot(rng: np.random.Generator, people: list[Person], camera: Camera) -> Doubles:
    """Where another person stands: near the first, now and then between them and the camera."""
    standing = np.stack([person.pose(0).joints[0][[0, 2]] for person in people])
    eye = camera.eye[[0, 2]]
    spot = np.zeros(2)
    for _ in range(12):
        if rng.random() < 0.3:
            spot = eye * rng.uniform(0.15, 0.6) + rng.normal(0, 0.35, 2)
        else:
            angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 2.8)
            spot = radius * np.array([np.cos(angle), np.sin(angle)])
        away = np.linalg.norm(standing - spot, axis=1).min()
        if away > 0.45 and np.linalg.norm(eye - spot) > 1.0:
            break
    return spot


def _light(rng: np.random.Generator, outdoors: bool) -> Light:
    lift, way = np.radians(rng.uniform(20, 80)), rng.uniform(0, 2 * np.pi)
    sun = np.array([np.cos(lift) * np.cos(way), np.sin(lift), np.cos(lift) * np.sin(way)])
    warm = blend((1.0, 0.98, 0.95), (1.0, 0.7, 0.4), float(rng.uniform(0, 0.6)))
    hard = float(rng.uniform(0.2, 2.2) if outdoors else rng.uniform(0.0, 1.4))
    soft = float(rng.uniform(0.25, 0.9))
    cast = any_colour(rng) if rng.random() < 0.2 else (0.8, 0.85, 0.95)
    sky = blend((soft, soft, soft), cast, 0.25)
    low = float(rng.uniform(0.2, 0.6)) * soft
    fill = rng.normal(size=3)
    fill[1] = abs(fill[1])
    lamp = blend((0.6, 0.6, 0.6), any_colour(rng), float(rng.uniform(0, 0.8)))
    power = float(rng.choice([0.0, 0.3, 0.8]))
    exposure = float(np.exp(rng.normal(0, 0.3))) * 1.2 / (0.35 * hard + 0.9 * soft + 0.3 * power)
    red, green, blue = warm
    return Light(
        sun, (hard * red, hard * green, hard * blue), sky, (low, 0.95 * low, 0.9 * low), fill / np.linalg.norm(fill),
        (power * lamp[0], power * lamp[1], power * lamp[2]), float(np.clip(exposure, 0.35, 2.2)),
    )  # fmt: skip


def _backdrop(rng: np.random.Generator, outdoors: bool) -> Backdrop:
    if outdoors:
        blue = float(rng.uniform(0.2, 1.0))
        top = blend((0.75, 0.77, 0.8), (0.12, 0.3, 0.75), blue)
        horizon = blend((0.8, 0.8, 0.8), (0.9, 0.75, 0.6), float(rng.uniform(0, 0.7)))
        far = (any_colour(rng), any_colour(rng)) if rng.random() < 0.4 else ((0.05, 0.12, 0.03), (0.14, 0.2, 0.07))
        height, ragged = float(rng.uniform(0.0, 0.5)), float(rng.uniform(0.1, 0.8))
        pattern = layer(rng, "clouds", "blotches", "bricks", "cells", "speckle")
    else:
        top, horizon = any_colour(rng), any_colour(rng)
        far, height, ragged = (top, horizon), 0.0, 0.0
        pattern = layer(rng, "clouds", "blotches", "speckle")
    land = blend(far[0], (0.3, 0.28, 0.25), 0.6)
    return Backdrop(top, horizon, land, far, (float(pattern), float(layer(rng, "clouds")), height, ragged))
