"""Observations to network inputs: the detector's crop resampled into the canonical one."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..detect.observation import Observation
from .inputs import CHANNELS, GRID, HEATMAP_SLOTS, ModelInputs, canonical_crop, landmark_features

Array = NDArray[np.float32]


def inputs_from_observations(
    observations: Sequence[Observation], focal: Sequence[float], principal: tuple[float, float]
) -> ModelInputs:
    """N observations of any frames, each with its focal length in pixels; principal point (x, y) px -> inputs.

    Landmarks without confidence, missing heatmaps, masks or world landmarks are flagged, not invented.
    """
    count = len(observations)
    points = torch.from_numpy(np.stack([np.nan_to_num(o.landmarks_2d) for o in observations]).astype(np.float32))
    confidence = torch.from_numpy(np.stack([o.confidence for o in observations]).astype(np.float32))
    boxes = torch.from_numpy(np.stack([o.box for o in observations]).astype(np.float32))
    world = torch.from_numpy(np.stack([o.landmarks_world for o in observations]).astype(np.float32))
    has_world = torch.isfinite(world).all(-1).all(-1)
    centre, side = canonical_crop(points, confidence, boxes)
    peak = confidence.clone()
    grid = np.zeros((count, CHANNELS, GRID, GRID), np.float32)
    flags = torch.zeros(count, 3)
    for row, seen in enumerate(observations):
        place = _canonical_affine(centre[row].numpy(), float(side[row]))
        if seen.heatmaps is not None:
            peak[row] = torch.from_numpy(seen.heatmaps[:33].reshape(33, -1).max(1))
            for channel, slot in enumerate(HEATMAP_SLOTS):
                grid[row, channel] = _resample(seen.heatmaps[slot], seen, place, 0.0)
        if seen.mask is not None:
            grid[row, -1] = _resample(seen.mask, seen, place, 0.5)
        flags[row] = torch.tensor([float(has_world[row]), seen.heatmaps is not None, seen.mask is not None])
    features = landmark_features(points, confidence, peak, world, has_world, centre, side)
    lengths = torch.tensor(list(focal), dtype=torch.float32)[:, None]
    middle = torch.tensor(principal, dtype=torch.float32)
    crop = torch.cat([centre - middle, side[:, None]], 1) / lengths
    return ModelInputs(features, flags, crop, torch.from_numpy(grid))


def _canonical_affine(centre: Array, side: float) -> NDArray[np.float64]:
    """(3,3) image px -> cells of the 56 x 56 grid."""
    scale = GRID / side
    return np.array([[scale, 0, GRID / 2 - scale * centre[0]], [0, scale, GRID / 2 - scale * centre[1]], [0, 0, 1]])


def _resample(raster: Array, seen: Observation, place: NDArray[np.float64], offset: float) -> Array:
    """A raster over the detector's crop -> (56,56) over the canonical crop; zero outside what the detector saw.

    offset: where in its cell a value stands: 0.5 is the middle (mask), 0 the corner (heatmaps, see Observation).
    """
    height = raster.shape[0]
    to_raster = np.vstack([seen.crop.affine(height), [0, 0, 1]])
    matrix = place @ np.linalg.inv(to_raster)
    # Rasters have their origin at a corner, cv2 at the first value.
    matrix = (_shift(-0.5) @ matrix @ _shift(offset))[:2]
    shrink = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    source = raster
    if shrink < 0.6:
        blur = float(0.5 / max(shrink, 0.05))
        source = cv2.GaussianBlur(raster, (0, 0), blur)
    return cv2.warpAffine(source, matrix, (GRID, GRID), flags=cv2.INTER_LINEAR).astype(np.float32, copy=False)


def _shift(by: float) -> NDArray[np.float64]:
    return np.array([[1, 0, by], [0, 1, by], [0, 0, 1.0]])
