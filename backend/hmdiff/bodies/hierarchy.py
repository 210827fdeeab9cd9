"""Mesh hierarchy V -> 1723 -> 431 (paper 4.3, METRO's two levels) for any body.

Downsampling picks vertices; upsampling is a fixed sparse matrix in which every fine vertex is an affine mix of coarse
vertices near it, fitted over random shapes and poses so that curvature survives (a plain barycentric map cuts corners).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from hmdiff_wire.body import BodyData
from hmdiff_wire.damaged import DAMAGED_NPZ
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra
from torch import Tensor

from .model import FREE_BODY, BodyModel, body_model
from .random_pose import random_rotations

SIZES = (1723, 431)
_NEAR = 10
_RIDGE = 2e-4
_FREE_FILE = FREE_BODY.with_name("body_hierarchy.npz")


@dataclass(frozen=True)
class Hierarchy:
    """indices: kept vertices of the full body per level; faces per level; up[0] (V,1723), up[1] (1723,431) sparse;
    adjacency (431,431) with self loops, rows summing to 1 (FastMETRO's convention); hops (431,431) edge distance.
    """

    indices: tuple[NDArray[np.int64], NDArray[np.int64]]
    faces: tuple[NDArray[np.int64], NDArray[np.int64]]
    up: tuple[sparse.csr_matrix, sparse.csr_matrix]

    @property
    def adjacency(self) -> NDArray[np.float32]:
        links = _links(self.faces[1], len(self.indices[1])) + sparse.identity(len(self.indices[1]))
        dense = (links.toarray() > 0).astype(np.float32)
        return dense / dense.sum(1, keepdims=True)

    @property
    def hops(self) -> NDArray[np.int64]:
        links = _links(self.faces[1], len(self.indices[1]))
        distance = dijkstra(links, unweighted=True)
        return np.where(np.isfinite(distance), distance, len(links.indptr)).astype(np.int64)

    def coarse(self, body: BodyModel) -> BodyModel:
        """The body reduced to its 431 vertices."""
        return body.subset(torch.from_numpy(self.indices[1]))


def apply_sparse(matrix: sparse.csr_matrix, vertices: Tensor) -> Tensor:
    """matrix (M,K) times vertices (N,K,3) -> (N,M,3)."""
    count, width = vertices.shape[0], vertices.shape[1]
    weights = to_torch_sparse(matrix).to(vertices.device)
    flat = vertices.permute(1, 0, 2).reshape(width, count * 3)
    return (weights @ flat).reshape(-1, count, 3).permute(1, 0, 2)


def to_torch_sparse(matrix: sparse.csr_matrix) -> Tensor:
    """scipy CSR -> torch sparse COO, float32."""
    coo = matrix.tocoo()
    places = torch.from_numpy(np.stack([coo.row, coo.col]).astype(np.int64))
    values = torch.from_numpy(coo.data.astype(np.float32))
    return torch.sparse_coo_tensor(places, values, coo.shape, check_invariants=False).coalesce()


def build_hierarchy(body: BodyData, sizes: tuple[int, int] = SIZES, n_poses: int = 160, seed: int = 0) -> Hierarchy:
    """Decimate the largest connected surface and fit the upsampling matrices. Takes about half a minute."""
    from .decimate import decimate

    skin = _largest_surface(body)
    levels = decimate(body.v_template, skin, sizes)
    model = body_model(body)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        betas = torch.randn(n_poses, min(10, model.n_betas), generator=generator)
        rotations = (
            random_rotations(n_poses, generator)
            if len(body.parents) == 24
            else _small_rotations(body, n_poses, generator)
        )
        posed = torch.cat([model(betas[i : i + 8], rotations[i : i + 8])[0] for i in range(0, n_poses, 8)]).numpy()
    (middle, middle_faces), (coarse, coarse_faces) = levels
    distance = dijkstra(_edge_lengths(body), indices=middle)
    up_fine = _fit_upsampling(posed, np.arange(body.n_vertices), middle, distance, body.v_template)
    between = distance[np.searchsorted(middle, coarse)][:, middle]
    up_middle = _fit_upsampling(posed, middle, coarse, between, body.v_template)
    return Hierarchy((middle, coarse), (middle_faces, coarse_faces), (up_fine, up_middle))


def load_hierarchy(body: BodyData, cache: Path | None = None) -> Hierarchy:
    """The shipped hierarchy for the free body, else the cached one, else a new one (then cached)."""
    if body.name == "free" and _FREE_FILE.is_file():
        return read_hierarchy(_FREE_FILE)
    digest = hashlib.sha256(body.v_template.tobytes() + body.faces.tobytes()).hexdigest()[:16]
    folder = cache or Path(os.environ.get("HMDIFF_CACHE", Path.home() / ".cache" / "hmdiff")) / "hierarchy"
    file = folder / f"{digest}.npz"
    if file.is_file():
        try:
            return read_hierarchy(file)
        except DAMAGED_NPZ:
            file.unlink(missing_ok=True)
    hierarchy = build_hierarchy(body)
    # A cache that cannot be written costs half a minute next time, no more.
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_hierarchy(file, hierarchy)
    return hierarchy


def write_hierarchy(path: Path, hierarchy: Hierarchy) -> None:
    """Store a hierarchy; written aside first, so that a killed run leaves no half file."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for level in range(2):
        up = hierarchy.up[level].tocsr()
        arrays |= {
            f"indices{level}": hierarchy.indices[level].astype(np.int32),
            f"faces{level}": hierarchy.faces[level].astype(np.int32),
            f"up{level}_data": up.data.astype(np.float32), f"up{level}_indices": up.indices.astype(np.int32),
            f"up{level}_indptr": up.indptr.astype(np.int32), f"up{level}_shape": np.array(up.shape),
        }  # fmt: skip
    aside = path.with_suffix(f".{os.getpid()}.part.npz")
    np.savez_compressed(aside, **arrays)
    os.replace(aside, path)


def read_hierarchy(path: Path) -> Hierarchy:
    """Read what write_hierarchy wrote. Raises one of ``DAMAGED_NPZ`` on damaged files."""
    with np.load(path, allow_pickle=False) as data:
        ups = [
            sparse.csr_matrix(
                (data[f"up{i}_data"], data[f"up{i}_indices"], data[f"up{i}_indptr"]), tuple(data[f"up{i}_shape"])
            )
            for i in range(2)
        ]
        indices = [data[f"indices{i}"].astype(np.int64) for i in range(2)]
        faces = [data[f"faces{i}"].astype(np.int64) for i in range(2)]
    return Hierarchy((indices[0], indices[1]), (faces[0], faces[1]), (ups[0], ups[1]))


def round_trip_error_mm(body: BodyModel, hierarchy: Hierarchy, betas: Tensor, rotations: Tensor) -> Tensor:
    """V -> 431 -> V for each body given: mean vertex error (N,), millimetres."""
    vertices, _ = body(betas, rotations)
    coarse = vertices[:, torch.from_numpy(hierarchy.indices[1])]
    back = apply_sparse(hierarchy.up[0], apply_sparse(hierarchy.up[1], coarse))
    return 1000 * (back - vertices).norm(dim=-1).mean(1)


def _fit_upsampling(
    posed: NDArray[np.float32], fine: NDArray[np.int64], coarse: NDArray[np.int64],
    distance: NDArray[np.float64], template: NDArray[np.float32],
) -> sparse.csr_matrix:  # fmt: skip
    """Least squares over poses, support = the nearest coarse vertices along the surface, weights summing to 1."""
    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    values: list[NDArray[np.float64]] = []
    kept = {int(v): k for k, v in enumerate(coarse)}
    flat = posed.transpose(1, 0, 2).reshape(posed.shape[1], -1).astype(np.float64)
    straight = np.linalg.norm(template[fine][:, None] - template[coarse][None], axis=-1)
    for row, vertex in enumerate(fine):
        if int(vertex) in kept:
            near, weights = np.array([kept[int(vertex)]]), np.ones(1)
        else:
            along = distance[:, row] if np.isfinite(distance[:, row]).any() else straight[row]
            near = np.argsort(along)[:_NEAR]
            basis = flat[coarse[near]]
            # Differences to the nearest vertex make the weights sum to 1 by construction.
            difference = basis[1:] - basis[0]
            system = difference @ difference.T + _RIDGE * flat.shape[1] * 0.01 * np.eye(len(near) - 1)
            rest = np.linalg.solve(system, difference @ (flat[vertex] - basis[0]))
            weights = np.concatenate([[1 - rest.sum()], rest])
        rows.append(np.full(len(near), row))
        columns.append(near)
        values.append(weights)
    shape = (len(fine), len(coarse))
    return sparse.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape)


def _largest_surface(body: BodyData) -> NDArray[np.int64]:
    _, label = connected_components(_links(body.faces, body.n_vertices))
    return body.faces[label[body.faces[:, 0]] == np.bincount(label).argmax()].astype(np.int64)


def _links(faces: NDArray[np.integer], count: int) -> sparse.csr_matrix:
    a = faces[:, [0, 1, 2]].ravel()
    b = faces[:, [1, 2, 0]].ravel()
    links = sparse.coo_matrix((np.ones(len(a)), (a, b)), shape=(count, count)).tocsr()
    return ((links + links.T) > 0).astype(np.float64).tocsr()


def _edge_lengths(body: BodyData) -> sparse.csr_matrix:
    links = _links(body.faces, body.n_vertices).tocoo()
    length = np.linalg.norm(body.v_template[links.row] - body.v_template[links.col], axis=1)
    return sparse.csr_matrix((length, (links.row, links.col)), shape=links.shape)


def _small_rotations(body: BodyData, count: int, generator: torch.Generator) -> Tensor:
    from .rotations import axis_angle_to_matrix

    return axis_angle_to_matrix(0.3 * torch.randn(count, len(body.parents), 3, generator=generator))
