"""Patterns of cloth, skin, floors and walls, made from a seed: no picture from outside is used."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
SIDE = 256
PER_FAMILY = 6


def smooth_noise(rng: np.random.Generator, roughness: float, stretch: float = 1.0) -> Floats:
    """Tileable noise (256,256) in 0..1 with a spectrum falling as frequency ** -roughness."""
    fy, fx = np.meshgrid(np.fft.fftfreq(SIDE) * SIDE, np.fft.rfftfreq(SIDE) * SIDE, indexing="ij")
    size = np.hypot(fy, fx * stretch)
    size[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) * size**-roughness
    spectrum[0, 0] = 0.0
    field = np.fft.irfft2(spectrum, (SIDE, SIDE))
    return np.clip(0.5 + field / (4.0 * field.std()), 0, 1).astype(np.float32)


def _grid() -> tuple[Floats, Floats]:
    axis = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    x, y = np.meshgrid(axis, axis)
    return x, y


def _bars(rng: np.random.Generator, along: Floats) -> Floats:
    """Irregular stripes, repeated a whole number of times."""
    phase = along * int(rng.integers(1, 9)) % 1.0
    edges = np.sort(rng.random(2 * int(rng.integers(1, 4))))
    return (np.searchsorted(edges, phase) % 2).astype(np.float32)


def _stripes(rng: np.random.Generator) -> tuple[Floats, Floats]:
    x, y = _grid()
    along = y if rng.random() < 0.65 else x
    return _bars(rng, along), _bars(rng, along) * (rng.random() < 0.5)


def _checks(rng: np.random.Generator) -> tuple[Floats, Floats]:
    x, y = _grid()
    across, down = _bars(rng, x), _bars(rng, y)
    return np.abs(across - down) if rng.random() < 0.4 else 0.5 * (across + down), across * down


def _dots(rng: np.random.Generator) -> tuple[Floats, Floats]:
    x, y = _grid()
    count, radius = int(rng.integers(3, 14)), rng.uniform(0.12, 0.42)
    u, v = x * count % 1.0 - 0.5, y * count % 1.0 - 0.5
    dots = (u * u + v * v < radius * radius).astype(np.float32)
    other = ((x * count).astype(int) + (y * count).astype(int)) % 2
    return dots * (1 - other * (rng.random() < 0.5)), dots * other * (rng.random() < 0.5)


def _blotches(rng: np.random.Generator) -> tuple[Floats, Floats]:
    first, second = smooth_noise(rng, rng.uniform(1.2, 2.2)), smooth_noise(rng, rng.uniform(1.0, 2.0))
    low, high = rng.uniform(0.45, 0.6), rng.uniform(0.5, 0.65)
    return np.clip((first - low) * 25 + 0.5, 0, 1), np.clip((second - high) * 25 + 0.5, 0, 1)


def _print(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A few shapes on a plain ground, as on a T-shirt."""
    x, y = _grid()
    first, second = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for _ in range(int(rng.integers(2, 9))):
        cx, cy = rng.uniform(0.25, 0.75, 2)
        w, h = rng.uniform(0.03, 0.25, 2)
        u, v = (x - cx) / w, (y - cy) / h
        inside = u * u + v * v < 1 if rng.random() < 0.5 else (np.abs(u) < 1) & (np.abs(v) < 1)
        (first if rng.random() < 0.6 else second)[inside] = rng.random() < 0.8
    return first, second


def _planks(rng: np.random.Generator) -> tuple[Floats, Floats]:
    x, y = _grid()
    rows = int(rng.integers(3, 9))
    row = (y * rows).astype(int)
    length, shift = int(rng.integers(1, 4)), rng.random(rows)
    column = ((x + shift[row]) * length).astype(int) % length
    tone = rng.random((rows, length)).astype(np.float32)[row, column]
    gap = (y * rows % 1.0 < 0.03) | ((x + shift[row]) * length % 1.0 < 0.01)
    return 0.6 * tone + 0.4 * smooth_noise(rng, 1.4, 12.0), gap.astype(np.float32)


def _bricks(rng: np.random.Generator) -> tuple[Floats, Floats]:
    x, y = _grid()
    rows, columns = int(rng.integers(4, 16)), int(rng.integers(2, 9))
    row = (y * rows).astype(int)
    u = (x * columns + 0.5 * (row % 2) * (rng.random() < 0.7)) % columns
    mortar = rng.uniform(0.02, 0.08)
    gap = (y * rows % 1.0 < mortar * 1.5) | (u % 1.0 < mortar)
    return rng.random((rows, columns)).astype(np.float32)[row, u.astype(int)], gap.astype(np.float32)


def _cells(rng: np.random.Generator) -> tuple[Floats, Floats]:
    x, y = _grid()
    count = int(rng.integers(8, 40))
    points, tone = rng.random((count, 2)), rng.random(count).astype(np.float32)
    nearest, index = np.full((SIDE, SIDE), 9.0), np.zeros((SIDE, SIDE), int)
    for i, (px, py) in enumerate(points):
        dx, dy = np.abs(x - px), np.abs(y - py)
        away = np.minimum(dx, 1 - dx) ** 2 + np.minimum(dy, 1 - dy) ** 2
        index[away < nearest] = i
        nearest = np.minimum(nearest, away)
    return tone[index], (tone[index] > 0.8).astype(np.float32)


def _speckle(rng: np.random.Generator) -> tuple[Floats, Floats]:
    return smooth_noise(rng, rng.uniform(0.2, 0.7)), (smooth_noise(rng, 0.3) > 0.75).astype(np.float32)


def _clouds(rng: np.random.Generator) -> tuple[Floats, Floats]:
    return smooth_noise(rng, rng.uniform(1.3, 2.4)), 0.5 * smooth_noise(rng, 1.0)


def _plain(rng: np.random.Generator) -> tuple[Floats, Floats]:
    return 0.25 * smooth_noise(rng, 1.2), np.zeros((SIDE, SIDE), np.float32)


FAMILIES: dict[str, Callable[[np.random.Generator], tuple[Floats, Floats]]] = {
    "plain": _plain, "stripes": _stripes, "checks": _checks, "dots": _dots, "blotches": _blotches, "print": _print,
    "planks": _planks, "bricks": _bricks, "cells": _cells, "speckle": _speckle, "clouds": _clouds,
}  # fmt: skip
NAMES = tuple(FAMILIES)


def layer(rng: np.random.Generator, *families: str) -> int:
    """A texture of one of the named families."""
    family = families[int(rng.integers(len(families)))]
    return NAMES.index(family) * PER_FAMILY + int(rng.integers(PER_FAMILY))


def texture_bank(seed: tuple[int, int]) -> NDArray[np.uint8]:
    """(L,256,256,4): red and green say where the second and third colour is, blue is unevenness, alpha unused."""
    rng = np.random.default_rng([*seed, 7])
    bank = np.full((len(FAMILIES) * PER_FAMILY, SIDE, SIDE, 4), 255, np.uint8)
    for index in range(len(bank)):
        red, green = FAMILIES[NAMES[index // PER_FAMILY]](rng)
        blue = smooth_noise(rng, float(rng.uniform(0.6, 1.6)))
        bank[index, ..., :3] = np.round(np.stack([red, green, blue], -1).clip(0, 1) * 255)
    return bank
