"""Errors in the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .alignment import Array

CROP_PX = 256.0


def keypoint_error_2d(points: ArrayLike, truth: ArrayLike, visible: ArrayLike, crop_side: ArrayLike) -> Array:
    """2DKP: mean distance of the visible keypoints in pixels of a 256 x 256 crop of the person (method_notes 3).

    points, truth (..., J, 2) pixels of the image, visible (..., J) bool, crop_side (...): side of the person's
    square crop in the image's pixels; a wider crop gives smaller figures, so say which. -> (...) px in 256; nan where
    nothing is visible.
    """
    distance = np.linalg.norm(np.asarray(points, np.float64) - np.asarray(truth, np.float64), axis=-1)
    mask = np.broadcast_to(np.asarray(visible, bool), distance.shape)
    count = mask.sum(-1)
    total = np.where(mask, distance, 0.0).sum(-1)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean * (CROP_PX / np.asarray(crop_side, np.float64))


def sample_keypoint_error_2d(points: ArrayLike, truth: ArrayLike, visible: ArrayLike, crop_side: ArrayLike) -> Array:
    """2DKP of samples: the mean over N hypotheses of each one's own error (HuMR; theirs leaves the mode out).

    points (..., N, J, 2), the rest as ``keypoint_error_2d`` without N -> (...) px in 256; nan where nothing is visible.
    """
    goal, seen = np.asarray(truth)[..., None, :, :], np.asarray(visible)[..., None, :]
    return keypoint_error_2d(points, goal, seen, np.asarray(crop_side)[..., None]).mean(-1)


def to_crop(points: ArrayLike, crop: ArrayLike) -> Array:
    """points (..., J, 2) of the image, crop (..., 3) centre and side in the same unit -> px of the 256 x 256 crop."""
    square = np.asarray(crop, np.float64)
    offset = np.asarray(points, np.float64) - square[..., None, :2]
    return offset * (CROP_PX / square[..., None, 2:]) + CROP_PX / 2
