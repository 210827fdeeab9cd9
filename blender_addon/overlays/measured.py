"""Height and weight of the body shape that is shown, computed beside Blender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError

from ..edits.shape import measures
from ..scene import opened
from .latest import Latest, redraw_views

_latest: Latest[tuple[float, float]] = Latest(redraw_views)


def measured(root: Any, betas: tuple[float, ...]) -> tuple[float, float] | None:
    """Metres and kilograms of the newest answer; None before there is one. For panels: asks, never waits."""
    try:
        folder = opened.folder_of(root)
    except HmdiffError:
        return None
    _latest.ask((str(folder), betas), lambda: _measure(folder, betas))
    return _latest.value


def wait() -> tuple[float, float] | None:
    return _latest.wait()


def _measure(folder: Path, betas: tuple[float, ...]) -> tuple[float, float]:
    return measures(opened.read_here(folder).body, np.array(betas, np.float32))
