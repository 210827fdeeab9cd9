"""What RTMPose and ViTPose say about a person, as one of the layouts for outside keypoints and with our confidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .assemble import inside_image
from .external import keypoints_observation
from .observation import (
    BODY25_NAMES,
    BODY25_TO_BLAZEPOSE,
    COCO17_NAMES,
    COCO17_TO_BLAZEPOSE,
    LIMB_SLOTS,
    Array,
    Observation,
)

_OURS = {"left_big_toe": "left_foot_index", "right_big_toe": "right_foot_index", "hip": "mid_hip"}
_HALPE26 = (
    *COCO17_NAMES, "head", "neck", "hip", "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe",
    "left_heel", "right_heel",
)  # fmt: skip
_COCO25 = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "neck", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "hip", "left_knee", "right_knee",
    "left_ankle", "right_ankle", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe",
    "right_heel",
)  # fmt: skip
_WHOLE_BODY = (
    *COCO17_NAMES, "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
KEYPOINT_NAMES = {17: COCO17_NAMES, 25: _COCO25, 26: _HALPE26, 133: _WHOLE_BODY}
"""By the number of keypoints of a model: COCO, ViTPose's COCO with feet, Halpe with feet, COCO-WholeBody (of which face
and hands are left out)."""

SCORE_UNKNOWN, SCORE_SURE = 0.2, 0.8
SURE = 0.3
"""Landmarks of less confidence (``models.inputs`` draws the same line) do not shape the box."""
_JUDGED = np.array([0, *LIMB_SLOTS])
_BEST = 8


def confidence_of(score: Array) -> Array:
    """A network's keypoint score -> confidence in [0,1], 0 up to ``SCORE_UNKNOWN``, 1 from ``SCORE_SURE``.

    SimCC scores are heights of unnormalised peaks: published examples of plainly visible joints lie at 0.83 to 1.11,
    and rtmlib draws joints from 0.43, which becomes 0.38 here. Heatmap peaks of ViTPose have a like range.
    """
    scaled = (np.nan_to_num(np.asarray(score, np.float32)) - SCORE_UNKNOWN) / (SCORE_SURE - SCORE_UNKNOWN)
    return scaled.clip(0.0, 1.0).astype(np.float32)


def outside_layout(points: Array) -> tuple[str, Array]:
    """points (K,3) in a layout of KEYPOINT_NAMES -> (``coco17``, (17,3)), or (``body25``, (25,3)) where it has feet."""
    names = KEYPOINT_NAMES[len(points)]
    if names is COCO17_NAMES:
        return "coco17", points
    body = np.zeros((len(BODY25_NAMES), 3), np.float32)
    for name, point in zip(names, points, strict=False):
        name = _OURS.get(name, name)
        if name in BODY25_NAMES:
            body[BODY25_NAMES.index(name)] = point
    return "body25", body


def person_observation(
    points: Array, score: Array, width: int, height: int, tiny_height: float = 48.0
) -> Observation | None:
    """points (K,2) px, score (K,) as the network gave them; None where fewer than three keypoints are sure.

    quality: the mean confidence of the eight best seen of nose, shoulders, elbows, wrists, hips, knees and ankles, so
    that half a body still counts as a person and a face alone does not.
    """
    finite = np.isfinite(points).all(-1)
    rows = np.column_stack([np.where(finite[:, None], points, 0.0), np.where(finite, confidence_of(score), 0.0)])
    layout, rows = outside_layout(rows.astype(np.float32))
    sure = rows.copy()
    sure[sure[:, 2] < SURE, 2] = 0.0
    one = keypoints_observation(sure, layout, width, height, tiny_height=tiny_height)
    if one is None:
        return None
    slots = np.array(COCO17_TO_BLAZEPOSE if layout == "coco17" else BODY25_TO_BLAZEPOSE)
    weak = (slots >= 0) & (rows[:, 2] > 0) & (rows[:, 2] < SURE) & inside_image(rows[:, :2], width, height)
    landmarks, confidence = one.landmarks_2d.copy(), one.confidence.copy()
    landmarks[slots[weak]], confidence[slots[weak]] = rows[weak, :2], rows[weak, 2]
    quality = float(np.sort(confidence[_JUDGED])[-_BEST:].mean())
    return replace(one, landmarks_2d=landmarks, confidence=confidence, quality=quality)
