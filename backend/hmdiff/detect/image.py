"""Cutting (turned) squares out of an image without aliasing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .observation import Crop

ImageU8 = NDArray[np.uint8]

DARK_LEVEL = 12.0
"""A frame whose 99.5th percentile of brightness is below this (of 255) shows nothing."""


def cut(image: ImageU8, crop: Crop, side: int) -> ImageU8:
    """The crop as a (side,side,3) raster; what lies outside the image is black.

    Large crops are first reduced by area averaging: a plain bilinear warp would skip pixels.
    """
    matrix = crop.affine(side)
    corners = crop.corners()
    height, width = image.shape[:2]
    x0, y0 = np.clip(np.floor(corners.min(0)).astype(int) - 2, 0, [width, height])
    x1, y1 = np.clip(np.ceil(corners.max(0)).astype(int) + 2, 0, [width, height])
    if x1 - x0 < 1 or y1 - y0 < 1:
        return np.zeros((side, side, 3), np.uint8)
    patch = image[y0:y1, x0:x1]
    scale = np.ones(2)
    factor = int(crop.size / side)
    if factor >= 2:
        target = (max(1, (x1 - x0) // factor), max(1, (y1 - y0) // factor))
        patch = cv2.resize(patch, target, interpolation=cv2.INTER_AREA)
        scale = np.array([x1 - x0, y1 - y0]) / target
    linear = matrix[:, :2] * scale
    offset = matrix[:, :2] @ np.array([x0, y0]) + matrix[:, 2]
    # cv2 counts from pixel centres, this project from pixel corners
    shifted = np.column_stack([linear, offset + linear @ np.array([0.5, 0.5]) - 0.5])
    return cv2.warpAffine(patch, shifted, (side, side), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def is_dark(image: ImageU8) -> bool:
    """Whether a frame is black for any purpose (fade, lens cap, failed decode)."""
    sample = image[:: max(1, image.shape[0] // 128), :: max(1, image.shape[1] // 128)]
    return bool(np.percentile(sample.max(axis=-1), 99.5) < DARK_LEVEL)
