"""A small HMDiff with random weights on the real body, and people of random poses, so that no mocap is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import matrix_to_axis_angle
from hmdiff.models import hmdiff as hmdiff_module
from hmdiff.models.config import DEFAULT, HMDiffConfig
from hmdiff.models.hmdiff import BASIS_RANK, HMDiff
from hmdiff.models.regressor import RegressorConfig
from hmdiff.synthesis.batch import Batch, SyntheticStream
from hmdiff.synthesis.people import make_setup
from hmdiff.synthesis.poses import PosePool
from hmdiff.training.assemble import Assembly, assemble_body

SMALL = RegressorConfig(width=48, blocks=1, mask_features=8)


@pytest.fixture(autouse=True)
def float32_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are compared with single pictures to 1e-5, which bfloat16 cannot show."""
    monkeypatch.setattr(hmdiff_module, "fast_bfloat16", lambda device: False)


@pytest.fixture(scope="session")
def parts() -> Assembly:
    return assemble_body()


@pytest.fixture(scope="session")
def stream(parts: Assembly) -> SyntheticStream:
    poses = matrix_to_axis_angle(random_rotations(96, torch.Generator().manual_seed(0)))
    pool = PosePool(poses, torch.full((len(poses),), 1 / len(poses)))
    setup = make_setup(pool, parts.body, parts.hierarchy, parts.maps, "cpu", augment=False)
    return SyntheticStream(setup, torch.from_numpy(parts.hierarchy.faces[1]))


@pytest.fixture(scope="session")
def batch(stream: SyntheticStream) -> Batch:
    return stream.draw(3, torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def basis(stream: SyntheticStream) -> torch.Tensor:
    """(1293,48): how bodies of the stream differ from their mean, scaled by the deviations."""
    meshes = stream.draw(96, torch.Generator().manual_seed(2)).people.vertices.flatten(1)
    _, values, vectors = torch.linalg.svd(meshes - meshes.mean(0), full_matrices=False)
    return (vectors[:BASIS_RANK] * (values[:BASIS_RANK, None] / len(meshes) ** 0.5)).T.contiguous()


@pytest.fixture(scope="session")
def make_model(parts: Assembly, stream: SyntheticStream, basis: torch.Tensor) -> Callable[..., HMDiff]:
    """make_model(config, seed): random weights; m is near the mean body, U 12 cm beside f(m) and about 5 cm wide."""
    mean = stream.draw(64, torch.Generator().manual_seed(3)).people.vertices.mean(0)

    def make(config: HMDiffConfig = DEFAULT, seed: int = 0) -> HMDiff:
        torch.manual_seed(seed)
        model = HMDiff(replace(config, regressor=SMALL), parts.hierarchy, parts.maps)
        with torch.no_grad():
            model.regressor.mean_mesh.copy_(mean)
            model.regressor.joint_map.copy_(torch.from_numpy(parts.maps.coarse_j14))
            model.basis.copy_(basis)
            model.regressor.u.weight.mul_(0.1)
            bias = model.regressor.u.bias.view(14, 3, 10)
            bias[..., 1:4] = torch.tensor([0.12, -0.06, 0.05])
            bias[..., 4:7] = -3.0
        return model.eval()

    return make


@pytest.fixture(scope="session")
def model(make_model: Callable[..., HMDiff]) -> HMDiff:
    return make_model()
