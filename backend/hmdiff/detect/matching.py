"""Whether two sets of landmarks are the same person, and who is who from frame to frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from .observation import Array, Observation
from .people import box_overlap

_SIGMA = 0.1
"""Landmark spread as a part of the person's size, generous next to COCO's: it must bridge one frame's motion."""
_SIGMA_PER_SECOND = 0.5
_SIGMA_MOST = 0.35
_SIZE_RATIO = 2.0
# in crop sides (about 1.5 body lengths): 2 a second is a fast run
_REACH, _SPEED, _REACH_TRUST = 0.2, 2.0, 0.6
# nose, shoulders, elbows, wrists, hips, knees, ankles: slots every source can fill
_SLOTS = np.array([0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28])
_MIRROR = np.array([0, 12, 11, 14, 13, 16, 15, 24, 23, 26, 25, 28, 27])
DUPLICATE = 0.6
"""Two readings in one frame that are more alike than this are one person."""


def person_size(observation: Observation) -> float:
    """Long side of the person's box, px."""
    box = observation.box
    return float(max(box[2] - box[0], box[3] - box[1], 1.0))


def likeness(
    points_a: Array, conf_a: Array, points_b: Array, conf_b: Array, size: float, sigma: float = _SIGMA
) -> float:
    """Object keypoint similarity in [0,1], in the manner of COCO's OKS with one sigma.

    points (33,2) px, conf (33,) weights; size: the person's, px. Landmarks unknown on either side do not count; with
    fewer than three in common the answer is 0.
    """
    weight = np.minimum(conf_a, conf_b)
    if np.count_nonzero(weight > 0.05) < 3:
        return 0.0
    squared = ((points_a - points_b) ** 2).sum(-1)
    return float((weight * np.exp(-squared / (2 * (sigma * size) ** 2))).sum() / weight.sum())


def same_person(a: Observation, b: Observation) -> float:
    """Likeness of two readings of one frame in [0,1], forgiving a left-right swap and half-read bodies.

    The larger of the landmarks' likeness and of how much one person's mask lies in the other's.
    """
    size = min(person_size(a), person_size(b))
    pa, ca, pb, cb = a.landmarks_2d[_SLOTS], a.confidence[_SLOTS], b.landmarks_2d, b.confidence
    straight = likeness(pa, ca, pb[_SLOTS], cb[_SLOTS], size)
    mirrored = likeness(pa, ca, pb[_MIRROR], cb[_MIRROR], size)
    return max(straight, mirrored, mask_containment(a, b), mask_containment(b, a))


def mask_containment(a: Observation, b: Observation) -> float:
    """The part of a's mask that lies in b's; 0 without masks."""
    if a.mask is None or b.mask is None:
        return 0.0
    side = len(a.mask)
    rows, columns = np.nonzero(a.mask[::4, ::4] > 0.5)
    if len(rows) == 0:
        return 0.0
    points = a.crop.from_crop((np.stack([columns, rows], -1) * 4 + 2).astype(np.float32) / side)
    index = np.floor(b.crop.to_crop(points) * len(b.mask)).astype(int)
    inside = ((index >= 0) & (index < len(b.mask))).all(-1)
    hit = b.mask[index[inside, 1], index[inside, 0]] > 0.5
    return float(hit.sum() / len(points))


def continuity(before: Observation, now: Observation, seconds: float) -> float:
    """How well ``now`` continues ``before``, seen ``seconds`` earlier, in [0,1]; loosens with time."""
    sizes = sorted((person_size(before), person_size(now)))
    if sizes[1] > _SIZE_RATIO * sizes[0]:
        return 0.0
    sigma = min(_SIGMA + _SIGMA_PER_SECOND * max(seconds, 0.0), _SIGMA_MOST)
    straight = likeness(
        before.landmarks_2d[_SLOTS], before.confidence[_SLOTS],
        now.landmarks_2d[_SLOTS], now.confidence[_SLOTS], sizes[1], sigma,
    )  # fmt: skip
    return max(straight, box_overlap(before.box, now.box))


def return_score(before: Observation, now: Observation, seconds: float) -> float:
    """How likely somebody found is the one lost ``seconds`` ago, in [0,1].

    Continuity, or less surely, having had the time to get there: people turn over in the air or behind a table, and
    come back in another pose.
    """
    sizes = sorted((before.crop.size, now.crop.size))
    if sizes[1] > _SIZE_RATIO * sizes[0]:
        return 0.0
    way = float(np.hypot(*(body_centre(now) - body_centre(before)))) / sizes[1]
    reach = 1.0 - way / (_REACH + _SPEED * max(seconds, 0.0))
    return max(continuity(before, now, seconds), _REACH_TRUST * reach)


def body_centre(observation: Observation) -> Array:
    """(2,) px: the middle of the hips where known, else of the box."""
    hips = observation.confidence[23:25]
    if hips.sum() > 0.2:
        return (observation.landmarks_2d[23:25] * hips[:, None]).sum(0) / hips.sum()
    return (observation.box[:2] + observation.box[2:]) / 2


def assign(scores: NDArray[np.float64], least: float) -> list[tuple[int, int]]:
    """Best one-to-one pairing of rows and columns of ``scores`` (R,C); pairs below ``least`` are left out."""
    if scores.size == 0:
        return []
    # a pair that is not allowed is worth nothing, so that it never pushes out one that is
    allowed = np.where(scores >= least, scores, 0.0)
    rows, columns = linear_sum_assignment(-allowed)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if scores[r, c] >= least]


def drop_duplicates(observations: list[Observation]) -> list[Observation]:
    """Keep the best reading of each person, best quality first."""
    kept: list[Observation] = []
    for one in sorted(observations, key=lambda o: -o.quality):
        if all(same_person(one, other) < DUPLICATE for other in kept):
            kept.append(one)
    return kept
