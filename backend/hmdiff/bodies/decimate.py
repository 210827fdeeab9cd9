"""Quadric decimation by half-edge collapse (Garland and Heckbert 1997): kept vertices are a subset of the originals.

A subset is what the hierarchy needs: a coarse body is then exactly skinned by the full body's own weights.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

POINT_WEIGHT = 0.05
"""How much a vertex dislikes leaving its place, relative to leaving its plane; spreads vertices over smooth skin."""


def decimate(
    vertices: NDArray[np.floating], faces: NDArray[np.integer], targets: tuple[int, ...]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Collapse edges of a triangle mesh until exactly targets[i] used vertices remain, for each target in turn.

    vertices (V,3), faces (T,3), targets decreasing -> per target (kept indices (n,), faces (t,3) into the kept ones).
    Raises ValueError when the topology allows no further collapse.
    """
    mesh = _Mesh(np.asarray(vertices, np.float64), np.asarray(faces, np.int64))
    levels = []
    for target in targets:
        mesh.collapse_to(target)
        kept = np.array(sorted(mesh.alive), np.int64)
        place = np.full(len(vertices), -1, np.int64)
        place[kept] = np.arange(len(kept))
        left = np.array([face for face in mesh.faces if face is not None], np.int64)
        levels.append((kept, place[left]))
    return levels


class _Mesh:
    def __init__(self, vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> None:
        self.points = [tuple(map(float, p)) for p in vertices]
        self.faces: list[tuple[int, int, int] | None] = [(int(a), int(b), int(c)) for a, b, c in faces]
        self.alive = {v for face in self.faces if face is not None for v in face}
        self.around: dict[int, set[int]] = {v: set() for v in self.alive}
        for number, face in enumerate(self.faces):
            assert face is not None
            for v in face:
                self.around[v].add(number)
        self.quadrics = _quadrics(vertices, faces)
        self.heap: list[tuple[float, int, int]] = []
        for v in self.alive:
            for w in self._neighbours(v):
                self._push(v, w)

    def collapse_to(self, target: int) -> None:
        while len(self.alive) > target:
            if not self.heap:
                raise ValueError("No edge can be collapsed without folding the surface.")
            cost, gone, kept = heapq.heappop(self.heap)
            if gone not in self.alive or kept not in self._neighbours(gone):
                continue
            now = self._cost(gone, kept)
            if now > cost * (1 + 1e-9) + 1e-15:
                heapq.heappush(self.heap, (now, gone, kept))
                continue
            if self._allowed(gone, kept):
                self._collapse(gone, kept)

    def _neighbours(self, v: int) -> set[int]:
        return {w for f in self.around[v] for w in self.faces[f] or ()} - {v}

    def _cost(self, gone: int, kept: int) -> float:
        x, y, z = self.points[kept]
        p = (x, y, z, 1.0)
        q = self.quadrics[gone] + self.quadrics[kept]
        return float(p @ q @ np.array(p))

    def _push(self, gone: int, kept: int) -> None:
        heapq.heappush(self.heap, (self._cost(gone, kept), gone, kept))

    def _allowed(self, gone: int, kept: int) -> bool:
        if len(self._neighbours(gone) & self._neighbours(kept)) != 2:
            return False
        for number in self.around[gone]:
            face = self.faces[number]
            assert face is not None
            if kept in face:
                continue
            before = _normal(*(self.points[v] for v in face))
            after = _normal(*(self.points[kept if v == gone else v] for v in face))
            turn = sum(a * b for a, b in zip(before, after, strict=True))
            size = (sum(a * a for a in before) * sum(b * b for b in after)) ** 0.5
            if turn < 0.2 * size or size == 0.0:
                return False
        return True

    def _collapse(self, gone: int, kept: int) -> None:
        for number in list(self.around[gone]):
            face = self.faces[number]
            assert face is not None
            if kept in face:
                self.faces[number] = None
                for v in face:
                    self.around[v].discard(number)
            else:
                a, b, c = (kept if v == gone else v for v in face)
                self.faces[number] = (a, b, c)
                self.around[kept].add(number)
        self.alive.discard(gone)
        del self.around[gone]
        self.quadrics[kept] += self.quadrics[gone]
        for w in self._neighbours(kept):
            self._push(kept, w)
            self._push(w, kept)


def _normal(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> tuple[float, float, float]:
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


def _quadrics(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> NDArray[np.float64]:
    """Area-weighted plane quadrics plus point quadrics, (V,4,4)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    double_area = np.linalg.norm(normal, axis=1, keepdims=True)
    unit = normal / np.maximum(double_area, 1e-15)
    plane = np.concatenate([unit, -(unit * a).sum(1, keepdims=True)], 1)
    per_face = plane[:, :, None] * plane[:, None, :] * (double_area[..., None] / 6)
    quadrics = np.zeros((len(vertices), 4, 4))
    area = np.zeros(len(vertices))
    for k in range(3):
        np.add.at(quadrics, faces[:, k], per_face)
        np.add.at(area, faces[:, k], double_area[:, 0] / 6)
    point = np.zeros((len(vertices), 4, 4))
    point[:, :3, :3] = np.eye(3)
    point[:, :3, 3] = point[:, 3, :3] = -vertices
    point[:, 3, 3] = (vertices**2).sum(1)
    return quadrics + POINT_WEIGHT * area[:, None, None] * point
