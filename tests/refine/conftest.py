"""The real body, the shipped regressor and the shipped score denoiser, on people of random poses (no mocap needed)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import matrix_to_axis_angle
from hmdiff.fitting import fit_body, place_bodies
from hmdiff.models.weights import LoadedModel, load_model
from hmdiff.refine.condition import ConditionMaps, condition
from hmdiff.refine.refiner import Bodies, Refiner, make_refiner
from hmdiff.synthesis.batch import Batch, SyntheticStream
from hmdiff.synthesis.people import make_setup
from hmdiff.synthesis.poses import PosePool

PEOPLE = 6


@pytest.fixture(scope="session")
def loaded() -> LoadedModel:
    return load_model()


@pytest.fixture(scope="session")
def refiner() -> Refiner:
    return make_refiner()


@pytest.fixture(scope="session")
def stream(loaded: LoadedModel) -> SyntheticStream:
    poses = 0.6 * matrix_to_axis_angle(random_rotations(64, torch.Generator().manual_seed(0)))
    pool = PosePool(poses, torch.full((len(poses),), 1 / len(poses)))
    setup = make_setup(pool, loaded.body, loaded.hierarchy, loaded.maps, "cpu", augment=False)
    return SyntheticStream(setup, torch.from_numpy(loaded.hierarchy.faces[1]), heatmaps=False)


@pytest.fixture(scope="session")
def batch(stream: SyntheticStream) -> Batch:
    with torch.no_grad():
        return stream.draw(PEOPLE, torch.Generator().manual_seed(4))


@dataclass(frozen=True)
class Case:
    """Estimates of the shipped regressor and the truth: keypoints in both are the true ones, in px."""

    bodies: Bodies
    truth: Batch


@pytest.fixture(scope="session")
def case(loaded: LoadedModel, refiner: Refiner, batch: Batch) -> Case:
    people, focal = batch.people, 1000.0
    maps = ConditionMaps.of(torch.from_numpy(loaded.maps.coarse_joints), torch.from_numpy(loaded.maps.coarse_landmarks))
    with torch.no_grad():
        regression = loaded.model.regressor(batch.inputs)
        told = condition(batch.inputs, regression, maps, PEOPLE)
        coarse = loaded.hierarchy.coarse(loaded.body)
        fitted = fit_body(coarse, regression.mesh)
        tables = refiner.figure.tables(people.betas)
        _, joints, points = refiner.figure.pose(tables, people.rotations)
        points = points - joints[:, :1] + people.pelvis[:, None]
        seen = focal * points[..., :2] / points[..., 2:]
        placed = place_bodies(
            coarse, fitted.betas, fitted.rotations, torch.from_numpy(loaded.maps.coarse_landmarks), seen,
            torch.ones(PEOPLE, 33), torch.full((PEOPLE,), focal), (0.0, 0.0),
        )  # fmt: skip
    bodies = Bodies(
        pose=fitted.pose, betas=fitted.betas, transl=placed.transl, focal=torch.full((PEOPLE,), focal),
        principal=torch.zeros(PEOPLE, 2), points=seen, confidence=torch.ones(PEOPLE, 33), side=batch.side * focal,
        condition=told,
    )  # fmt: skip
    return Case(bodies, batch)
