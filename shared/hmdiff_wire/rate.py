"""How many frames a second a take has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def nominal_rate(times: NDArray[np.floating[Any]], fps: float) -> float:
    """The video's nominal rate: as stored, or from the time stamps (n,) s where nothing is stored; 24 for a photo."""
    if fps and np.isfinite(fps) and fps > 0:
        return float(fps)
    if len(times) > 1:
        return float(1.0 / np.median(np.diff(times)))
    return 24.0
