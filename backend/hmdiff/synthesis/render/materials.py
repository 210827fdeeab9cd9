"""Colours and surfaces. Colours are linear RGB."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from .textures import layer

Colour = tuple[float, float, float]
_SKIN = np.array(
    [[0.045, 0.022, 0.014], [0.14, 0.07, 0.042], [0.38, 0.21, 0.13], [0.62, 0.40, 0.29], [0.76, 0.54, 0.44]]
)
_WALLS = ("plain", "plain", "clouds", "bricks", "stripes", "checks", "dots", "blotches", "planks", "cells", "speckle")
_FLOORS = ("planks", "planks", "bricks", "checks", "speckle", "clouds", "cells", "plain")


@dataclass(frozen=True)
class Material:
    """first colour; second and third where the texture layer says so. scale: repeats per metre; bump, shine: 0..1."""

    first: Colour
    second: Colour
    third: Colour
    layer: int
    scale: float = 4.0
    bump: float = 0.5
    shine: float = 0.02


def plain(rng: np.random.Generator, colour: Colour, bump: float = 0.3, shine: float = 0.03) -> Material:
    darker = (0.75 * colour[0], 0.75 * colour[1], 0.75 * colour[2])
    return Material(colour, darker, colour, layer(rng, "plain"), 6.0, bump, shine)


def any_colour(rng: np.random.Generator) -> Colour:
    """Dyed cloth and paint: every hue, greys, black and white."""
    kind = rng.random()
    saturation = 0.0 if kind < 0.2 else float(rng.uniform(0.1, 0.95) if kind < 0.7 else rng.uniform(0.05, 0.35))
    value = float(np.clip(rng.beta(1.1, 1.3), 0.03, 0.95))
    red, green, blue = colorsys.hsv_to_rgb(float(rng.random()), saturation, value)
    return red**2.2 * 0.9, green**2.2 * 0.9, blue**2.2 * 0.9


def skin_colour(rng: np.random.Generator) -> Colour:
    """From deep to pale, with some spread in redness."""
    tone = float(rng.random())
    place = tone * (len(_SKIN) - 1)
    low = min(int(place), len(_SKIN) - 2)
    mixed = _SKIN[low] * (1 - place + low) + _SKIN[low + 1] * (place - low)
    mixed = mixed * rng.normal(1, 0.06, 3).clip(0.8, 1.2)
    return float(mixed[0]), float(mixed[1]), float(mixed[2])


def hair_colour(rng: np.random.Generator) -> Colour:
    palette = ((0.008, 0.006, 0.005), (0.03, 0.018, 0.011), (0.09, 0.05, 0.028), (0.25, 0.15, 0.07), (0.5, 0.36, 0.18),
               (0.22, 0.06, 0.02), (0.35, 0.34, 0.33), (0.7, 0.69, 0.67))  # fmt: skip
    if rng.random() < 0.03:
        return any_colour(rng)
    red, green, blue = palette[int(rng.choice(8, p=[0.28, 0.24, 0.16, 0.1, 0.07, 0.05, 0.06, 0.04]))]
    return red, green, blue


def cloth(rng: np.random.Generator, patterned: float = 0.45) -> Material:
    if rng.random() < patterned:
        pattern = layer(rng, "stripes", "stripes", "checks", "checks", "dots", "blotches", "print", "cells", "clouds")
    else:
        pattern = layer(rng, "plain", "speckle")
    first, second, third = any_colour(rng), any_colour(rng), any_colour(rng)
    if rng.random() < 0.3:
        second = blend(first, second, float(rng.uniform(0.1, 0.5)))
    return Material(
        first, second, third, pattern, float(np.exp(rng.uniform(0.6, 2.6))), float(rng.uniform(0.2, 1.6)),
        float(rng.choice([0.0, 0.02, 0.1])),
    )  # fmt: skip


def blend(first: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (a * (1 - share) + b * share for a, b in zip(first, other, strict=True))
    return red, green, blue


def wall(rng: np.random.Generator) -> Material:
    return surface(rng, _WALLS, (0.15, 1.2))


def floor(rng: np.random.Generator) -> Material:
    return surface(rng, _FLOORS, (0.15, 1.0))


def surface(rng: np.random.Generator, families: tuple[str, ...], scale: tuple[float, float]) -> Material:
    """A painted or tiled surface: its colours are mostly relatives of one another."""
    # few rooms are painted in bright colours
    dull = float(rng.choice([0.0, 0.5, 0.85], p=[0.25, 0.4, 0.35]))
    tone = float(rng.uniform(0.03, 0.75))
    first = blend(any_colour(rng), (tone, 0.97 * tone, 0.92 * tone), dull)
    spread = float(rng.choice([0.12, 0.35, 1.0], p=[0.4, 0.4, 0.2]))

    low, high = np.log(scale[0]), np.log(scale[1])
    return Material(
        first, blend(first, any_colour(rng), spread), blend(first, any_colour(rng), spread), layer(rng, *families),
        float(np.exp(rng.uniform(low, high))),
        float(rng.uniform(0, 0.8)), float(rng.choice([0.0, 0.0, 0.08])),
    )  # fmt: skip
