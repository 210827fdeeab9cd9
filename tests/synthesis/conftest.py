"""People of random poses on the real body, so that no mocap is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import matrix_to_axis_angle
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.synthesis.people import People, make_setup, sample_people
from hmdiff.synthesis.poses import PosePool
from hmdiff.training.assemble import Assembly, assemble_body


@pytest.fixture(scope="session")
def parts() -> Assembly:
    return assemble_body()


@pytest.fixture(scope="session")
def pool() -> PosePool:
    poses = matrix_to_axis_angle(random_rotations(96, torch.Generator().manual_seed(0)))
    return PosePool(poses, torch.full((len(poses),), 1 / len(poses)))


@pytest.fixture(scope="session")
def stream(parts: Assembly, pool: PosePool) -> SyntheticStream:
    setup = make_setup(pool, parts.body, parts.hierarchy, parts.maps, "cpu", augment=False)
    return SyntheticStream(setup, torch.from_numpy(parts.hierarchy.faces[1]))


@pytest.fixture(scope="session")
def upright(stream: SyntheticStream) -> SyntheticStream:
    """The same without the collar correction, which only mocap with raised collars needs."""
    return replace(stream, setup=replace(stream.setup, collar=torch.eye(3).expand(2, 3, 3)))


@pytest.fixture(scope="session")
def people(stream: SyntheticStream) -> People:
    return sample_people(stream.setup, 64, torch.Generator().manual_seed(1))
