"""What the directions of body shape do, by their names.

They are principal directions of many built bodies, so none is one thing only; the names say what changes most, found
by drawing each of them (docs/blender.md). The free body's later ones are small mixtures without a name of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hmdiff_wire.body import BodyData, rest_shape
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

FREE_BODY = ("Height", "Narrow Hips", "Weight", "Broad Shoulders")
SMPL = ("Height", "Weight")
DENSITY = 985.0  # kg per cubic metre, of a whole human body


def shape_names(body_name: str, count: int = 10) -> tuple[str, ...]:
    """A name for each direction; ``Detail 5`` where it has no meaning of its own."""
    known = SMPL if "smpl" in body_name.lower() else FREE_BODY
    return tuple(known[index] if index < len(known) else f"Detail {index + 1}" for index in range(count))


def measures(body: BodyData, betas: Array) -> tuple[float, float]:
    """Height in metres and weight in kilograms, of the body in its rest pose; the weight is its volume's."""
    vertices = rest_shape(body, betas)[0].astype(np.float64)
    a, b, c = (vertices[body.faces[:, corner]] for corner in range(3))
    volume = abs(np.einsum("ij,ij->", a, np.cross(b, c))) / 6.0
    return float(np.ptp(vertices[:, 1])), float(volume * DENSITY)
