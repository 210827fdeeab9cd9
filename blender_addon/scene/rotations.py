"""Rotation matrices to Blender's quaternions, w first; numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def quaternions(matrices: Array) -> Array:
    """Rotation matrices (...,3,3) -> unit quaternions (...,4), w first, exact at half turns.

    Largest eigenvector of Bar-Itzhack's matrix without the eigenvalue search: the row of 4 q q^T with the largest
    diagonal, normalised (Shepperd 1978).
    """
    m = np.asarray(matrices, np.float64)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    x, y, z = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    outer = np.stack(
        [
            np.stack([1 + m00 + m11 + m22, x, y, z], -1),
            np.stack([x, 1 + m00 - m11 - m22, xy, xz], -1),
            np.stack([y, xy, 1 - m00 + m11 - m22, yz], -1),
            np.stack([z, xz, yz, 1 - m00 - m11 + m22], -1),
        ],
        -2,
    )
    best = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    rows = np.take_along_axis(outer, best[..., None, None], axis=-2)[..., 0, :]
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def continuous(values: Array) -> Array:
    """Flip signs along the first axis so that each quaternion (F,...,4) is the nearer of its two to the one before.

    Keyed components are interpolated one by one; without this a bone would spin between q and -q.
    """
    values = np.array(values, np.float64)
    nearer = np.sum(values[1:] * values[:-1], axis=-1) >= 0
    signs = np.cumprod(np.where(nearer, 1.0, -1.0), axis=0)
    values[1:] *= signs[..., None]
    return values
