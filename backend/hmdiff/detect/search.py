"""Finding the crop in which the landmark network reads a person best.

It is not rotation-invariant: people who lie, crouch or lean are read well only when the crop turns with them. The mean
heatmap peak tells which turn is right (method notes 4.3), weighed with the box so that it does not pick somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .assemble import person_box, reading_quality
from .image import ImageU8
from .landmarks import LandmarkModel, Reading
from .observation import Array, Crop
from .people import CROP_MARGIN, PersonCandidate, box_overlap

TURNS = 8
SCALES = (1.0, 1.35)
_FOLLOW_GAIN = 0.02
_MOST_HINTS = 3
_SAME_BOX = 0.3
_HOPELESS_FLAG, _HOPELESS_QUALITY = 0.2, 0.4
_HEAD_REACH = 0.15
"""How far from the detected head the nose may be, as a part of the crop's side (1 sigma)."""


@dataclass(frozen=True, eq=False)
class Place:
    """What is known about where the person is. box (4,) px given by hand, head (4,) px from the person detector."""

    box: Array | None = None
    head: Array | None = None


def reading_score(reading: Reading, width: int, height: int, place: Place) -> float:
    """Quality, reduced by up to half for each of: the network doubts that there is anybody; what was read does not fill
    the box; the nose is far from the head."""
    score = reading_quality(reading, width, height) * (0.5 + 0.5 * reading.flag)
    if place.box is not None:
        score *= 0.5 + 0.5 * box_overlap(person_box(reading, width, height), place.box)
    if place.head is not None:
        centre = (place.head[:2] + place.head[2:]) / 2
        off = float(np.hypot(*(reading.image_points[0] - centre))) / (_HEAD_REACH * reading.crop.size)
        score *= 0.5 + 0.5 * float(np.exp(-0.5 * off * off))
    return score


def follow(model: LandmarkModel, image: ImageU8, reading: Reading, place: Place, steps: int = 2) -> Reading:
    """Read again where the reading itself says the person is, as long as that helps."""
    height, width = image.shape[:2]
    score = reading_score(reading, width, height, place)
    for _ in range(steps):
        again = model.read(image, reading.next_crop)
        better = reading_score(again, width, height, place)
        if better < score + _FOLLOW_GAIN:
            return again if better > score else reading
        reading, score = again, better
    return reading


def turned_crops(crop: Crop) -> list[Crop]:
    """8 turns x 2 scales."""
    turns = [k * 2 * np.pi / TURNS for k in range(TURNS)]
    return [crop.scaled(scale).turned(turn) for scale in SCALES for turn in turns]


def box_crop(box: Array) -> Crop:
    """The upright square around a box (4,) px."""
    box = np.asarray(box, np.float32)
    return Crop((box[:2] + box[2:]) / 2, max(float((box[2:] - box[:2]).max()), 2.0))


def search_turns(
    model: LandmarkModel, image: ImageU8, first: Reading, around: Crop, good: float, place: Place
) -> Reading:
    """``first`` if it reaches the quality ``good``, else the best of it and of 8 turns x 2 scales of ``around``.

    Without a box given by hand, what plainly is no person is not searched.
    """
    height, width = image.shape[:2]
    quality = reading_quality(first, width, height)
    if quality >= good or (place.box is None and first.flag < _HOPELESS_FLAG and quality < _HOPELESS_QUALITY):
        return first

    def score(reading: Reading) -> float:
        return reading_score(reading, width, height, place)

    rivals = sorted((model.read(image, crop) for crop in turned_crops(around)), key=score, reverse=True)
    return max([first, *(follow(model, image, rival, place) for rival in rivals[:2])], key=score)


def read_candidate(model: LandmarkModel, image: ImageU8, candidate: PersonCandidate) -> Reading:
    """Somebody the person detector found, before any search over turns."""
    return follow(model, image, model.read(image, candidate.crop), Place(head=candidate.head))


def read_box(
    model: LandmarkModel, image: ImageU8, box: Array, good: float, candidates: list[PersonCandidate]
) -> Reading:
    """The person in a box (4,) px given by hand, whether or not the person detector sees one.

    candidates: what the person detector did see; those with their head in the box are tried as well.
    """
    height, width = image.shape[:2]
    place = Place(box=np.asarray(box, np.float32))
    square = box_crop(box)
    starts = [square.scaled(CROP_MARGIN)]
    starts += [c.crop for c in candidates if _head_in(c, box)][:_MOST_HINTS]
    first = [follow(model, image, model.read(image, crop), place) for crop in starts]

    def rank(reading: Reading) -> tuple[bool, float]:
        # boxes drawn around the visible part fit a clear reading of a half-hidden person badly
        clear = reading_quality(reading, width, height) >= good
        here = box_overlap(person_box(reading, width, height), box) >= _SAME_BOX
        return clear and here, reading_score(reading, width, height, place)

    best = max(first, key=rank)
    return search_turns(model, image, best, square.scaled(1.1), good, place)


def _head_in(candidate: PersonCandidate, box: Array) -> bool:
    centre = (candidate.head[:2] + candidate.head[2:]) / 2
    return bool((centre > box[:2]).all() and (centre < box[2:]).all())
