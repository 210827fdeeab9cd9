"""DAT's pieces: the gap D_k (A6), its gradient (A8), R_k and the activation switch (A7, A22), gamma's bound (A6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hmdiff.diffusion.dat import (
    PAPER_DAT,
    DATConfig,
    activation_gap,
    active,
    alignment_gap,
    clip_step,
    gap_gradient,
    joints_of,
    reducible_gap,
    stable_gamma,
    step_gamma,
)

CONFIGS = [
    DATConfig(reduction=reduction, use_depth=depth)  # type: ignore[arg-type]
    for reduction in ("sum", "mean")
    for depth in (True, False)
]


def test_paper_settings_are_the_papers():
    assert (PAPER_DAT.mode, PAPER_DAT.gamma, PAPER_DAT.threshold) == ("full", 0.2, 0.05)
    assert PAPER_DAT.reduction == "sum" and PAPER_DAT.residual == "literal" and PAPER_DAT.activation
    assert PAPER_DAT.clip is None and not PAPER_DAT.limit_gamma and PAPER_DAT.use_depth


def test_a6_gap_is_a_sum_in_square_metres(toy):
    gap = alignment_gap(toy.joints, toy.u, DATConfig())
    for b in range(2):
        for n in range(3):
            by_hand = sum(
                float(((toy.u[b, s, j] - toy.joints[b, n, j]) ** 2).sum()) for s in range(5) for j in range(4)
            )
            assert gap[b, n].item() == pytest.approx(by_hand, rel=1e-12)


def test_a6_mean_is_the_sum_over_the_number_of_samples(toy):
    total = alignment_gap(toy.joints, toy.u, DATConfig())
    assert torch.allclose(alignment_gap(toy.joints, toy.u, DATConfig(reduction="mean")), total / 5)


def test_a11_without_depth_only_x_and_y_count(toy):
    flat = DATConfig(use_depth=False)
    moved = toy.u.clone()
    moved[..., 2] += 3
    assert torch.equal(alignment_gap(toy.joints, moved, flat), alignment_gap(toy.joints, toy.u, flat))
    assert (alignment_gap(toy.joints, moved, DATConfig()) > alignment_gap(toy.joints, toy.u, DATConfig()) + 1).all()


def test_a7_gap_is_its_reducible_part_and_the_spread_of_u(toy):
    reducible = reducible_gap(toy.joints, toy.u, DATConfig())
    constant = ((toy.u - toy.u.mean(1, keepdim=True)) ** 2).sum((1, 2, 3))
    assert torch.allclose(alignment_gap(toy.joints, toy.u, DATConfig()), reducible + constant[:, None])
    reached = toy.u.mean(1, keepdim=True)
    assert torch.allclose(reducible_gap(reached, toy.u, DATConfig()), torch.zeros(2, 1).double(), atol=1e-20)


def test_a7_only_the_reducible_residual_switches_dat_off_when_aligned(toy):
    for residual, expected in (("reducible", False), ("literal", True)):
        config = DATConfig(residual=residual)  # type: ignore[arg-type]
        first = activation_gap(toy.joints, toy.u, config)
        aligned = activation_gap(toy.u.mean(1, keepdim=True).expand(-1, 3, -1, -1), toy.u, config)
        assert active(aligned, first, config).all().item() is expected


def test_a22_dat_is_on_at_the_first_step(toy):
    for config in (DATConfig(), PAPER_DAT, DATConfig(threshold=1.0)):
        first = activation_gap(toy.joints, toy.u, config)
        assert active(first, first, config).all()


def test_activation_is_per_hypothesis_and_stays_off():
    config = DATConfig(threshold=0.05)
    first = torch.ones(1, 3)
    on = active(torch.tensor([[0.051, 0.05, 0.049]]), first, config)
    assert on.tolist() == [[True, True, False]]
    again = active(torch.tensor([[0.2, 0.01, 0.2]]), first, config, on)
    assert again.tolist() == [[True, False, False]]


def test_without_activation_strategy_dat_never_stops():
    config = DATConfig(activation=False)
    off = torch.zeros(1, 2, dtype=torch.bool)
    assert active(torch.zeros(1, 2), torch.ones(1, 2), config, off).all()


@pytest.mark.parametrize("config", CONFIGS)
def test_a8_closed_form_gradient_is_autograds(toy, config: DATConfig):
    clean = toy.clean.clone().requires_grad_()
    gap = alignment_gap(joints_of(clean, toy.joint_map), toy.u, config)
    (expected,) = torch.autograd.grad(gap.sum(), clean)
    assert torch.allclose(gap_gradient(toy.joints, toy.u, toy.joint_map, config), expected, atol=1e-12)


@pytest.mark.parametrize("config", CONFIGS)
def test_a8_autograd_agrees_with_finite_differences(toy, config: DATConfig):
    def gap(clean: torch.Tensor) -> torch.Tensor:
        return alignment_gap(joints_of(clean, toy.joint_map), toy.u, config)

    assert torch.autograd.gradcheck(gap, (toy.clean.clone().requires_grad_(),))


def _descend(toy, gamma: float, alpha: float, count: int) -> list[float]:
    """Detached steps alone on h_k with h_0 = h_k / sqrt(alpha): the worst reducible gap after each."""
    h, gaps = toy.clean * alpha**0.5, []
    for _ in range(count):
        joints = joints_of(h / alpha**0.5, toy.joint_map)
        gaps.append(reducible_gap(joints, toy.u, DATConfig()).max().item())
        h = h - gamma * gap_gradient(joints, toy.u, toy.joint_map, DATConfig()) / alpha**0.5
    return gaps


@pytest.mark.parametrize("alpha", [0.1322, 0.9])
def test_a6_below_the_bound_steps_contract_and_above_they_diverge(toy, alpha: float):
    bound = stable_gamma(toy.joint_map, 5, alpha)
    below, above = _descend(toy, 0.9 * bound, alpha, 60), _descend(toy, 1.1 * bound, alpha, 60)
    assert all(b <= a for a, b in zip(below[:-1], below[1:], strict=True))
    assert above[-1] > 100 * above[0]


def test_a6_gamma_is_limited_where_the_jacobian_is_known(toy):
    wild = DATConfig(mode="detached", gamma=10.0)
    limit = stable_gamma(toy.joint_map, 5, 0.5) / 2
    assert step_gamma(wild, toy.joint_map, 5, 0.5) == pytest.approx(limit)
    assert step_gamma(replace(wild, gamma=1e-6), toy.joint_map, 5, 0.5) == 1e-6
    assert step_gamma(replace(wild, limit_gamma=False), toy.joint_map, 5, 0.5) == 10.0
    assert step_gamma(replace(wild, mode="direct"), toy.joint_map, 5, 0.5) == pytest.approx(2 * limit)
    assert step_gamma(replace(wild, reduction="mean"), toy.joint_map, 5, 0.5) == pytest.approx(5 * limit)
    assert step_gamma(PAPER_DAT, toy.joint_map, 25, 0.13) == 0.2


def test_a6_clip_limits_each_hypothesis_alone():
    step = torch.zeros(1, 2, 4, 3)
    step[0, 0, :, 0], step[0, 1, :, 0] = 5.0, 0.01
    clipped = clip_step(step, 1.0)
    assert clipped[0, 0].norm().item() == pytest.approx(1.0)
    assert torch.equal(clipped[0, 1], step[0, 1])
    assert torch.equal(clip_step(step, None), step)
