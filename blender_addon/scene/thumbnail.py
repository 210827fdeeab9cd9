"""A small picture of a posed body, drawn in numpy: no window, no graphics card, a tenth of a second."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

SIZE = 256
SKIN = np.array([0.80, 0.56, 0.45])
SHADOW = np.array([0.20, 0.22, 0.30])
_FINE = 2  # drawn so much larger and then averaged
_SAMPLES = (4, 7, 12, 24, 60)  # points along a triangle's edge, by its length in fine pixels


def draw(vertices: Array, triangles: NDArray[np.integer], size: int = SIZE) -> Array:
    """RGBA (size,size,4) in 0..1, the bottom row first as Blender's images have it.

    vertices (V,3) metres, x right, y away from the viewer, z up: a clip seen by its camera. triangles (T,3).
    """
    fine = size * _FINE
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    scale = 0.92 * fine / max(high[0] - low[0], high[2] - low[2], 1e-6)
    middle = (low + high) / 2
    normals = _normals(vertices, triangles)
    light = np.clip(normals @ _unit([-0.45, -0.75, 0.6]), 0, 1)
    rim = 0.35 * np.clip(normals @ _unit([0.8, 0.1, 0.3]), 0, 1)
    shade = np.clip(0.25 + 0.8 * light + rim, 0, 1.1)
    facing = triangles[_face_normals(vertices, triangles)[:, 1] < 0]
    points, shades = _samples(vertices, facing, shade, scale)
    column = np.floor((points[:, 0] - middle[0]) * scale + fine / 2).astype(np.int64)
    row = np.floor((points[:, 2] - middle[2]) * scale + fine / 2).astype(np.int64)
    inside = (column >= 0) & (column < fine) & (row >= 0) & (row < fine)
    order = np.argsort(-points[inside, 1], kind="stable")  # the nearest is written last, and stays
    where = (row * fine + column)[inside][order]
    picture = np.zeros((fine * fine, 4))
    tone = shades[inside][order][:, None]
    picture[where, :3] = np.clip(SHADOW + (SKIN - SHADOW) * tone, 0, 1)
    picture[where, 3] = 1.0
    small = picture.reshape(size, _FINE, size, _FINE, 4).mean(axis=(1, 3))
    covered = np.maximum(small[..., 3:], 1e-6)
    small[..., :3] /= covered  # the mean of what is there, not of what is empty
    return small


def _samples(vertices: Array, triangles: NDArray[np.integer], shade: Array, scale: float) -> tuple[Array, Array]:
    """Points (N,3) on the triangles, dense enough to leave no hole, and how bright each is (N,)."""
    corners = vertices[triangles]
    edges = np.linalg.norm((corners - np.roll(corners, 1, axis=1))[..., [0, 2]], axis=2).max(axis=1) * scale
    kind = np.searchsorted(np.array(_SAMPLES[:-1]) * 0.9, edges)
    points, shades = [], []
    for index, count in enumerate(_SAMPLES):
        some = kind == index
        share = _barycentric(count)
        points.append(np.einsum("sk,tkc->tsc", share, corners[some]).reshape(-1, 3))
        shades.append(np.einsum("sk,tk->ts", share, shade[triangles[some]]).ravel())
    return np.concatenate(points), np.concatenate(shades)


def _barycentric(count: int) -> Array:
    steps = np.linspace(0.0, 1.0, count)
    return np.array([(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1 + 1e-9])


def _face_normals(vertices: Array, triangles: NDArray[np.integer]) -> Array:
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def _normals(vertices: Array, triangles: NDArray[np.integer]) -> Array:
    """Per vertex (V,3), by the areas of the triangles around it."""
    faces = _face_normals(vertices, triangles)
    normals = np.zeros((len(vertices), 3))
    for corner in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(triangles[:, corner], faces[:, axis], len(vertices))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _unit(vector: list[float]) -> Array:
    return np.array(vector) / np.linalg.norm(vector)
