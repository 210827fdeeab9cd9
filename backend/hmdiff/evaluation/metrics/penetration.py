"""How much of a body's surface lies inside another part of the same body.

The surface is cut into 14 parts at the joints (torso, head, and twice upper arm, forearm, hand, thigh, shin, foot),
every part is closed with a fan over each of its openings, and a vertex counts as penetrating where its winding number
(Jacobson et al. 2013) about some part that is not its neighbour is above one half. Neighbours are parts that meet at a
joint, and the two thighs, whose skin overlaps in any body posed by linear blend skinning. True poses penetrate a little
too (hands on hips, crossed arms of broad people): compare with the truth's own figure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .alignment import Array

Whole = NDArray[np.int64]

SMPL_PARTS = (
    (0, 3, 6, 9, 13, 14), (12, 15), (16,), (17,), (18,), (19,), (20, 22), (21, 23), (1,), (2,), (4,), (5,), (7, 10),
    (8, 11),
)  # fmt: skip
"""SMPL's 24 joints by part."""
SMPL_NEIGHBOURS = (
    (0, 1), (0, 2), (0, 3), (2, 4), (3, 5), (4, 6), (5, 7), (0, 8), (0, 9), (8, 9), (8, 10), (9, 11), (10, 12),
    (11, 13),
)  # fmt: skip
"""Pairs of ``SMPL_PARTS``."""


@dataclass(frozen=True, eq=False)
class SurfaceParts:
    """P closed parts of a surface of V vertices. label (V,): the part of each vertex; area (V,): its share of the
    surface, adding up to 1; triangles: per part (T_p, 3), indices of vertices, from V on of the fans' middles;
    rims: the vertices around each fan, whose mean is its middle; foreign (P, P): which pairs are judged.
    """

    label: Whole
    area: Array
    triangles: tuple[Whole, ...]
    rims: tuple[Whole, ...]
    foreign: NDArray[np.bool_]


def cut_into_parts(template: ArrayLike, faces: ArrayLike, label: ArrayLike, neighbours: ArrayLike = ()) -> SurfaceParts:
    """template (V, 3) at rest, for the areas; faces (T, 3), turning the same way; label (V,) part of each vertex,
    from 0 on; neighbours (K, 2): pairs of parts that are not judged.
    """
    corners, labels, points = np.asarray(faces, np.int64), np.asarray(label, np.int64), np.asarray(template, np.float64)
    count = int(labels.max()) + 1
    of_corner = labels[corners]
    # a face belongs to the part of most of its corners
    owner = np.where(of_corner[:, 1] == of_corner[:, 2], of_corner[:, 1], of_corner[:, 0])
    triangles: list[Whole] = []
    rims: list[Whole] = []
    for part in range(count):
        own = corners[owner == part]
        fans, edges = _fans(own, len(points) + len(rims), len(points))
        triangles.append(np.concatenate([own, edges]))
        rims += fans
    foreign = ~np.eye(count, dtype=bool)
    for one, other in np.asarray(neighbours, np.int64).reshape(-1, 2):
        foreign[one, other] = foreign[other, one] = False
    return SurfaceParts(labels, _vertex_area(points, corners), tuple(triangles), tuple(rims), foreign)


def smpl_surface_parts(template: ArrayLike, faces: ArrayLike, weights: ArrayLike) -> SurfaceParts:
    """The 14 parts of a body on SMPL's skeleton. weights (V, 24): a vertex belongs to the part that moves it most."""
    blend = np.asarray(weights, np.float64)
    by_part = np.stack([blend[:, list(joints)].sum(1) for joints in SMPL_PARTS], 1)
    return cut_into_parts(template, faces, by_part.argmax(1), SMPL_NEIGHBOURS)


def self_penetration(vertices: ArrayLike, parts: SurfaceParts) -> Array:
    """vertices (..., V, 3) metres -> (...) percent of the surface (by its area at rest) that lies inside a part of the
    same body to which it does not belong and is no neighbour.
    """
    points = np.asarray(vertices, np.float64)
    shares = np.zeros(points.shape[:-2])
    for at in np.ndindex(*shares.shape):
        shares[at] = 100.0 * parts.area[penetrating(points[at], parts)].sum()
    return shares


def penetrating(vertices: ArrayLike, parts: SurfaceParts) -> NDArray[np.bool_]:
    """vertices (V, 3) -> (V,) whether each is inside a foreign part."""
    points = np.asarray(vertices, np.float64)
    middles = [points[rim].mean(0) for rim in parts.rims]
    every = np.concatenate([points, np.array(middles).reshape(-1, 3)])
    inside = np.zeros(len(points), bool)
    for part, triangles in enumerate(parts.triangles):
        if not len(triangles):
            continue
        corners = every[triangles]
        low, high = corners.min((0, 1)), corners.max((0, 1))
        near = parts.foreign[part][parts.label] & ~inside & ((points > low) & (points < high)).all(1)
        some = np.flatnonzero(near)
        if len(some):
            inside[some] = np.abs(winding_number(points[some], corners)) > 0.5
    return inside


def winding_number(points: ArrayLike, corners: ArrayLike) -> Array:
    """How often closed triangles (T, 3, 3) go around points (P, 3): 0 outside, 1 inside, -1 where they are turned
    inside out. Solid angles after Van Oosterom & Strackee (1983). -> (P,).
    """
    places, three = np.asarray(points, np.float64), np.asarray(corners, np.float64)
    step = max(1, _PAIRS // max(len(three), 1))
    blocks = [_winding(places[first : first + step], three) for first in range(0, len(places), step)]
    return np.concatenate([np.zeros(0), *blocks])


_PAIRS = 1 << 18
"""Points times triangles at once: what fits the cache is quickest."""


def _winding(places: Array, three: Array) -> Array:
    a, b, c = (three[None, :, k] - places[:, None] for k in range(3))
    la, lb, lc = (np.sqrt(np.einsum("ptk,ptk->pt", v, v)) for v in (a, b, c))
    ab, bc, ca = (np.einsum("ptk,ptk->pt", u, v) for u, v in ((a, b), (b, c), (c, a)))
    volume = np.einsum("ptk,ptk->pt", a, np.cross(b, c))
    return 2 * np.arctan2(volume, la * lb * lc + ab * lc + bc * la + ca * lb).sum(1) / (4 * np.pi)


def _fans(triangles: Whole, first: int, count: int) -> tuple[list[Whole], Whole]:
    """Rims of the openings of triangles (T, 3) on ``count`` vertices, and the triangles that close them, (E, 3); their
    middles are numbered from ``first`` on.
    """
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    key, back = edges[:, 0] * count + edges[:, 1], edges[:, 1] * count + edges[:, 0]
    open_edges = edges[~np.isin(key, back)]
    if not len(open_edges):
        return [], np.zeros((0, 3), np.int64)
    links = coo_matrix((np.ones(len(open_edges)), (open_edges[:, 0], open_edges[:, 1])), shape=(count, count))
    _, group = connected_components(links, directed=False)
    loops, loop_of = np.unique(group[open_edges[:, 0]], return_inverse=True)
    rims = [np.unique(open_edges[loop_of == loop]) for loop in range(len(loops))]
    # an open edge is run through the other way by the triangle that closes it
    return rims, np.stack([open_edges[:, 1], open_edges[:, 0], first + loop_of.reshape(-1)], 1)


def _vertex_area(points: Array, faces: Whole) -> Array:
    a, b, c = (points[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    share = np.bincount(faces.reshape(-1), np.repeat(area, 3), minlength=len(points))
    return share / share.sum()
