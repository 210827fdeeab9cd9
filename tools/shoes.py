"""A pair of shoes lofted around the free body's feet, so that a render does not show toes."""

from __future__ import annotations

import numpy as np
from hmdiff_wire.body import JOINT_NAMES, BodyData
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import ConvexHull, KDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SECTIONS, _SPOKES = 40, 32
_LEATHER, _SOLE, _TOP = 0.007, 0.012, 0.072
"""Metres: wall thickness, sole thickness, height of the upper over the bare sole."""


def make_shoes(body: BodyData, rest: Floats) -> tuple[Floats, list[list[int]], Floats, NDArray[np.bool_]]:
    """Shoes for a bare rest shape rest (V,3): points (S,3), faces, skin weights (S,24), which faces are the sole."""
    points, weights, faces, sole = [], [], [], []
    for side in ("left", "right"):
        joints = [JOINT_NAMES.index(f"{side}_{name}") for name in ("ankle", "foot")]
        foot = np.flatnonzero((body.weights[:, joints].sum(1) > 0.5) & (rest[:, 1] < rest[:, 1].min() + _TOP))
        shell, shell_faces, flat = _loft(rest[foot])
        distance, near = KDTree(rest[foot]).query(shell, k=6)
        share = 1 / (distance + 1e-3)
        weights.append(np.einsum("sk,skj->sj", share / share.sum(1, keepdims=True), body.weights[foot][near]))
        first = sum(len(p) for p in points)
        points.append(shell)
        faces += [[first + corner for corner in face] for face in shell_faces]
        sole.append(flat)
    return np.concatenate(points), faces, np.concatenate(weights), np.concatenate(sole)


def _loft(foot: Floats) -> tuple[Floats, list[list[int]], NDArray[np.bool_]]:
    """foot (N,3) -> a closed shell from heel to toe: rings of convex outlines across the foot's length."""
    low, back, front = foot[:, 1].min(), foot[:, 2].min(), foot[:, 2].max()
    along = np.linspace(back + 0.006, front - 0.012, _SECTIONS)
    angle = np.linspace(0, 2 * np.pi, _SPOKES, endpoint=False)
    ray = np.stack([np.cos(angle), np.sin(angle)], 1)
    centre, reach = np.zeros((_SECTIONS, 2)), np.zeros((_SECTIONS, _SPOKES))
    hulls = []
    for index, place in enumerate(along):
        slab = foot[np.abs(foot[:, 2] - place) < 0.016, :2]
        hulls.append(ConvexHull(slab))
        centre[index] = (slab.min(0) + slab.max(0)) / 2
    centre = gaussian_filter1d(centre, 1.5, axis=0, mode="nearest")
    for index, hull in enumerate(hulls):
        speed = hull.equations[:, :2] @ ray.T
        gap = -(hull.equations[:, :2] @ centre[index] + hull.equations[:, 2])[:, None]
        reach[index] = np.where(speed > 1e-6, gap / np.maximum(speed, 1e-6), np.inf).min(0)
    reach = gaussian_filter1d(np.maximum(reach, 0.004), 1.3, axis=0, mode="nearest") + _LEATHER
    reach = gaussian_filter1d(reach, 1.0, axis=1, mode="wrap")
    # heel and toe are rounded: the last rings draw in like a quarter circle
    end = np.minimum(np.arange(_SECTIONS), np.arange(_SECTIONS)[::-1]).clip(0, 5) / 5
    reach *= np.sqrt(1 - 0.75 * (1 - end) ** 2)[:, None]
    ring = centre[:, None] + reach[..., None] * ray
    stretched = np.interp(np.arange(_SECTIONS), [0, _SECTIONS - 1], [back - _LEATHER, front + _LEATHER])
    shell = np.dstack([ring, np.broadcast_to(stretched[:, None], reach.shape)])
    shell[..., 1] = np.maximum(np.where(shell[..., 1] < low + 0.012, low - _SOLE, shell[..., 1]), low - _SOLE)
    points = np.concatenate([shell.reshape(-1, 3), shell[0].mean(0)[None], shell[-1].mean(0)[None]])
    faces = []
    for i in range(_SECTIONS - 1):
        for j in range(_SPOKES):
            k = (j + 1) % _SPOKES
            faces.append([i * _SPOKES + j, i * _SPOKES + k, (i + 1) * _SPOKES + k, (i + 1) * _SPOKES + j])
    last = (_SECTIONS - 1) * _SPOKES
    for j in range(_SPOKES):
        k = (j + 1) % _SPOKES
        faces += [[k, j, len(points) - 2], [last + j, last + k, len(points) - 1]]
    flat = np.array([points[face, 1].mean() < low + 0.001 for face in faces])
    return points, faces, flat
