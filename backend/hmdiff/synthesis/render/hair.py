"""Hair and what is worn on the head: a displaced scalp shell, a curtain of long hair, a bun, a beard, caps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import Anatomy, Floats, unit
from .shells import BONE, Piece, ellipsoid, fixed, ramp, ripples, shell, tube


@dataclass(frozen=True)
class Head:
    """One person's head at rest. base, normals (V,3) smoothed a little; rest (V,3) as it is."""

    anatomy: Anatomy
    rest: Floats
    normals: Floats


def hairline(anatomy: Anatomy, height: float) -> Floats:
    """(V,) metres above the line where hair begins, on the mean head; negative in the face and on the neck."""
    y, z = anatomy.rest[:, 1] - anatomy.eyes[1], anatomy.rest[:, 2] - anatomy.eyes[2]
    ear = -0.085
    front = np.interp(z, [ear, 0.01], [0.03, height])
    back = np.interp(z, [ear - 0.09, ear], [-0.09, 0.03])
    line = np.where(z > ear, front, back)
    return np.where(anatomy.parts("head", "neck"), y - line, -1.0).astype(np.float32)


def scalp(rng: np.random.Generator, head: Head, length: float, height: float, material: int) -> Piece:
    """Hair of a length in metres standing off the scalp."""
    above = hairline(head.anatomy, height)
    mask = head.anatomy.parts("head", "neck")
    noise = np.zeros(len(mask), np.float32)
    noise[mask] = ripples(rng, head.anatomy.rest[mask], 0.05, 6) * min(0.35 * length, 0.008)
    offset = (0.002 + (length + noise) * ramp(above, -0.002, 0.035)).astype(np.float32)
    return shell(head.anatomy, head.rest, head.normals, mask, above, offset, material)


def curtain(rng: np.random.Generator, head: Head, length: float, half_angle: float, material: int) -> Piece:
    """Hair that hangs down behind for length metres; half_angle (rad) from the back says how far it comes forward."""
    anatomy, eyes = head.anatomy, head.anatomy.eyes
    rows, around = 9, 25
    skull = anatomy.parts("head") & (np.abs(anatomy.rest[:, 1] - eyes[1] - 0.03) < 0.03)
    top = float(head.rest[skull, 1].mean())
    middle = (head.rest[skull].max(0) + head.rest[skull].min(0)) / 2
    radii = (head.rest[skull].max(0) - head.rest[skull].min(0)) / 2 + rng.uniform(0.006, 0.02)
    spine = head.rest[anatomy.parts("spine3", "neck") & (np.abs(anatomy.rest[:, 0]) < 0.05)]
    back = float(spine[:, 2].min()) - 0.015
    angle = np.linspace(-half_angle, half_angle, around)
    rings = []
    for t in np.linspace(0, 1, rows):
        y = top - t * length
        down = float(ramp(np.array(top - y, np.float32), 0.05, 0.25))
        narrow = angle * (1 - 0.35 * down)
        x = np.sin(narrow) * radii[0] * (1 + 0.25 * down)
        z = middle[2] - np.cos(narrow) * radii[2]
        z = z * (1 - down) + (back - 0.02 * np.cos(narrow) + 0.05 * (1 - np.cos(narrow))) * down
        rings.append(np.stack([x, np.full(around, y), z], 1))
    points = np.stack(rings).astype(np.float32)
    points[..., 2] += ripples(rng, points.reshape(-1, 3), 0.06).reshape(rows, around) * 0.004
    stiff = 0.8 * ramp(top - points[..., 1], 0.08, 0.3)
    weights = np.stack([1 - stiff, 0.25 * stiff, 0.75 * stiff, 0 * stiff], -1)
    bones = np.broadcast_to(np.array([BONE["head"], BONE["neck"], BONE["spine3"], 0]), weights.shape)
    return tube(points, bones, weights, material, closed=False)


def bun(rng: np.random.Generator, head: Head, material: int) -> Piece:
    skull = head.rest[head.anatomy.parts("head")]
    high = rng.uniform(0.35, 1.0)
    place = np.array([0, skull[:, 1].min() * (1 - high) + skull[:, 1].max() * high, 0], np.float32)
    near = skull[np.abs(skull[:, 1] - place[1]) < 0.02]
    place[2] = near[:, 2].min() if high < 0.8 else near[:, 2].mean()
    return ellipsoid(place, rng.uniform(0.03, 0.055, 3).astype(np.float32), "head", material)


def beard(rng: np.random.Generator, head: Head, material: int) -> Piece:
    anatomy = head.anatomy
    y, z = anatomy.rest[:, 1] - anatomy.eyes[1], anatomy.rest[:, 2] - anatomy.eyes[2]
    lips = np.maximum(np.abs(y + 0.058) - 0.012, np.abs(anatomy.rest[:, 0]) - 0.026)
    edge = np.minimum.reduce([-0.05 - y, z + 0.075, y + 0.125, lips])
    offset = np.full(len(y), rng.uniform(0.002, 0.012), np.float32)
    return shell(anatomy, head.rest, head.normals, anatomy.parts("head"), edge, offset, material)


def cap(rng: np.random.Generator, head: Head, material: int) -> list[Piece]:
    """A cap with a brim, or a woollen hat without."""
    anatomy = head.anatomy
    smooth, normals = anatomy.smooth(head.rest, 6), unit(anatomy.smooth(head.normals, 6))
    above = anatomy.rest[:, 1] - anatomy.eyes[1] - 0.045 - 0.25 * (anatomy.rest[:, 2] - anatomy.eyes[2])
    sunk = np.maximum(((head.rest - smooth) * normals).sum(1), 0)
    offset = (rng.uniform(0.012, 0.024) + sunk).astype(np.float32)
    pieces = [shell(anatomy, smooth, normals, anatomy.parts("head"), above, offset, material)]
    if rng.random() < 0.6:
        front = pieces[0].position
        rim = front[:, 1] < front[:, 1].min() + 0.03
        middle, radius = (front[rim].max(0) + front[rim].min(0)) / 2, (front[rim].max(0) - front[rim].min(0)) / 2
        angle = np.linspace(-1.2, 1.2, 15)
        y = float(front[rim & (front[:, 2] > middle[2]), 1].mean()) - 0.005
        rows = [
            np.stack([np.sin(angle) * radius[0] * (1 + 0.1 * r), np.full(15, y - 0.02 * r),
                      middle[2] + np.cos(angle) * (radius[2] + 0.075 * r)], 1)
            for r in (0.0, 0.5, 1.0)
        ]  # fmt: skip
        weights = np.zeros((3, 15, 4), np.float32)
        brim = tube(np.stack(rows), np.zeros((3, 15, 4), np.uint8), weights, material, closed=False)
        pieces.append(fixed(brim, "head"))
    return pieces
