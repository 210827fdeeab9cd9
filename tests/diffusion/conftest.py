"""A small mesh with two joints' worth of arithmetic, in float64 so that formulas can be checked to the last digits."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor


@dataclass(frozen=True)
class Toy:
    """clean (2,3,8,3) meshes, u (2,5,4,3) pose samples, joint_map (4,8) with rows that sum to 1."""

    clean: Tensor
    u: Tensor
    joint_map: Tensor

    @property
    def joints(self) -> Tensor:
        return torch.einsum("jv,bnvc->bnjc", self.joint_map, self.clean)


@pytest.fixture(scope="session")
def toy() -> Toy:
    generator = torch.Generator().manual_seed(4)
    joint_map = torch.rand(4, 8, generator=generator, dtype=torch.float64)
    return Toy(
        clean=0.3 * torch.randn(2, 3, 8, 3, generator=generator, dtype=torch.float64),
        u=0.2 + 0.1 * torch.randn(2, 5, 4, 3, generator=generator, dtype=torch.float64),
        joint_map=joint_map / joint_map.sum(1, keepdim=True),
    )
