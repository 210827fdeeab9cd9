"""Are the joints that nobody sees at least where the person is? PercIn and MinDist of HuMR (method_notes 3).

A hypothesis for a joint behind something is not wrong for being far from the truth, but it is for lying beside the
person. The mask is the union of all people: behind another person is a possible place. What a thing hides is in no
mask, so that the truth itself does not reach 100 %: print its figures beside those of the hypotheses. Joints outside
the picture are not to be asked about, since no mask goes on there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import distance_transform_edt

from .alignment import Array
from .image import CROP_PX

INSIDE_PX = 0.71
"""Nearer to the mask than half a pixel's diagonal is inside, as in HuMR's code."""


def mask_distance(points: ArrayLike, mask: ArrayLike) -> Array:
    """How far points are from a mask: points (..., 2) px of the 256 x 256 crop, mask (S, S) bool over that crop, of any
    resolution -> (...) px in 256; 0 inside and nearer than ``INSIDE_PX``; nan for an empty mask.

    To the square of the nearest cell (scipy's exact transform finds which that is), also for points beyond the crop,
    for which it is the cell nearest to where they enter it.
    """
    places, cells = np.asarray(points, np.float64), np.asarray(mask, bool)
    if not cells.any():
        return np.full(places.shape[:-1], np.nan)
    side = CROP_PX / len(cells)
    # distance_transform_edt also says which cell of the mask is nearest to each cell
    nearest: Any = distance_transform_edt(~cells, return_distances=False, return_indices=True)
    finite = np.where(np.isfinite(places), places, 0.0)
    column, row = (np.floor(finite[..., axis] / side).clip(0, len(cells) - 1).astype(int) for axis in range(2))
    middle = (np.stack([nearest[1][row, column], nearest[0][row, column]], -1) + 0.5) * side
    beyond = np.maximum(np.abs(places - middle) - side / 2, 0.0)
    distance = np.linalg.norm(beyond, axis=-1)
    return np.where(distance < INSIDE_PX, 0.0, distance)


def perc_in_and_min_dist(points: ArrayLike, hidden: ArrayLike, mask: ArrayLike) -> tuple[float, float]:
    """One person: points (N, J, 2) px of the 256 x 256 crop (see ``image.to_crop``) of N hypotheses, hidden (J,) the
    joints to ask about, mask (S, S) everybody in the crop -> share of their points in the mask in percent, mean
    distance to it in px of 256 (0 inside). nan where no joint is hidden or the mask is empty.
    """
    chosen = np.asarray(points, np.float64)[:, np.asarray(hidden, bool)]
    if not chosen.size:
        return float("nan"), float("nan")
    distance = mask_distance(chosen, mask)
    if np.isnan(distance).all():
        return float("nan"), float("nan")
    return 100.0 * float((distance == 0).mean()), float(distance.mean())
