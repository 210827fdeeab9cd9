"""Things made of boxes and round bodies: furniture, pillars, bars, plants, clutter. World axes, y up, metres."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .materials import Material

Floats = NDArray[np.floating]
_CUBE = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)], np.float32)
_SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


@dataclass
class Props:
    """Grows while a scene is furnished. Each entry of parts: vertices (N,10) position, normal, texture place, material
    and triangles (T,3)."""

    materials: list[Material] = field(default_factory=list)
    parts: list[tuple[Floats, NDArray[np.int64]]] = field(default_factory=list)

    def material(self, made: Material) -> int:
        self.materials.append(made)
        return len(self.materials) - 1

    def add(self, position: Floats, normal: Floats, tex: Floats, material: int, faces: NDArray[np.int64]) -> None:
        kind = np.full((len(position), 1), material, np.float32)
        self.parts.append((np.concatenate([position, normal, tex, kind], 1).astype(np.float32), faces))

    def quad(self, corners: Floats, material: int) -> None:
        """corners (4,3), seen counter-clockwise from its front."""
        normal = np.cross(corners[1] - corners[0], corners[3] - corners[0])
        normal = np.tile(normal / np.linalg.norm(normal), (4, 1))
        self.add(corners, normal, corners, material, np.array([[0, 1, 2], [0, 2, 3]]))

    def box(self, centre: ArrayLike, size: ArrayLike, turn: float, material: int) -> None:
        """centre (3,), full size (3,), turned about the vertical by radians."""
        corners = _CUBE * np.asarray(size, np.float32)
        spin = turn_about_up(turn)
        position = np.concatenate([corners[list(side)] for side in _SIDES])
        normal = np.concatenate([_face_normal(corners, side) for side in _SIDES])
        base = np.arange(6)[:, None, None] * 4
        faces = (np.array([[0, 1, 2], [0, 2, 3]])[None] + base).reshape(-1, 3)
        self.add(position @ spin.T + np.asarray(centre, np.float32), normal @ spin.T, position, material, faces)

    def column(self, centre: Floats, radius: float, height: float, material: int, taper: float = 1.0) -> None:
        """An upright cylinder about centre (3,), its top narrower by taper."""
        count = 20
        angle = np.linspace(0, 2 * np.pi, count + 1)
        way = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], 1)
        low, high = way * radius - [0, height / 2, 0], way * radius * taper + [0, height / 2, 0]
        position, normal = np.concatenate([low, high]), np.concatenate([way, way])
        k = np.arange(count)
        faces = np.concatenate([np.stack([k, k + count + 2, k + 1], 1), np.stack([k, k + count + 1, k + count + 2], 1)])
        around = np.tile(angle * radius, 2)
        tex = np.stack([around, position[:, 1], around], 1)
        self.add(position + centre, normal, tex, material, faces)
        lid = np.concatenate([[[0, height / 2, 0]], high])
        fan = np.stack([0 * k, k + 2, k + 1], 1)
        upwards: Floats = np.zeros((len(lid), 3), np.float32)
        upwards[:, 1] = 1.0
        self.add(lid + centre, upwards, lid, material, fan)

    def ball(self, centre: Floats, radii: Floats, material: int, ragged: float, rng: np.random.Generator) -> None:
        """An ellipsoid about centre (3,), uneven by a share of its radius."""
        around, rows = 18, 10
        a, e = np.meshgrid(np.linspace(0, 2 * np.pi, around), np.linspace(-np.pi / 2, np.pi / 2, rows))
        level = np.cos(e)
        unit = np.stack([level * np.cos(a), np.sin(e), level * np.sin(a)], -1).reshape(-1, 3).astype(np.float32)
        bumps = np.sin(unit @ rng.normal(0, 5, (3, 6)) + rng.uniform(0, 6, 6)).mean(1)
        position = unit * radii * (1 + ragged * bumps[:, None])
        index = np.arange(around * rows).reshape(rows, around)
        p, q, r, s = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
        faces = np.concatenate([np.stack([p, r, q], -1).reshape(-1, 3), np.stack([p, s, r], -1).reshape(-1, 3)])
        self.add(position + centre, unit, position, material, faces)

    def mesh(self) -> tuple[Floats, NDArray[np.int32]]:
        """All parts: vertices (N,10), triangles (T,3)."""
        starts = np.cumsum([0, *(len(part[0]) for part in self.parts[:-1])])
        faces = [part[1] + start for part, start in zip(self.parts, starts, strict=True)]
        return np.concatenate([part[0] for part in self.parts]), np.concatenate(faces).astype(np.int32)


def turn_about_up(turn: float) -> Floats:
    cosine, sine = np.cos(turn), np.sin(turn)
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]], np.float32)


def _face_normal(corners: Floats, side: tuple[int, ...]) -> Floats:
    a, b, _, d = corners[list(side)]
    normal = np.cross(b - a, d - a)
    return np.tile(normal / np.linalg.norm(normal), (4, 1))


def table(props: Props, place: Floats, size: Floats, turn: float, material: int) -> None:
    """place (3,) on the floor, size (3,) over all."""
    spin, thick = turn_about_up(turn), 0.05
    props.box(place + [0, size[1] - thick / 2, 0], [size[0], thick, size[2]], turn, material)
    for x in (-0.45, 0.45):
        for z in (-0.45, 0.45):
            leg = spin @ np.array([x * size[0], (size[1] - thick) / 2, z * size[2]], np.float32)
            props.box(place + leg, [0.05, size[1] - thick, 0.05], turn, material)


def chair(props: Props, place: Floats, turn: float, material: int) -> None:
    table(props, place, np.array([0.45, 0.46, 0.45], np.float32), turn, material)
    back = turn_about_up(turn) @ np.array([0, 0.7, -0.2], np.float32)
    props.box(place + back, [0.45, 0.5, 0.05], turn, material)


def shelf(props: Props, place: Floats, size: Floats, turn: float, material: int) -> None:
    spin = turn_about_up(turn)
    for x in (-0.5, 0.5):
        props.box(place + spin @ np.array([x * size[0], size[1] / 2, 0]), [0.04, size[1], size[2]], turn, material)
    for height in np.linspace(0.05, size[1], 5):
        props.box(place + [0, height, 0], [size[0], 0.03, size[2]], turn, material)


def plant(props: Props, rng: np.random.Generator, place: Floats, height: float, pot: int, leaves: int) -> None:
    props.column(place + [0, 0.15, 0], 0.16, 0.3, pot, 1.2)
    for _ in range(5):
        way = rng.normal(0, 0.12, 3) * [1, 0.6, 1]
        centre = place + [way[0], 0.3 + height * rng.uniform(0.3, 0.9) + way[1], way[2]]
        props.ball(centre, rng.uniform(0.1, 0.28, 3), leaves, 0.5, rng)


def bars(props: Props, rng: np.random.Generator, place: Floats, turn: float, material: int) -> None:
    """A fence or railing across."""
    spin, count = turn_about_up(turn), int(rng.integers(3, 12))
    height, gap, thick = float(rng.uniform(0.7, 2.4)), float(rng.uniform(0.1, 0.4)), float(rng.uniform(0.015, 0.06))
    for k in range(count):
        centre = place + spin @ np.array([(k - count / 2) * gap, height / 2, 0])
        props.box(centre, [thick, height, thick], turn, material)
    for level in (height, height * 0.12)[: int(rng.integers(1, 3))]:
        props.box(place + [0, level, 0], [count * gap, thick * 1.5, thick], turn, material)
