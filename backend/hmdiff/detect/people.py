"""Finding people: BlazePose's person detector, decoded so that several come out (BlazePose, Bazarevsky et al. 2020).

The network sees a 224 x 224 square and answers with head boxes and four points per anchor; the first two points, hip
centre and the end of the body's circle along the spine, give a turned crop for the landmark model. It was trained for
one large person, so smaller squares of the image are shown to it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .assets import POSE_DETECTION
from .image import ImageU8, cut
from .observation import Array, Crop
from .runtime import TfliteModel

INPUT_SIDE = 224
_STRIDES = ((8, 2), (16, 2), (32, 6))
"""Grid stride and anchors per cell; neighbouring layers of equal stride share a grid."""
_MOST_TILES = 5
CROP_MARGIN = 1.25
"""How much larger than the body's circle the landmark model's crop is (as in its training)."""


@dataclass(frozen=True, eq=False)
class PersonCandidate:
    """box (4,) px around the body's circle; head (4,) px; crop for the landmark model; score in [0,1]."""

    box: Array
    head: Array
    crop: Crop
    score: float


@lru_cache(maxsize=1)
def anchors() -> Array:
    """(2254,2) anchor centres in [0,1]; all anchors have unit size."""
    rows = []
    for stride, per_cell in _STRIDES:
        count = INPUT_SIDE // stride
        centre = (np.arange(count, dtype=np.float32) + 0.5) / count
        grid = np.stack(np.meshgrid(centre, centre), axis=-1).reshape(-1, 2)
        rows.append(np.repeat(grid, per_cell, axis=0))
    return np.concatenate(rows)


def decode(raw: Array, logits: Array, min_score: float) -> tuple[Array, Array, Array]:
    """Network output raw (2254,12), logits (2254,) -> heads (K,4) x0 y0 x1 y1, points (K,4,2), scores (K,).

    All in units of the square, best first.
    """
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))
    keep = np.flatnonzero(scores >= min_score)
    keep = keep[np.argsort(-scores[keep])]
    values = raw[keep].reshape(-1, 6, 2) / np.float32(INPUT_SIDE)
    centre = values[:, 0] + anchors()[keep]
    half = np.abs(values[:, 1]) / 2
    points = values[:, 2:] + anchors()[keep][:, None]
    return np.concatenate([centre - half, centre + half], axis=1), points, scores[keep].astype(np.float32)


def body_crop(hip: Array, end: Array) -> Crop:
    """The landmark model's square from the hip centre (2,) and the circle's end (2,), both image px.

    The spine points up in the crop.
    """
    spine = np.asarray(end, np.float64) - hip
    angle = float(np.arctan2(spine[0], -spine[1]))
    size = max(2.0 * CROP_MARGIN * float(np.hypot(*spine)), 2.0)
    return Crop(np.asarray(hip, np.float32), size, angle)


def box_overlap(a: Array, b: Array) -> float:
    """Intersection over union of two boxes (4,)."""
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inter = float(max(width, 0.0) * max(height, 0.0))
    union = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - inter
    return inter / union if union > 0 else 0.0


def circle_overlap(a: Crop, b: Crop) -> float:
    """Intersection over union of the circles inscribed in two crops."""
    r, s = sorted((a.size / 2, b.size / 2))
    d = float(np.hypot(*(a.center - b.center)))
    if d >= r + s:
        return 0.0
    if d <= s - r:
        return float(r * r / (s * s))
    first = r * r * np.arccos(np.clip((d * d + r * r - s * s) / (2 * d * r), -1, 1))
    second = s * s * np.arccos(np.clip((d * d + s * s - r * r) / (2 * d * s), -1, 1))
    kite = 0.5 * np.sqrt(max((-d + r + s) * (d + r - s) * (d - r + s) * (d + r + s), 0.0))
    inter = float(first + second - kite)
    return inter / (np.pi * (r * r + s * s) - inter)


def suppress(
    candidates: list[PersonCandidate], most_head: float = 0.3, most_circle: float = 0.8
) -> list[PersonCandidate]:
    """Non-maximum suppression, best score first, on heads as well as on bodies.

    Heads tell apart people who stand close together, whose bodies' circles overlap a lot.
    """
    kept: list[PersonCandidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.score):
        if all(
            box_overlap(candidate.head, other.head) < most_head
            and circle_overlap(candidate.crop, other.crop) < most_circle
            for other in kept
        ):
            kept.append(candidate)
    return kept


def search_squares(width: int, height: int, level: int) -> list[Crop]:
    """Squares of the image to look at.

    level 0: the whole frame; 1: also squares of the short side along the long side; 2: also squares of 0.55 of the
    short side; 3: also the whole frame lying on either side and upside down.
    """
    centre = np.array([width / 2, height / 2], np.float32)
    whole = Crop(centre, float(max(width, height)))
    squares = [whole]
    short = float(min(width, height))
    if level >= 1 and max(width, height) > 1.15 * short:
        squares += _tiles(width, height, short)
    if level >= 2:
        squares += _tiles(width, height, 0.55 * short)
    if level >= 3:
        squares += [whole.turned(angle) for angle in (np.pi / 2, -np.pi / 2, np.pi)]
    return squares


def _tiles(width: int, height: int, side: float) -> list[Crop]:
    """Squares that cover the image, neighbours overlapping by a third or more; larger ones in a very long image."""
    side = max(side, max(width, height) / _MOST_TILES)
    axes: list[NDArray[np.float64]] = []
    for length in (width, height):
        count = 1 if length <= side else int(np.ceil((length - side) / (side * 2 / 3))) + 1
        axes.append(np.linspace(side / 2, length - side / 2, count) if count > 1 else np.array([length / 2]))
    return [Crop(np.array([x, y], np.float32), side) for y in axes[1] for x in axes[0]]


class PersonDetector:
    """Stateless apart from the loaded network."""

    def __init__(self, num_threads: int = 2, min_score: float = 0.5) -> None:
        self._model = TfliteModel(POSE_DETECTION, num_threads)
        self.min_score = min_score

    def detect(self, image: ImageU8, level: int = 0) -> list[PersonCandidate]:
        """image (H,W,3) RGB -> people, best first; ``level`` as in ``search_squares``."""
        height, width = image.shape[:2]
        found: list[PersonCandidate] = []
        for square in search_squares(width, height, level):
            found += self.detect_in(image, square)
        return suppress(found)

    def detect_in(self, image: ImageU8, square: Crop) -> list[PersonCandidate]:
        """People in one (turned) square of the image."""
        pixels = cut(image, square, INPUT_SIDE).astype(np.float32) / np.float32(127.5) - np.float32(1)
        outputs = self._model.run(pixels)
        heads, points, scores = decode(outputs[(1, 2254, 12)][0], outputs[(1, 2254, 1)][0, :, 0], self.min_score)
        height, width = image.shape[:2]
        found = []
        for head, point, score in zip(heads, points, scores, strict=True):
            corners = head[[[0, 1], [2, 1], [2, 3], [0, 3]]]
            corners = square.from_crop(corners)
            crop = body_crop(*square.from_crop(point[:2]))
            half = crop.size / (2 * CROP_MARGIN)
            box = np.concatenate([crop.center - half, crop.center + half]).clip(0, [width, height, width, height])
            head_box = np.concatenate([corners.min(0), corners.max(0)])
            found.append(PersonCandidate(box.astype(np.float32), head_box, crop, float(score)))
        return suppress(found)
