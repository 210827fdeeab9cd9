"""Heatmaps and masks of one reading in numbers, on the grid that the networks see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.inputs import GRID, HEATMAP_SLOTS
from ..noise import SWAP

Floats = NDArray[np.float32]

_LEVEL = 0.2
_LEVEL_SHARE = 1 - _LEVEL + _LEVEL * np.log(_LEVEL)
"""How much of a Gaussian's mass lies above _LEVEL of its height."""
_REACH = 12.0
_APART = 4.0
_PARTNER = np.array([HEATMAP_SLOTS.index(SWAP[slot]) for slot in HEATMAP_SLOTS])
_CELLS = np.arange(GRID, dtype=np.float32) + 0.5


@dataclass(frozen=True)
class HeatShape:
    """K heatmaps. peak_at (K,2) cells; width (K,) cells: a Gaussian of this standard deviation has the same height and
    mass; aspect (K,): log of its extent across over its extent down; ghost (K,): height at the place of the other
    side's landmark over the own height, NaN where the two are near each other.
    """

    peak_at: Floats
    width: Floats
    aspect: Floats
    ghost: Floats


def heat_shapes(maps: Floats, points: Floats) -> HeatShape:
    """maps (15,56,56) of HEATMAP_SLOTS; points (15,2): the landmarks that were read, in cells."""
    count = len(maps)
    flat = maps.reshape(count, -1)
    top = flat.argmax(1)
    height = np.maximum(flat[np.arange(count), top], 1e-4)
    peak = np.stack([top % GRID, top // GRID], 1) + np.float32(0.5)
    across = _CELLS[None, None, :] - peak[:, 0, None, None]
    down = _CELLS[None, :, None] - peak[:, 1, None, None]
    distance = np.hypot(across, down)
    weight = np.maximum(maps - _LEVEL * height[:, None, None], 0) * (distance < _REACH)
    other = points[_PARTNER]
    to_other = np.hypot(
        _CELLS[None, None, :] - other[:, 0, None, None], _CELLS[None, :, None] - other[:, 1, None, None]
    )
    apart = (np.hypot(*(peak - other).T) > _APART) & (_PARTNER != np.arange(count))
    weight *= ~apart[:, None, None] | (distance <= to_other)
    mass = np.maximum(weight.sum((1, 2)), 1e-6)
    width = np.sqrt(mass / (2 * np.pi * _LEVEL_SHARE * height))
    # a lone cell has no extent: a third of a cell is what bilinear resampling leaves at least
    middle = np.stack([(weight * across).sum((1, 2)), (weight * down).sum((1, 2))], 1) / mass[:, None]
    spread_x = (weight * across**2).sum((1, 2)) / mass - middle[:, 0] ** 2 + 0.1
    spread_y = (weight * down**2).sum((1, 2)) / mass - middle[:, 1] ** 2 + 0.1
    near = (to_other < 1.6) * maps
    ghost = np.where(apart, near.max((1, 2)) / height, np.nan)
    return HeatShape(
        (peak + middle).astype(np.float32),
        width.astype(np.float32),
        (0.5 * np.log(spread_x / spread_y)).astype(np.float32),
        ghost.astype(np.float32),
    )


@dataclass(frozen=True)
class MaskShape:
    """What a mask says against a true one, as shares of the true area: ``missing`` of it, ``extra`` beyond it,
    ``foreign`` beyond it by more than two cells, ``hole`` missing by more than two cells; ``iou``; ``soft``: the share
    of cells between 0.1 and 0.9 among those and the true area. Per cell of the true edge, so that the person's size
    matters little: ``eaten`` and ``added`` (missing and extra cells) and ``faded`` (cells between 0.1 and 0.9)."""

    iou: float
    missing: float
    extra: float
    foreign: float
    hole: float
    soft: float
    eaten: float
    added: float
    faded: float


def mask_shape(mask: Floats, truth: NDArray[np.bool_]) -> MaskShape | None:
    """mask (56,56) in [0,1], truth (56,56); None where the truth is empty."""
    import cv2

    area = int(truth.sum())
    if area < 4:
        return None
    seen = mask > 0.5
    whole = truth.astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    grown = cv2.dilate(whole, kernel, iterations=2) > 0
    shrunk = cv2.erode(whole, kernel, iterations=2) > 0
    edge = max(int(whole.sum() - cv2.erode(whole, kernel).sum()), 1)
    between = (mask > 0.1) & (mask < 0.9)
    return MaskShape(
        iou=float((seen & truth).sum() / max((seen | truth).sum(), 1)), missing=float((truth & ~seen).sum() / area),
        extra=float((seen & ~truth).sum() / area), foreign=float((seen & ~grown).sum() / area),
        hole=float((shrunk & ~seen).sum() / area), soft=float(between.sum() / max((between | truth).sum(), 1)),
        eaten=float((truth & ~seen).sum() / edge), added=float((seen & ~truth).sum() / edge),
        faded=float(between.sum() / edge),
    )  # fmt: skip
