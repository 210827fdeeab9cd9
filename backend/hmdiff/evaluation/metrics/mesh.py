"""Mesh errors: MPVE, PA-MPVE, edge error and the F-score of FreiHAND (method_notes 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from .alignment import MM_PER_M, Alignment, Array, procrustes_align, root_position
from .joints import mean_distance_mm


def mpve(
    vertices: ArrayLike, truth: ArrayLike, joints: ArrayLike, truth_joints: ArrayLike, alignment: Alignment
) -> Array:
    """Mean per-vertex error, both meshes centred on the root that ``alignment`` reads off their own joints.

    vertices, truth (..., V, 3), joints, truth_joints (..., J, 3), metres -> (...) mm.
    """
    centred = np.asarray(vertices, np.float64) - root_position(joints, alignment)
    return mean_distance_mm(centred, np.asarray(truth, np.float64) - root_position(truth_joints, alignment))


def pa_mpve(vertices: ArrayLike, truth: ArrayLike) -> Array:
    """Mean per-vertex error after similarity Procrustes over the vertices. (..., V, 3) metres -> (...) mm."""
    return mean_distance_mm(procrustes_align(vertices, truth), truth)


def mesh_edges(faces: ArrayLike) -> NDArray[np.int64]:
    """faces (T, 3 or 4) -> every edge once, (E, 2) with the lower index first."""
    corners = np.asarray(faces, np.int64)
    pairs = np.stack([corners, np.roll(corners, -1, axis=1)], axis=-1).reshape(-1, 2)
    return np.unique(np.sort(pairs, axis=1), axis=0)


def edge_error(vertices: ArrayLike, truth: ArrayLike, edges: ArrayLike) -> Array:
    """Mean difference of edge lengths: what a wrinkled or spiky surface shows and a vertex mean hides.

    vertices, truth (..., V, 3) metres, edges (E, 2) -> (...) mm. Needs no alignment.
    """
    ends = np.asarray(edges, np.int64)

    def lengths(points: ArrayLike) -> Array:
        array = np.asarray(points, np.float64)
        return np.linalg.norm(array[..., ends[:, 0], :] - array[..., ends[:, 1], :], axis=-1)

    return np.abs(lengths(vertices) - lengths(truth)).mean(-1) * MM_PER_M


def f_score(vertices: ArrayLike, truth: ArrayLike, threshold_mm: float, *, align: bool = True) -> float:
    """F@threshold of one mesh: harmonic mean of precision and recall of nearest-point distances (FreiHAND).

    vertices, truth (V, 3) metres. ``align`` lays the mesh over the truth by similarity Procrustes first, as FreiHAND
    does; without it the two sets may differ in size.
    """
    target = np.asarray(truth, np.float64)
    moved = procrustes_align(vertices, target) if align else np.asarray(vertices, np.float64)
    limit = threshold_mm / MM_PER_M
    precision = float((KDTree(target).query(moved)[0] <= limit).mean())
    recall = float((KDTree(moved).query(target)[0] <= limit).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
