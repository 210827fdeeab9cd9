"""The room of the shipped demo clip and its dancer's clothes.

Places are metres in the y-up world around the dance's middle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import studio
from wardrobe import REGIONS, Cut

CUT = Cut(
    sleeve=0.33,
    hem=0.86,
    trouser=0.11,
    shirt_offset=0.012,
    trouser_offset=0.013,
    hair_offset=0.022,
    hairline=0.07,
    shoe_offset=0.0,
)


def clothes() -> dict[str, Any]:
    """A material per region of the body."""
    made = {
        "skin": studio.material("skin", (0.58, 0.33, 0.22), 0.55),
        "hair": studio.wrinkle(studio.material("hair", (0.045, 0.022, 0.012), 0.6), 60.0, 1.0),
        "shirt": studio.wrinkle(
            studio.patterned("shirt", "stripes", (0.72, 0.70, 0.64), (0.55, 0.06, 0.05), 5.0), 14.0, 0.6
        ),
        "trousers": studio.wrinkle(
            studio.patterned("trousers", "noise", (0.03, 0.06, 0.16), (0.07, 0.12, 0.26), 25.0), 12.0, 0.7
        ),
        "shoes": studio.material("socks", (0.75, 0.75, 0.72), 0.8),
        "eye": studio.material("eye", (0.75, 0.73, 0.70), 0.3),
        "iris": studio.material("iris", (0.03, 0.015, 0.008), 0.2),
        "mouth": studio.material("mouth", (0.20, 0.04, 0.04), 0.6),
        "lips": studio.material("lips", (0.42, 0.15, 0.12), 0.5),
        "brows": studio.material("brows", (0.05, 0.025, 0.015), 0.8),
        "sole": studio.material("sock soles", (0.75, 0.75, 0.72), 0.8),
    }
    return {name: made[name] for name in REGIONS}


def shoe_materials() -> list[Any]:
    """Upper and sole."""
    return [studio.material("leather", (0.76, 0.75, 0.72), 0.45), studio.material("rubber", (0.10, 0.10, 0.11), 0.8)]


def furnish() -> None:
    """Wooden floor, two walls, rug, picture, bench, plant, boxes, a large soft light, a window's light and dim sky."""
    box, rounded = studio.add_box, studio.add_round
    planks = studio.patterned("planks", "bands", (0.30, 0.17, 0.085), (0.25, 0.135, 0.065), 0.9, None)
    planks.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.45
    box("Floor", np.array([0, -0.05, 0]), np.array([16, 0.1, 16]), planks)
    plaster = studio.patterned("plaster", "noise", (0.55, 0.60, 0.58), (0.50, 0.56, 0.54), 1.2, None)
    warm = studio.material("warm wall", (0.62, 0.48, 0.33))
    box("Back wall", np.array([0, 1.75, -3.0]), np.array([16, 3.5, 0.1]), plaster)
    box("Side wall", np.array([4.2, 1.75, 0]), np.array([0.1, 3.5, 16]), warm)
    white = studio.material("white", (0.78, 0.77, 0.74))
    box("Skirting", np.array([0, 0.06, -2.93]), np.array([16, 0.12, 0.04]), white)
    rug = studio.patterned("rug", "cells", (0.10, 0.20, 0.24), (0.32, 0.38, 0.34), 4.0, None)
    box("Rug", np.array([0, 0.002, 0.1]), np.array([3.4, 0.004, 2.9]), rug)
    frame = studio.material("frame", (0.05, 0.04, 0.035), 0.4)
    art = studio.patterned("art", "cells", (0.80, 0.42, 0.12), (0.10, 0.22, 0.42), 2.2, None)
    box("Frame", np.array([-1.75, 1.75, -2.93]), np.array([1.25, 0.9, 0.05]), frame)
    box("Art", np.array([-1.75, 1.75, -2.90]), np.array([1.13, 0.78, 0.04]), art)
    wood = studio.material("oak", (0.38, 0.22, 0.10), 0.5)
    box("Bench", np.array([1.9, 0.43, -2.55]), np.array([1.5, 0.06, 0.42]), wood)
    for side in (-0.65, 0.65):
        box("Bench leg", np.array([1.9 + side, 0.20, -2.55]), np.array([0.06, 0.40, 0.38]), wood)
    box(
        "Cushion",
        np.array([1.6, 0.51, -2.55]),
        np.array([0.5, 0.1, 0.4]),
        studio.material("ochre", (0.70, 0.36, 0.06)),
        0.2,
    )
    rounded("Pot", np.array([-2.95, 0.22, -2.2]), 0.19, 0.44, studio.material("clay", (0.48, 0.17, 0.09)), 1.3)
    leaves = studio.material("leaves", (0.05, 0.18, 0.05), 0.5)
    for x, y, z, radius, height in (
        (-2.95, 0.80, -2.2, 0.26, 0.9),
        (-3.15, 0.72, -2.05, 0.17, 0.6),
        (-2.74, 0.68, -2.1, 0.18, 0.6),
    ):
        rounded("Leaves", np.array([x, y, z]), radius, height, leaves, 0.0)
    box(
        "Crate",
        np.array([3.3, 0.25, -1.9]),
        np.array([0.5, 0.5, 0.5]),
        studio.material("crate", (0.25, 0.30, 0.36)),
        0.4,
    )
    rounded("Ball", np.array([2.75, 0.16, -1.5]), 0.16, 0.32, studio.material("ball", (0.75, 0.20, 0.05), 0.35), 0.0)
    rounded("Lamp post", np.array([0.35, 0.8, -2.6]), 0.015, 1.6, frame)
    rounded("Lamp shade", np.array([0.35, 1.68, -2.6]), 0.22, 0.28, studio.material("linen", (0.80, 0.72, 0.55)), 0.7)
    studio.add_light("AREA", np.array([-2.4, 3.2, 2.6]), np.array([0, 0.8, 0]), 190.0, 1.6, (1.0, 0.94, 0.86))
    studio.add_light("AREA", np.array([3.2, 2.4, 2.2]), np.array([0, 1.0, -0.3]), 70.0, 1.4, (0.82, 0.90, 1.0))
    studio.set_sky((0.85, 0.92, 1.0), 0.38)
