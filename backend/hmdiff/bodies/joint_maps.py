"""f: the linear maps from mesh vertices to joints (paper 4.2), fitted so that every joint means what its user means.

Three joint sets: the body's own 24, the 14 of the paper (``J14``), and the detector's 33 landmarks on this body
(method_notes A12: never another data set's regressor).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from hmdiff_wire.body import JOINT_NAMES, BodyData
from numpy.typing import NDArray
from torch import Tensor

from .hierarchy import Hierarchy
from .model import FREE_BODY, BodyModel
from .random_pose import random_rotations

J14_NAMES = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head",
)  # fmt: skip
"""LSP's 14 in LSP's order; limbs and neck are the skeleton's joints, head is the skeleton's head joint."""
J14_OF_24 = tuple(JOINT_NAMES.index(name) for name in J14_NAMES)

LANDMARK_FILE = FREE_BODY.with_name("landmark_regressor.npz")
MAPS_FILE = FREE_BODY.with_name("joint_maps.npz")


@dataclass(frozen=True)
class JointMaps:
    """Rows sum to 1. coarse_* act on the 431 vertices, landmarks on all V: (24,431), (33,431), (33,V) float32."""

    coarse_joints: NDArray[np.float32]
    coarse_landmarks: NDArray[np.float32]
    landmarks: NDArray[np.float32]

    @property
    def coarse_j14(self) -> NDArray[np.float32]:
        return self.coarse_joints[list(J14_OF_24)]


def read_landmark_regressor(body: BodyData, path: Path = LANDMARK_FILE) -> NDArray[np.float32]:
    """Where the detector sees its 33 landmarks on the free body, (33,V); made by ``tools/fit_landmarks.py``."""
    matrix = np.zeros((33, body.n_vertices), np.float32)
    with np.load(path, allow_pickle=False) as data:
        matrix[data["row"], data["col"]] = data["value"]
    return matrix


def load_joint_maps(body: BodyModel, hierarchy: Hierarchy) -> JointMaps:
    """The free body's maps as shipped; fitted anew (2 s) where ``joint_maps.npz`` is absent."""
    if not MAPS_FILE.is_file():
        return fit_joint_maps(body, hierarchy, read_landmark_regressor(body.data))
    with np.load(MAPS_FILE, allow_pickle=False) as data:
        return JointMaps(data["coarse_joints"], data["coarse_landmarks"], read_landmark_regressor(body.data))


def write_joint_maps(path: Path, maps: JointMaps) -> None:
    """Store the fitted maps; the detector's regressor has its own file."""
    np.savez_compressed(path, coarse_joints=maps.coarse_joints, coarse_landmarks=maps.coarse_landmarks)


def fit_joint_maps(body: BodyModel, hierarchy: Hierarchy, landmarks: NDArray[np.float32], seed: int = 3) -> JointMaps:
    """Least squares from the 431 vertices over random shapes and poses, supported by the vertices nearest at rest."""
    generator = torch.Generator().manual_seed(seed)
    rotations = random_rotations(400, generator)
    betas = torch.randn(400, min(10, body.n_betas), generator=generator)
    support = np.nonzero(landmarks.sum(0))[0]
    needed = np.concatenate([hierarchy.indices[1], support])
    with torch.no_grad():
        vertices, joints = body.subset(torch.from_numpy(needed))(betas, rotations)
    coarse, rest = vertices[:, : len(hierarchy.indices[1])], vertices[:, len(hierarchy.indices[1]) :]
    seen = torch.einsum("kv,nvc->nkc", torch.from_numpy(landmarks[:, support]), rest)
    template = body.template[torch.from_numpy(hierarchy.indices[1])]
    return JointMaps(
        coarse_joints=_fit(coarse, joints, template, body.joint_template),
        coarse_landmarks=_fit(coarse, seen, template, torch.from_numpy(landmarks) @ body.template),
        landmarks=landmarks,
    )


def _fit(vertices: Tensor, targets: Tensor, template: Tensor, rest: Tensor, n_near: int = 24) -> NDArray[np.float32]:
    matrix = np.zeros((targets.shape[1], vertices.shape[1]), np.float32)
    for row in range(targets.shape[1]):
        near = (template - rest[row]).norm(dim=1).argsort()[:n_near]
        basis = vertices[:, near].permute(1, 0, 2).flatten(1).double()
        target = targets[:, row].flatten().double()
        difference = basis[1:] - basis[0]
        system = difference @ difference.T + 3e-4 * basis.shape[1] * torch.eye(len(near) - 1, dtype=torch.float64)
        rest_weights = torch.linalg.solve(system, difference @ (target - basis[0]))
        matrix[row, near] = torch.cat([1 - rest_weights.sum()[None], rest_weights]).float().numpy()
    return matrix
