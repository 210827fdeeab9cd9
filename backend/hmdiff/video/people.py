"""Who is in one frame of the footage, to choose from before a run."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ..detect import Observation
from ..detect.matching import person_size
from .frames import Frame, Image
from .options import RunOptions
from .source import Footage
from .warm import chosen_detector

THUMBNAIL_SIDE = 96
_AROUND = 0.08
_BACKDROP = 24


@dataclass(frozen=True, eq=False)
class PeopleInFrame:
    """index, time (s) of the frame; box (P,4) px, fit to be given to a run; score (P,) in [0,1]; thumbnail
    (P,96,96,3) RGB, each person's box with a little around it, whole, over grey. Largest first.
    """

    index: int
    time: float
    box: NDArray[np.float32]
    score: NDArray[np.float32]
    thumbnail: NDArray[np.uint8]


def people_in_frame(source: Footage, index: int, options: RunOptions | None = None) -> PeopleInFrame:
    """Look for everybody in frame ``index``, as thoroughly as in a photo, with the detector that ``options`` want.

    Errors: those of the source and the detector, ``input.range`` where there is no such frame.
    """
    frame = next(iter(source.starting_at(index)), None)
    if frame is None:
        known = source.info.n_frames
        raise HmdiffError(
            "input.range", f"{source.info.path.name} has no frame {index}.",
            f"It has {known} frames, counted from 0." if known else "Give a frame that it has; they count from 0.",
        )  # fmt: skip
    found = sorted(chosen_detector(options or RunOptions()).photo(frame.image_rgb), key=person_size, reverse=True)
    return _gathered(frame, found)


def _gathered(frame: Frame, found: list[Observation]) -> PeopleInFrame:
    side = THUMBNAIL_SIDE
    return PeopleInFrame(
        frame.index, frame.time,
        np.array([one.box for one in found], np.float32).reshape(-1, 4),
        np.array([one.quality for one in found], np.float32).clip(0, 1),
        np.array([thumbnail(frame.image_rgb, one.box) for one in found], np.uint8).reshape(-1, side, side, 3),
    )  # fmt: skip


def thumbnail(image: Image, box: NDArray[np.float32], side: int = THUMBNAIL_SIDE) -> Image:
    """The part of image (H,W,3) around box (4,) px, scaled to fit into (side,side,3), over grey."""
    height, width = image.shape[:2]
    margin = _AROUND * float(max(box[2] - box[0], box[3] - box[1], 1.0))
    x0, y0 = (max(0, int(value - margin)) for value in box[:2])
    x1, y1 = min(width, int(box[2] + margin) + 1), min(height, int(box[3] + margin) + 1)
    out = np.full((side, side, 3), _BACKDROP, np.uint8)
    part = image[y0:y1, x0:x1]
    if not part.size:
        return out
    scale = side / max(part.shape[:2])
    size = tuple(min(side, max(1, round(length * scale))) for length in (part.shape[1], part.shape[0]))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    out[top : top + size[1], left : left + size[0]] = small
    return out
