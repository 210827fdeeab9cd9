"""A9: the closed-form Gaussian step, against textbook conditioning."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hmdiff.diffusion.dat import DATConfig, MeshPrior, joints_of, linear_denoise, posterior_step
from torch import Tensor

CONFIG = DATConfig()


@pytest.fixture(scope="module")
def prior(toy) -> MeshPrior:
    generator = torch.Generator().manual_seed(8)
    directions = torch.linalg.qr(torch.randn(24, 6, generator=generator, dtype=torch.float64)).Q
    deviation = torch.linspace(0.3, 0.05, 6, dtype=torch.float64)
    return MeshPrior.of(directions * deviation, toy.joint_map)


@pytest.fixture(scope="module")
def covariance() -> Tensor:
    generator = torch.Generator().manual_seed(9)
    factor = 0.05 * torch.randn(2, 4, 3, 3, generator=generator, dtype=torch.float64)
    return factor @ factor.transpose(-1, -2) + 1e-4 * torch.eye(3, dtype=torch.float64)


def _step(
    toy, prior: MeshPrior, covariance: Tensor, config: DATConfig = CONFIG, target: Tensor | None = None
) -> Tensor:
    target = toy.u.mean(1, keepdim=True) if target is None else target
    return posterior_step(toy.clean, toy.joints, target, covariance, prior, prior.variance, config)


def _condition(toy, prior: MeshPrior, covariance: Tensor) -> Tensor:
    """Direct: C dense, f as a matrix on flattened coordinates, S block-diagonal over joints."""
    dense = prior.directions @ torch.diag(prior.variance) @ prior.directions.T
    f = torch.kron(toy.joint_map, torch.eye(3, dtype=torch.float64))
    rows = []
    for b in range(2):
        noise = torch.block_diag(*covariance[b])
        gain = dense @ f.T @ torch.linalg.inv(f @ dense @ f.T + noise)
        change = (toy.u[b].mean(0).flatten() - toy.clean[b].flatten(1) @ f.T) @ gain.T
        rows.append(toy.clean[b] + change.view(3, 8, 3))
    return torch.stack(rows)


def test_a9_step_is_gaussian_conditioning(toy, prior: MeshPrior, covariance: Tensor):
    assert torch.allclose(_step(toy, prior, covariance), _condition(toy, prior, covariance), atol=1e-10)


def test_a9_prior_holds_the_covariance_it_was_made_of(toy, prior: MeshPrior):
    assert torch.allclose(prior.directions.T @ prior.directions, torch.eye(6).double(), atol=1e-12)
    assert prior.variance.sqrt()[[0, 5]].tolist() == pytest.approx([0.3, 0.05])
    one = joints_of(prior.directions[:, 2].view(1, 8, 3), toy.joint_map)
    assert torch.allclose(prior.joint_directions[:, 2], one.flatten())


def test_a9_step_moves_the_joints_towards_u_but_not_beyond(toy, prior: MeshPrior, covariance: Tensor):
    target = toy.u.mean(1, keepdim=True)
    before = (toy.joints - target).norm(dim=-1).mean()
    after = (joints_of(_step(toy, prior, covariance), toy.joint_map) - target).norm(dim=-1).mean()
    assert after < 0.8 * before


def test_a9_a_sure_u_is_followed_and_an_unsure_one_ignored(toy, prior: MeshPrior, covariance: Tensor):
    target = toy.u.mean(1, keepdim=True)
    shifts = []
    for scale in (1e-6, 1.0, 1e6):
        moved = _step(toy, prior, covariance * scale)
        shifts.append((moved - toy.clean).norm().item())
    assert shifts[0] > shifts[1] > shifts[2] and shifts[2] < 1e-3
    sure = joints_of(_step(toy, prior, covariance * 1e-6), toy.joint_map)
    unsure = joints_of(_step(toy, prior, covariance), toy.joint_map)
    assert (sure - target).norm() < (unsure - target).norm()


def test_a9_trust_scales_the_covariance_of_u(toy, prior: MeshPrior, covariance: Tensor):
    half = _step(toy, prior, covariance, replace(CONFIG, trust=0.5))
    assert torch.allclose(half, _step(toy, prior, covariance * 2), atol=1e-12)


def test_a11_without_depth_the_target_depth_does_not_matter(toy, prior: MeshPrior, covariance: Tensor):
    flat = replace(CONFIG, use_depth=False)
    upright = covariance.clone()
    upright[..., 2, :2] = upright[..., :2, 2] = 0
    target = toy.u.mean(1, keepdim=True)
    far = target + torch.tensor([0.0, 0.0, 5.0]).double()
    assert torch.allclose(_step(toy, prior, upright, flat, far), _step(toy, prior, upright, flat, target), atol=1e-2)
    assert (_step(toy, prior, upright, CONFIG, far) - _step(toy, prior, upright, CONFIG, target)).abs().max() > 0.3


def test_a9_a_target_per_hypothesis_pulls_each_its_own_way(toy, prior: MeshPrior, covariance: Tensor):
    each = _step(toy, prior, covariance, target=toy.u[:, :3])
    for n in range(3):
        alone = _step(toy, prior, covariance, target=toy.u[:, n : n + 1])
        assert torch.allclose(each[:, n], alone[:, n], atol=1e-12)
    assert not torch.allclose(each, _step(toy, prior, covariance), atol=1e-2)


def test_linear_denoiser_is_the_conditional_mean(toy, prior: MeshPrior):
    """x0 ~ N(m, C), h = sqrt(a) x0 + sqrt(1-a) z: against the dense formula, and exact at a = 1 inside the span."""
    generator = torch.Generator().manual_seed(10)
    mesh = toy.clean[:, 0]
    dense = prior.directions @ torch.diag(prior.variance) @ prior.directions.T
    noisy = torch.randn(2, 8, 3, generator=generator, dtype=torch.float64)
    bar = torch.tensor([0.2, 0.9], dtype=torch.float64)
    estimate = linear_denoise(noisy, mesh, bar, prior)
    for b in range(2):
        a = bar[b]
        gain = a.sqrt() * dense @ torch.linalg.inv(a * dense + (1 - a) * torch.eye(24).double())
        expected = mesh[b].flatten() + gain @ (noisy[b] - a.sqrt() * mesh[b]).flatten()
        assert torch.allclose(estimate[b].flatten(), expected, atol=1e-10)


def test_a9_variance_left_after_h_k_is_seen(prior: MeshPrior):
    assert torch.allclose(prior.remaining_variance(0.0), prior.variance)
    assert torch.allclose(prior.remaining_variance(1.0), torch.zeros(6).double())
    v, a = prior.variance, 0.3
    assert torch.allclose(prior.remaining_variance(a), 1 / (1 / v + a / (1 - a)))
