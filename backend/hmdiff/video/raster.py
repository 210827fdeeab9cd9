"""A painter's-algorithm triangle rasteriser in plain numpy: which face is seen at which pixel.

Every triangle is cut into pixel rows, every row into pixels, all triangles at once; faces are written far to near, so
that the nearest face stays. That is right for faces much smaller than their distances, and needs no loop over faces.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAR = 0.05
MAX_SPANS = 1 << 21
Array = NDArray[np.float32]


def project(points: NDArray[Any], focal: float, center: tuple[float, float]) -> Array:
    """Camera-space points (..., 3) metres -> pixels (..., 2); what is behind the camera gives far-away numbers."""
    points = np.asarray(points, np.float32)
    depth = np.maximum(points[..., 2:], np.float32(NEAR))
    return (points[..., :2] / depth * np.float32(focal) + np.asarray(center, np.float32)).astype(np.float32)


def face_buffer(
    vertices: NDArray[Any],
    faces: NDArray[Any],
    focal: float,
    center: tuple[float, float],
    size: tuple[int, int],
    cull: bool = True,
) -> tuple[NDArray[np.int32], tuple[int, int]]:
    """The nearest face per pixel, -1 where none, for the image part the mesh covers.

    vertices (V,3) camera space, faces (T,3) counter-clockwise from outside, size (width, height) pixels
    -> ids (h,w) and the part's top left pixel (x, y). Faces nearer than 5 cm, not finite or (``cull``) seen from
    behind are left out.
    """
    vertices = np.asarray(vertices, np.float32)
    faces = np.asarray(faces)
    points = project(vertices, focal, center)
    seen = ((vertices[:, 2] > NEAR) & np.isfinite(points).all(axis=-1))[faces].all(axis=1)
    x, y = points[:, 0][faces], points[:, 1][faces]
    seen &= (x.max(1) > 0) & (x.min(1) < size[0]) & (y.max(1) > 0) & (y.min(1) < size[1])
    if cull:
        # With y down, a face that is counter-clockwise from outside turns clockwise on the screen, seen from there.
        seen &= (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0]) < 0
    kept = np.flatnonzero(seen)
    if not len(kept):
        return np.full((0, 0), -1, np.int32), (0, 0)
    kept = kept[np.argsort(-vertices[:, 2][faces[kept]].sum(1), kind="stable")]
    x, y = x[kept], y[kept]
    left, top = max(0, int(np.floor(x.min()))), max(0, int(np.floor(y.min())))
    width = min(size[0], int(np.ceil(x.max()))) - left
    height = min(size[1], int(np.ceil(y.max()))) - top
    ids = np.full(height * width, -1, np.int32)
    _paint(ids, x - np.float32(left), y - np.float32(top), kept.astype(np.int32), width, height)
    return ids.reshape(height, width), (left, top)


def _paint(ids: NDArray[np.int32], x: Array, y: Array, names: NDArray[np.int32], width: int, height: int) -> None:
    """Write ``names`` into ids for triangles x, y (T,3) in the given order, later over earlier."""
    # A pixel belongs to a face when its centre, at +0.5, lies inside.
    first = np.clip(np.ceil(y.min(1) - 0.5), 0, height).astype(np.int64)
    count = np.clip(np.ceil(y.max(1) - 0.5), 0, height).astype(np.int64) - first
    for part in _parts(count, MAX_SPANS):
        face = np.repeat(np.arange(part.start, part.stop), count[part])
        row = _counting(count[part]) + first[face]
        centre = row.astype(np.float32) + np.float32(0.5)
        low = np.full(len(face), np.inf, np.float32)
        high = np.full(len(face), -np.inf, np.float32)
        for start, end in ((0, 1), (1, 2), (2, 0)):
            x0, y0, dy = x[:, start], y[:, start], y[:, end] - y[:, start]
            with np.errstate(divide="ignore", invalid="ignore"):
                slope = np.where(dy != 0, (x[:, end] - x0) / dy, 0).astype(np.float32)
            share = centre - y0[face]
            inside = (share * (centre - y[:, end][face]) <= 0) & (dy != 0)[face]
            at = x0[face] + share * slope[face]
            low = np.where(inside & (at < low), at, low)
            high = np.where(inside & (at > high), at, high)
        crossed = high >= low
        face, row, low, high = face[crossed], row[crossed], low[crossed], high[crossed]
        begin = np.clip(np.ceil(low - 0.5), 0, width).astype(np.int64)
        length = np.clip(np.ceil(high - 0.5), 0, width).astype(np.int64) - begin
        for spans in _parts(length, MAX_SPANS):
            at = np.repeat((row * width + begin)[spans], length[spans]) + _counting(length[spans])
            ids[at] = np.repeat(names[face[spans]], length[spans])


def _counting(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """[2, 3] -> [0, 1, 0, 1, 2]."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)


def _parts(counts: NDArray[np.int64], limit: int) -> list[slice]:
    """Consecutive slices whose counts add up to about ``limit`` at most, so that huge faces cannot exhaust memory."""
    if not len(counts):
        return []
    group = np.cumsum(counts) // limit
    edges = np.flatnonzero(np.diff(group)) + 1
    bounds = [0, *edges.tolist(), len(counts)]
    return [slice(start, end) for start, end in zip(bounds[:-1], bounds[1:], strict=True)]
