"""Vertex animation as relative shape keys, one per frame: what glTF and FBX call morph targets.

Our own bodies play absolute keys, which glTF writes wrong without a word and FBX not at all (docs/blender_facts).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError

from .. import compat
from ..body import flat
from .meshes import shape_at
from .staged import Person, Stage

MOST_FRAMES = 300
"""One shape of the free body takes 165 kB in the file, and viewers keep all of them in graphics memory."""


def morphing(stage: Stage, person: Person) -> Any:
    """The staged body with a key per frame after the first, each full on its own frame and gone on the next.

    Errors: ``export.too_long``, ``export.nothing``.
    """
    count = stage.frames.count
    if count > MOST_FRAMES:
        raise HmdiffError(
            "export.too_long", f"{count} frames are too many for one shape per frame; {MOST_FRAMES} are the most.",
            "Export the body with its bones instead, or moving vertices as Alembic or USD.",
        )  # fmt: skip
    item = person.body
    assert person.shapes is not None
    vertices = len(item.data.vertices)
    item.shape_key_add(name="Basis", from_mix=False)
    for number in range(1, count):
        key = item.shape_key_add(name=f"frame_{number:04d}", from_mix=False)
        key.points.foreach_set("co", flat(shape_at(person.shapes, number, vertices)))
        at = np.array([frame for frame in (number - 1, number, number + 1) if 0 <= frame < count], np.float64)
        curve = compat.ensure_fcurve(item.data.shape_keys, f'key_blocks["{key.name}"].value')
        compat.set_keys(curve, at, (at == number).astype(np.float64))
    return item
