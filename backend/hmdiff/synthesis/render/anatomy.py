"""What the renderer needs to know about the free body beside its vertices: neighbours, smoothing, painted regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hmdiff_wire.body import JOINT_NAMES, BodyData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

PAINTS = ("skin", "lips", "brows", "eye", "iris", "mouth", "nails")
PAINT = {name: index for index, name in enumerate(PAINTS)}


@dataclass(frozen=True)
class Anatomy:
    """rest (V,3) the mean body; faces (T,3); paint (T,) index into PAINTS; part (V,) the joint that moves a vertex
    most; bones, weights (V,4) its strongest joints; smoothing (V,V) one step of averaging neighbours;
    incidence (V,T) vertices of faces; eyes (3,) middle of the eyes.
    """

    body: BodyData
    rest: Floats
    faces: Ints
    paint: Ints
    part: Ints
    bones: NDArray[np.uint8]
    weights: Floats
    smoothing: csr_matrix
    incidence: csr_matrix
    eyes: Floats

    def normals(self, vertices: Floats) -> Floats:
        """vertices (V,3) -> unit normals (V,3), outwards."""
        corners = vertices[self.faces]
        area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return unit(self.incidence @ area)

    def smooth(self, values: Floats, steps: int) -> Floats:
        """values (V,C) averaged over neighbours a number of times."""
        for _ in range(steps):
            values = self.smoothing @ values
        return values

    def grown(self, mask: Bools, rings: int) -> Bools:
        """mask (V,) and everything within a number of edges."""
        for _ in range(rings):
            mask = (self.smoothing @ mask.astype(np.float32)) > 0
        return mask

    def shrunk(self, mask: Bools, rings: int) -> Bools:
        return ~self.grown(~mask, rings)

    def parts(self, *names: str) -> Bools:
        """(V,) vertices moved mostly by the named joints."""
        return np.isin(self.part, [JOINT_NAMES.index(name) for name in names])


def unit(vectors: Floats) -> Floats:
    return (vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-12)).astype(np.float32)


def study(body: BodyData) -> Anatomy:
    """Made once per process."""
    rest, faces = body.v_template.astype(np.float32), body.faces.astype(np.int64)
    count = len(rest)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    neighbours = csr_matrix((np.ones(len(edges), np.float32), edges.T), (count, count))
    neighbours.data[:] = 1.0
    neighbours = (neighbours + diags(np.ones(count, np.float32))).tocsr()
    degree = np.asarray(neighbours.sum(1)).ravel()
    smoothing = csr_matrix(diags((1.0 / degree).astype(np.float32)) @ neighbours)
    index = np.repeat(np.arange(len(faces)), 3)
    incidence = csr_matrix((np.ones(len(index), np.float32), (faces.ravel(), index)), (count, len(faces)))
    bones = np.argsort(-body.weights, axis=1)[:, :4]
    weights = np.take_along_axis(body.weights, bones, 1)
    island = connected_components(neighbours)[1]
    eyes, paint = _paint(rest, faces, island, body.weights.argmax(1))
    return Anatomy(
        body, rest, faces, paint, body.weights.argmax(1), bones.astype(np.uint8),
        (weights / weights.sum(1, keepdims=True)).astype(np.float32), smoothing, incidence, eyes,
    )  # fmt: skip


def _paint(rest: Floats, faces: Ints, island: NDArray[np.int32], part: Ints) -> tuple[Floats, Ints]:
    """The face's features, told by where they are on the mean body."""
    centre, owner = rest[faces].mean(1), island[faces[:, 0]]
    skin = np.bincount(island).argmax()
    balls = [i for i in np.unique(island) if i != skin and abs(rest[island == i, 0].mean()) > 0.01]
    middles = np.stack([rest[island == i].mean(0) for i in balls])
    eyes = np.array([0.0, middles[:, 1].mean(), middles[:, 2].mean()], np.float32)
    paint = np.full(len(faces), PAINT["skin"])
    for ball, middle in zip(balls, middles, strict=True):
        out = unit(centre - middle)
        paint[owner == ball] = PAINT["eye"]
        paint[(owner == ball) & (out[:, 2] > 0.86)] = PAINT["iris"]
    inner = (owner != skin) & ~np.isin(owner, balls)
    paint[inner] = PAINT["mouth"]
    x, y, z = np.abs(centre[:, 0]), centre[:, 1], centre[:, 2]
    face = (owner == skin) & (part[faces[:, 0]] == JOINT_NAMES.index("head")) & (z > eyes[2] - 0.01)
    beside = np.abs(x - np.abs(middles[:, 0]).mean())
    paint[face & (np.abs(y - eyes[1] - 0.023) < 0.005) & (beside < 0.022)] = PAINT["brows"]
    mouth = centre[inner, 1].max() - 0.004
    paint[face & (np.abs(y - mouth) < 0.011) & (x < 0.024) & (z > eyes[2] + 0.012)] = PAINT["lips"]
    return eyes, paint
