from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hmdiff.bodies.hierarchy import load_hierarchy
from hmdiff.bodies.model import BodyModel, load_free_body
from hmdiff.bodies.random_pose import random_rotations
from torch import Tensor


@dataclass(frozen=True)
class Truth:
    """People facing a camera: parameters, the coarse mesh they make, the full one."""

    betas: Tensor
    rotations: Tensor
    coarse: Tensor
    full: Tensor
    joints: Tensor


@pytest.fixture(scope="session")
def full_body() -> BodyModel:
    return load_free_body()


@pytest.fixture(scope="session")
def body(full_body: BodyModel) -> BodyModel:
    return load_hierarchy(full_body.data).coarse(full_body)


@pytest.fixture(scope="session")
def truth(body: BodyModel, full_body: BodyModel) -> Truth:
    generator = torch.Generator().manual_seed(11)
    rotations = random_rotations(48, generator)
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ rotations[:, 0]
    betas = torch.randn(48, body.n_betas, generator=generator)
    full, joints = full_body(betas, rotations)
    return Truth(betas, rotations, body(betas, rotations)[0], full, joints)
