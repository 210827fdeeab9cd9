"""Tiny networks and people of random poses: training itself, in seconds and without mocap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import matrix_to_axis_angle
from hmdiff.models.config import DEFAULT, HMDiffConfig
from hmdiff.models.hmdiff import HMDiff
from hmdiff.models.regressor import Regressor, RegressorConfig
from hmdiff.synthesis.batch import Batch, SyntheticStream
from hmdiff.synthesis.people import make_setup
from hmdiff.synthesis.poses import PosePool
from hmdiff.training.assemble import Assembly, assemble_body

SMALL = RegressorConfig(width=48, blocks=1, mask_features=8)


@pytest.fixture(scope="session")
def parts() -> Assembly:
    return assemble_body()


@pytest.fixture(scope="session")
def stream(parts: Assembly) -> SyntheticStream:
    poses = matrix_to_axis_angle(random_rotations(48, torch.Generator().manual_seed(0)))
    pool = PosePool(poses, torch.full((len(poses),), 1 / len(poses)))
    setup = make_setup(pool, parts.body, parts.hierarchy, parts.maps, "cpu", augment=False)
    return SyntheticStream(setup, torch.from_numpy(parts.hierarchy.faces[1]))


@pytest.fixture(scope="session")
def batch(stream: SyntheticStream) -> Batch:
    return stream.draw(8, torch.Generator().manual_seed(1))


@pytest.fixture
def make_regressor(parts: Assembly, batch: Batch) -> Callable[[], Regressor]:
    def make() -> Regressor:
        torch.manual_seed(0)
        regressor = Regressor(SMALL)
        regressor.joint_map.copy_(torch.from_numpy(parts.maps.coarse_j14))
        regressor.mean_mesh.copy_(batch.people.vertices.mean(0))
        return regressor

    return make


@pytest.fixture
def make_model(parts: Assembly, batch: Batch) -> Callable[..., HMDiff]:
    def make(config: HMDiffConfig = DEFAULT) -> HMDiff:
        torch.manual_seed(0)
        model = HMDiff(replace(config, regressor=SMALL), parts.hierarchy, parts.maps)
        model.regressor.joint_map.copy_(torch.from_numpy(parts.maps.coarse_j14))
        model.regressor.mean_mesh.copy_(batch.people.vertices.mean(0))
        return model

    return make
