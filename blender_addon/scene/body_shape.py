"""The body shape a clip's person has now, read from the scene."""

from __future__ import annotations

from typing import Any

from ..edits.record import SHAPE_COUNT
from . import naming, stored_edits
from .rigged import SHAPE_PREFIX

BODY = "hmdiff_body"
"""Custom property of a clip's root: the name of the body it was made with."""


def betas_of(root: Any, track: int | None) -> tuple[float, ...]:
    """(10,): as edited, else as the rigged body's shape keys say, which hold the take's."""
    if track is None:
        return (0.0,) * SHAPE_COUNT
    own = stored_edits.edits_of(root).of(track).betas
    if own is not None:
        return own
    for item in naming.find("rigged", root[naming.CLIP]):
        if item.get(naming.PERSON) == track and item.data.shape_keys is not None:
            keys = item.data.shape_keys.key_blocks
            names = [f"{SHAPE_PREFIX}{index:02d}" for index in range(SHAPE_COUNT)]
            return tuple(float(keys[name].value) if name in keys else 0.0 for name in names)
    return (0.0,) * SHAPE_COUNT
