"""From the landmark network's reading to an Observation."""

from __future__ import annotations

import cv2
import numpy as np

from .landmarks import Reading, heatmap_quality
from .observation import LIMB_SLOTS, N_LANDMARKS, Array, Bools, Crop, Observation

Z_SCALE = 0.27
"""The network's z is exaggerated; times this it is in the scale of its x and y.

MEASURED on 198 frames with 3D truth (pose2sim_single): 0.25 in one camera, 0.30 in the other.
"""
_LIMBS = np.array(LIMB_SLOTS)
_TRUNCATED_JOINTS = 3
_UNSEEN_JOINTS = 2
_EDGE = 0.02
_BOX_PAD = 0.06


def inside_image(points: Array, width: int, height: int) -> Bools:
    """points (...,2) px -> (...) bool."""
    return ((points >= 0) & (points < np.array([width, height]))).all(-1)


def reading_quality(reading: Reading, width: int, height: int) -> float:
    """``heatmap_quality`` over the landmarks that lie in the image."""
    inside = inside_image(reading.image_points, width, height)
    return heatmap_quality(reading.heatmaps, reading.visibility, inside)


def person_box(reading: Reading, width: int, height: int) -> Array:
    """(4,) px around the landmarks the network sees and the person's mask connected with them, clipped to the image."""
    points = reading.image_points[:N_LANDMARKS]
    seen = (reading.confidence[:N_LANDMARKS] > 0.5) & inside_image(points, width, height)
    if np.count_nonzero(seen) < 3:
        seen = inside_image(points, width, height)
    if not seen.any():
        points, seen = reading.crop.corners(), np.ones(4, bool)
    low, high = points[seen].min(0), points[seen].max(0)
    body = _mask_around(reading, points[seen])
    if len(body):
        low, high = np.minimum(low, body.min(0)), np.maximum(high, body.max(0))
    else:
        pad = _BOX_PAD * float((high - low).max())
        low, high = low - pad, high + pad
    limits = np.array([width, height], np.float32)
    return np.concatenate([np.clip(low, 0, limits), np.clip(high, 0, limits)]).astype(np.float32)


def _mask_around(reading: Reading, points: Array) -> Array:
    """(M,2) image px: those connected parts of the person's mask in which some of ``points`` (N,2) lie."""
    step = 4
    _, parts = cv2.connectedComponents((reading.mask[::step, ::step] > 0.5).astype(np.uint8))
    side = len(parts)
    cells = np.floor(reading.crop.to_crop(points) * side).astype(int)
    cells = cells[((cells >= 0) & (cells < side)).all(-1)]
    own = np.unique(parts[cells[:, 1], cells[:, 0]])
    rows, columns = np.nonzero(np.isin(parts, own[own > 0]))
    return reading.crop.from_crop((np.stack([columns, rows], -1) + 0.5).astype(np.float32) / side)


def body_status(box: Array, landmarks_2d: Array, confidence: Array, width: int, height: int, tiny_height: float) -> str:
    """``tiny``, ``truncated`` or ``ok``.

    Truncated: three or more limb joints or both hips lie outside the image, or the box (4,) ends at its border and
    two or more limb joints are not seen.
    """
    if max(box[2] - box[0], box[3] - box[1]) < tiny_height:
        return "tiny"
    inside = inside_image(landmarks_2d, width, height)
    if np.count_nonzero(~inside[_LIMBS]) >= _TRUNCATED_JOINTS or not inside[[23, 24]].any():
        return "truncated"
    edge = _EDGE * max(box[2] - box[0], box[3] - box[1])
    at_border = (box[:2] <= edge).any() or box[2] >= width - edge or box[3] >= height - edge
    unseen = np.count_nonzero(confidence[_LIMBS] < 0.5)
    return "truncated" if at_border and unseen >= _UNSEEN_JOINTS else "ok"


def observe(reading: Reading, width: int, height: int, track_id: int = -1, tiny_height: float = 48.0) -> Observation:
    """The Observation of a reading. Landmarks outside the image keep their place with confidence 0: there the network
    only guesses."""
    points = reading.image_points[:N_LANDMARKS]
    box = person_box(reading, width, height)
    world = reading.camera_world
    inside = inside_image(points, width, height)
    confidence = np.where(inside, reading.confidence[:N_LANDMARKS], 0.0).astype(np.float32)
    return Observation(
        track_id=track_id,
        status=body_status(box, points, confidence, width, height, tiny_height),
        box=box,
        crop=reading.crop,
        landmarks_2d=points,
        confidence=confidence,
        landmarks_z=(reading.z[:N_LANDMARKS] * np.float32(Z_SCALE * reading.crop.size)).astype(np.float32),
        landmarks_world=world,
        heatmaps=reading.heatmaps,
        mask=reading.mask,
        quality=reading_quality(reading, width, height),
        source="blazepose",
    )


def nothing(track_id: int, status: str, box: Array, crop: Crop | None = None, source: str = "blazepose") -> Observation:
    """A person who could not be read in this frame: ``missed`` or ``dark``, no landmark has confidence."""
    box = np.asarray(box, np.float32)
    centre = (box[:2] + box[2:]) / 2
    return Observation(
        track_id=track_id,
        status=status,
        box=box,
        crop=crop or Crop(centre, float(max(*(box[2:] - box[:2]), 1.0))),
        landmarks_2d=np.tile(centre, (N_LANDMARKS, 1)).astype(np.float32),
        confidence=np.zeros(N_LANDMARKS, np.float32),
        landmarks_z=np.full(N_LANDMARKS, np.nan, np.float32),
        landmarks_world=np.full((N_LANDMARKS, 3), np.nan, np.float32),
        heatmaps=None,
        mask=None,
        quality=0.0,
        source=source,
    )
