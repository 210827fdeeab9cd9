"""Refinement on people with exact truth: HMDiff's estimates as starts, and what is left of their errors afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix
from ..fitting import fit_body, place_bodies
from ..models.weights import LoadedModel
from ..refine.condition import ConditionMaps, condition
from ..refine.refiner import Bodies
from . import metrics
from .examples import Examples
from .figures import ALIGNMENT
from .studio import Draws, Recipe, Studio

Array = NDArray[np.float64]
BATCH = 32


@dataclass(frozen=True, eq=False)
class Starts:
    """B people. bodies: HMDiff's estimates, fitted and placed, with the detected landmarks; truth (B,14,3) joints about
    the pelvis, metres; true_2d (B,33,2): where the landmarks truly are, in the bodies' unit; visible (B,33).
    """

    bodies: Bodies
    truth: NDArray[np.float32]
    true_2d: Tensor
    visible: Tensor
    people: Examples

    def __len__(self) -> int:
        return len(self.truth)

    def with_truth(self) -> Bodies:
        """The same starts with true keypoints, all of confidence 1."""
        return replace(self.bodies, points=self.true_2d, confidence=torch.ones_like(self.bodies.confidence))


def make_starts(studio: Studio, people: Examples, keys: NDArray[np.int64]) -> Starts:
    """HMDiff as `hmdiff animate` runs it on single frames, in batches."""
    parts = []
    for first in range(0, len(people), BATCH):
        rows = slice(first, min(first + BATCH, len(people)))
        parts.append(_start(studio, Draws(studio, people[rows], torch.from_numpy(keys[rows]))))
    bodies = Bodies(*(torch.cat([getattr(one, name) for one in parts]) for name in _PARTS))
    return Starts(
        bodies, people.truth.joints, torch.from_numpy(people.landmarks_2d).float(), torch.from_numpy(people.visible),
        people,
    )  # fmt: skip


_PARTS = ("pose", "betas", "transl", "focal", "principal", "points", "confidence", "side", "condition")


@torch.no_grad()
def _start(studio: Studio, draws: Draws) -> Bodies:
    loaded, people = studio.base, draws.people
    samples, _ = draws.samples(Recipe())
    coarse = loaded.hierarchy.coarse(loaded.body)
    among = torch.searchsorted(*(torch.from_numpy(one) for one in loaded.hierarchy.indices))
    fitted = fit_body(coarse, samples.middle[:, among].cpu())
    points, confidence = torch.from_numpy(people.seen_2d).float(), torch.from_numpy(people.confidence).float()
    points = torch.nan_to_num(points)
    focal, principal = torch.from_numpy(people.focal).float(), torch.from_numpy(people.principal).float()
    landmarks = torch.from_numpy(loaded.maps.coarse_landmarks)
    placed = place_bodies(
        coarse, fitted.betas, fitted.rotations, landmarks, points, confidence, focal, principal
    )  # fmt: skip
    maps = ConditionMaps.of(torch.from_numpy(loaded.maps.coarse_joints), landmarks)
    told = condition(people.inputs, samples.regression, maps, len(people))
    side = torch.from_numpy(people.crop[:, 2]).float()
    return Bodies(
        fitted.pose, fitted.betas, placed.transl, focal, principal, points, confidence, side, told
    )  # fmt: skip


@torch.no_grad()
def joints_of(loaded: LoadedModel, pose: Tensor, betas: Tensor) -> NDArray[np.float32]:
    """pose (B,72), betas (B,S) -> (B,14,3) metres about the pelvis, read off the mesh as the truth is."""
    coarse = loaded.hierarchy.coarse(loaded.body)
    vertices, joints = coarse(betas, axis_angle_to_matrix(pose.reshape(-1, 24, 3)))
    read = torch.from_numpy(loaded.maps.coarse_j14) @ (vertices - joints[:, :1])
    return read.numpy()


def errors(loaded: LoadedModel, pose: Tensor, betas: Tensor, truth: NDArray[np.float32]) -> dict[str, Array]:
    """(B,) mm: pa_mpjpe and mpjpe (hips aligned)."""
    found = joints_of(loaded, pose, betas)
    return {"pa": metrics.pa_mpjpe(found, truth), "mpjpe": metrics.mpjpe(found, truth, ALIGNMENT)}
