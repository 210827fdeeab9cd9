"""Floors, walls, furniture and clutter, and things that stand in front of people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .cameras import Camera
from .materials import any_colour, floor, plain, surface, wall
from .person import Person
from .props import Props, bars, chair, plant, shelf, table

Doubles = NDArray[np.float64]
_MOST_MATERIALS = 36
_HUNG = ("print", "clouds", "plain", "blotches", "cells", "stripes")
_FURNITURE = ("plain", "planks", "clouds", "speckle", "stripes", "checks", "cells", "bricks")
_GREENS = ((0.03, 0.12, 0.02), (0.08, 0.2, 0.04), (0.15, 0.16, 0.05))


def add_room(rng: np.random.Generator, props: Props, walls: Props, outdoors: bool) -> None:
    """The floor, and indoors walls that are seen from inside only, with pictures, windows and doors."""
    far = 45.0 if outdoors else 25.0
    ground = props.material(floor(rng))
    corners = np.array([[-far, 0, -far], [-far, 0, far], [far, 0, far], [far, 0, -far]], np.float32)
    props.quad(corners, ground)
    if outdoors or rng.random() < 0.15:
        return
    size = rng.uniform(2.4, 7.0, 4)
    x0, x1, z0, z1 = -size[0], size[1], -size[2], size[3]
    high = float(rng.uniform(2.4, 4.5))
    common = wall(rng)
    feet = ((x0, z1, x0, z0), (x0, z0, x1, z0), (x1, z0, x1, z1), (x1, z1, x0, z1))
    for ax, az, bx, bz in feet:
        made = walls.material(common if rng.random() < 0.6 else wall(rng))
        low_a, low_b = np.array([ax, 0, az]), np.array([bx, 0, bz])
        up = np.array([0, high, 0])
        walls.quad(np.stack([low_a, low_b, low_b + up, low_a + up]).astype(np.float32), made)
        along = (low_b - low_a) / np.linalg.norm(low_b - low_a)
        inwards = np.cross(along, [0, 1, 0])
        for _ in range(int(rng.integers(0, 4))):
            width, height = rng.uniform(0.3, 1.8), rng.uniform(0.3, 2.0)
            base = rng.uniform(0, 1.6)
            start = low_a + along * rng.uniform(0.05, 0.8) * np.linalg.norm(low_b - low_a) + inwards * 0.02
            start = start + np.array([0, base, 0])
            side, rise = along * width, np.array([0, min(height, high - base - 0.05), 0])
            if len(walls.materials) < _MOST_MATERIALS and rise[1] > 0.1:
                hung = walls.material(surface(rng, _HUNG, (0.4, 2.5)))
                walls.quad(np.stack([start, start + side, start + side + rise, start + rise]).astype(np.float32), hung)
    if rng.random() < 0.8:
        lid = np.array([[x0, high, z0], [x1, high, z0], [x1, high, z1], [x0, high, z1]], np.float32)
        walls.quad(lid, walls.material(plain(rng, (0.75, 0.74, 0.72))))


def add_clutter(
    rng: np.random.Generator, props: Props, people: Sequence[Person], cameras: Sequence[Camera], outdoors: bool
) -> None:
    """Up to ten things around, none of them inside a person or right before a camera."""
    standing = np.stack([person.pose(0).joints[0][[0, 2]] for person in people])
    for _ in range(int(rng.choice([0, 2, 4, 7, 10], p=[0.2, 0.25, 0.25, 0.2, 0.1]))):
        angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.9, 6.0)
        spot = radius * np.array([np.cos(angle), np.sin(angle)])
        near_camera = min(np.linalg.norm(camera.eye[[0, 2]] - spot) for camera in cameras) < 1.3
        blocking = any(_between(camera, spot) for camera in cameras)
        if np.linalg.norm(standing - spot, axis=1).min() < 0.8 or near_camera or (blocking and rng.random() < 0.8):
            continue
        add_thing(rng, props, np.array([spot[0], 0, spot[1]], np.float32), outdoors)


def _between(camera: Camera, spot: Doubles) -> bool:
    """Whether a spot (2,) lies near the way from the camera to the middle of the scene."""
    eye = camera.eye[[0, 2]]
    along = float(spot @ eye) / max(float(eye @ eye), 1e-6)
    return 0.05 < along < 1.1 and float(np.linalg.norm(spot - along * eye)) < 0.7


def add_thing(rng: np.random.Generator, props: Props, place: NDArray[np.float32], outdoors: bool) -> None:
    """Something at a place (3,) on the floor."""
    if len(props.materials) >= _MOST_MATERIALS:
        return
    made = props.material(surface(rng, _FURNITURE, (0.5, 3.0)))
    turn = float(rng.uniform(0, 2 * np.pi))
    inside, outside = ("box", "box", "table", "chair", "shelf", "column", "plant"), ("box", "column", "ball", "plant")
    kind = str(rng.choice(outside if outdoors else inside))
    if kind == "box":
        size = rng.uniform(0.2, 1.4, 3)
        props.box(place + [0, size[1] / 2, 0], size, turn, made)
    elif kind == "table":
        table(props, place, rng.uniform([0.6, 0.4, 0.5], [1.8, 0.95, 1.0]).astype(np.float32), turn, made)
    elif kind == "chair":
        chair(props, place, turn, made)
    elif kind == "shelf":
        shelf(props, place, rng.uniform([0.5, 0.8, 0.25], [1.6, 2.2, 0.5]).astype(np.float32), turn, made)
    elif kind == "column":
        height = float(rng.uniform(0.5, 3.5))
        radius, taper = float(rng.uniform(0.06, 0.35)), float(rng.uniform(0.6, 1))
        props.column(place + [0, height / 2, 0], radius, height, made, taper)
    elif kind == "ball":
        radii = rng.uniform(0.15, 0.9, 3)
        props.ball(place + [0, radii[1] * 0.8, 0], radii, made, float(rng.uniform(0, 0.5)), rng)
    else:
        leaves = props.material(plain(rng, _GREENS[int(rng.integers(3))], 1.0))
        plant(props, rng, place, float(rng.uniform(0.4, 1.6)), made, leaves)


def add_occluder(rng: np.random.Generator, props: Props, subject: Person, time: float, camera: Camera) -> None:
    """Something between a camera and part of the subject: low furniture, a pillar, bars, a board, leaves."""
    joints = subject.pose(time).joints
    target, eye = joints[int(rng.integers(24))], camera.eye
    place = eye + (target - eye) * rng.uniform(0.4, 0.82)
    if np.linalg.norm(place - eye) < 0.7 or len(props.materials) >= _MOST_MATERIALS - 2:
        return
    sight = (target - eye)[[0, 2]]
    across = float(np.arctan2(sight[0], sight[1])) + float(rng.normal(0, 0.3))
    made = props.material(surface(rng, _FURNITURE, (0.5, 3.0)))
    ground = np.array([place[0], 0, place[2]])
    kind = rng.choice(["low", "pillar", "bars", "board", "leaves", "table"])
    if kind == "low":
        height = float(np.clip(place[1] + rng.normal(0, 0.2), 0.25, 1.6))
        props.box(ground + [0, height / 2, 0], [rng.uniform(0.4, 2.0), height, rng.uniform(0.1, 0.5)], across, made)
    elif kind == "pillar":
        props.column(ground + [0, 1.6, 0], float(rng.uniform(0.03, 0.14)), 3.2, made)
    elif kind == "bars":
        bars(props, rng, ground, across, made)
    elif kind == "board":
        size = rng.uniform([0.1, 0.1, 0.02], [0.7, 0.5, 0.1])
        props.box(place, size, across, made)
    elif kind == "table":
        height = float(np.clip(place[1], 0.4, 1.2))
        size = np.array([rng.uniform(0.7, 1.8), height, 0.6], np.float32)
        table(props, ground.astype(np.float32), size, across, made)
    else:
        green = any_colour(rng) if rng.random() < 0.2 else _GREENS[int(rng.integers(3))]
        leaves = props.material(plain(rng, green, 1.0))
        for _ in range(int(rng.integers(2, 7))):
            props.ball(place + rng.normal(0, 0.15, 3), rng.uniform(0.04, 0.16, 3), leaves, 0.6, rng)
