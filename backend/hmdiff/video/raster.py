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
Corners = tuple[Array, ...]


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
    # Corners as three flat arrays each: reductions over an axis of three are what numpy does slowest.
    a, b, c = (faces[:, corner] for corner in range(3))
    good = (vertices[:, 2] > NEAR) & np.isfinite(points[:, 0]) & np.isfinite(points[:, 1])
    px, py = points[:, 0].copy(), points[:, 1].copy()
    x, y = (px[a], px[b], px[c]), (py[a], py[b], py[c])
    seen = good[a] & good[b] & good[c] & (_most(x) > 0) & (_least(x) < size[0]) & (_most(y) > 0) & (_least(y) < size[1])
    if cull:
        # With y down, a face that is counter-clockwise from outside turns clockwise on the screen, seen from there.
        seen &= (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]) < 0
    kept = np.flatnonzero(seen)
    if not len(kept):
        return np.full((0, 0), -1, np.int32), (0, 0)
    depth = vertices[:, 2].copy()
    kept = kept[np.argsort(np.negative(depth[a[kept]] + depth[b[kept]] + depth[c[kept]]), kind="stable")]
    x, y = tuple(part[kept] for part in x), tuple(part[kept] for part in y)
    left, top = max(0, int(np.floor(_least(x).min()))), max(0, int(np.floor(_least(y).min())))
    width = min(size[0], int(np.ceil(_most(x).max()))) - left
    height = min(size[1], int(np.ceil(_most(y).max()))) - top
    ids = np.full(height * width, -1, np.int32)
    x, y = tuple(part - np.float32(left) for part in x), tuple(part - np.float32(top) for part in y)
    _paint(ids, x, y, kept.astype(np.int32), width, height)
    return ids.reshape(height, width), (left, top)


def _paint(ids: NDArray[np.int32], x: Corners, y: Corners, names: NDArray[np.int32], width: int, height: int) -> None:
    """Write ``names`` into ids for the triangles x, y in the given order, later over earlier."""
    # A pixel belongs to a face when its centre, at +0.5, lies inside.
    first = np.clip(np.ceil(_least(y) - np.float32(0.5)), 0, height).astype(np.int64)
    count = np.clip(np.ceil(_most(y) - np.float32(0.5)), 0, height).astype(np.int64) - first
    edges = []
    for start, end in ((0, 1), (1, 2), (2, 0)):
        dy = y[end] - y[start]
        level = dy == 0
        slope = (x[end] - x[start]) / np.where(level, np.float32(1), dy)
        # A level edge is crossed by no row: its neighbours end where it does.
        low_y = np.where(level, np.float32(np.inf), np.minimum(y[start], y[end]))
        edges.append((x[start], y[start], slope, low_y, np.maximum(y[start], y[end])))
    for part in _parts(count, MAX_SPANS):
        face = np.repeat(np.arange(part.start, part.stop), count[part])
        row = _counting(count[part]) + first[face]
        centre = row.astype(np.float32) + np.float32(0.5)
        low = np.full(len(face), np.inf, np.float32)
        high = np.full(len(face), -np.inf, np.float32)
        for start_x, start_y, slope, low_y, high_y in edges:
            # From the edge's own start, so that the huge slope of a nearly level edge is met by a tiny height.
            at = start_x[face] + (centre - start_y[face]) * slope[face]
            crossed = (low_y[face] <= centre) & (centre <= high_y[face])
            np.minimum(low, at, out=low, where=crossed)
            np.maximum(high, at, out=high, where=crossed)
        kept = np.flatnonzero(high >= low)
        face, row, low, high = face[kept], row[kept], low[kept], high[kept]
        begin = np.clip(np.ceil(low - np.float32(0.5)), 0, width).astype(np.int64)
        length = np.clip(np.ceil(high - np.float32(0.5)), 0, width).astype(np.int64) - begin
        for spans in _parts(length, MAX_SPANS):
            at = np.repeat((row * width + begin)[spans], length[spans]) + _counting(length[spans])
            ids[at] = np.repeat(names[face[spans]], length[spans])


def _least(corners: Corners) -> Array:
    return np.minimum(np.minimum(corners[0], corners[1]), corners[2])


def _most(corners: Corners) -> Array:
    return np.maximum(np.maximum(corners[0], corners[1]), corners[2])


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
