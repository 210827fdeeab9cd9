"""What another program said of a clip, in one form whatever its file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class OutsideTrack:
    """One person over n frames. frames (n,) rising indices in the video, or times (n,) s where a file knows only those
    (frames is then None); pose (n,72) axis-angle in SMPL's order; transl (n,3) metres, None where unknown; boxes (n,4)
    px x0 y0 x1 y1, None where unknown.
    """

    track_id: int
    frames: NDArray[np.int64] | None
    times: NDArray[np.float64] | None
    pose: Array
    transl: Array | None
    boxes: Array | None


@dataclass(frozen=True, eq=False)
class Outside:
    """tracks; in_camera: the roots turn in camera axes; False: in a world, whose camera is to be found; focal px, None
    where the file does not say; source: the format's name.
    """

    tracks: tuple[OutsideTrack, ...]
    in_camera: bool
    focal: float | None
    source: str
