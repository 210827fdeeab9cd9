"""Hypotheses as bodies of their own: other motions that explain the same footage, translucent and hidden at first."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from . import naming
from .body import posed_copy, tint_material
from .motion import key_presence
from .person import PersonMotion

Array = NDArray[np.floating[Any]]

SHOWN_OF_A_CLIP = 4


def shown_count(take: Take, wanted: int | None) -> int:
    """How many hypotheses become objects: as asked, else all of a photo and the first four of a clip."""
    if wanted is None:
        wanted = take.n_hypotheses if take.n_frames == 1 else SHOWN_OF_A_CLIP
    return max(0, min(wanted, take.n_hypotheses))


def create_hypothesis(
    take: Take, template: Any, person: int, index: int, motion: PersonMotion, world: Array, name: str, collection: Any
) -> Any:
    """The object of hypothesis ``index`` (0..N-1) in its first pose; carries its mean score where there is one."""
    mesh = posed_copy(template, name, next(motion.shapes(world)), tint_material(index))
    item = bpy.data.objects.new(name, mesh)
    item.color = (*mesh.materials[0].diffuse_color[:3], 0.35)
    collection.objects.link(item)
    naming.mark(item, take.header.uuid, take.folder, "hypothesis", motion.track_id)
    item[naming.HYPOTHESIS] = index
    scores = take.read("hypotheses_score", person)[:, index]
    score = float(np.mean(scores[np.isfinite(scores)])) if np.isfinite(scores).any() else math.nan
    if math.isfinite(score):
        item[naming.SCORE] = score
    key_presence(item, motion.all_frames, motion.present)
    return item
