"""Moving vertices for exporters that ask for the shape of every frame: the body plays a temporary PC2 file."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import compat
from ..motion import play_point_cache
from .staged import Person, Stage


def playing(stage: Stage, person: Person) -> Any:
    """The staged body, with shape f of its file at frame f."""
    assert person.shapes is not None
    frames = np.arange(stage.frames.count, dtype=np.float64)
    compat.set_keys(play_point_cache(person.body, person.shapes), frames, frames)
    return person.body
