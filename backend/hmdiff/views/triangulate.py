"""Points in space from where several cameras see them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
WRONG = 0.03
"""A ray that misses its point by more than this, on the plane z = 1, is dropped once."""


def triangulate(rays: Array, confidence: Array, turns: Array, shifts: Array) -> tuple[Array, Array]:
    """rays (n,C,K,2) on the plane z = 1 of C cameras, confidence (n,C,K), turns (n,C,3,3) and shifts (n,C,3) from the
    frame to each camera -> points (n,K,3) metres and how sure they are (n,K): 0 where fewer than two cameras saw them.

    Linear least squares weighted by confidence; the worst of three or more cameras is left out where it misses.
    """
    weight = np.nan_to_num(confidence).clip(0.0).astype(np.float64)
    rays = np.nan_to_num(rays)
    points, miss = _solve(rays, weight, turns, shifts)
    worst = np.where(weight > 0, miss, -1.0).argmax(1)[:, None]
    many = (weight > 0).sum(1, keepdims=True) > 2
    bad = many & (np.take_along_axis(miss, worst, 1) > WRONG)
    dropped = weight.copy()
    np.put_along_axis(dropped, worst, np.where(bad, 0.0, np.take_along_axis(weight, worst, 1)), 1)
    if bad.any():
        weight = dropped
        points, miss = _solve(rays, weight, turns, shifts)
    enough = (weight > 0).sum(1) >= 2
    return points, np.where(enough, weight.mean(1), 0.0)


def _solve(rays: Array, weight: Array, turns: Array, shifts: Array) -> tuple[Array, Array]:
    """-> points (n,K,3), each camera's miss (n,C,K) on its plane z = 1."""
    rows = turns[:, :, None, :2] - rays[..., None] * turns[:, :, None, 2:]  # (n,C,K,2,3)
    right = rays * shifts[:, :, None, 2:] - shifts[:, :, None, :2]
    weighted = rows * weight[..., None, None]
    matrix = np.einsum("nckai,nckaj->nkij", weighted, rows) + 1e-9 * np.eye(3)
    vector = np.einsum("nckai,ncka->nki", weighted, right)
    points = np.linalg.solve(matrix, vector[..., None])[..., 0]
    placed = np.einsum("ncij,nkj->ncki", turns, points) + shifts[:, :, None]
    depth = placed[..., 2:]
    seen = placed[..., :2] / np.where(np.abs(depth) > 1e-6, depth, 1e-6)
    return points, np.linalg.norm(seen - rays, axis=-1)
