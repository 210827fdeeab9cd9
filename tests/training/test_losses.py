"""The paper's geometry losses by hand on one triangle (A18)."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest
import torch
from hmdiff.models.config import PAPER, LossConfig
from hmdiff.training.losses import MeshTopology, edge_loss, geometry_losses, joint_loss, normal_loss, vertex_loss

TRUTH = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
ESTIMATE = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 1]]])
"""The third corner is lifted by 1 along the true normal: edges (-1,0,0), (1,-1,-1), (0,1,1) as differences."""
TOPOLOGY = MeshTopology(torch.tensor([[0, 1, 2]]), torch.tensor([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]))


def test_vertex_and_joint_losses_are_l1_per_vertex_and_per_joint():
    assert vertex_loss(ESTIMATE, TRUTH).item() == pytest.approx(1 / 3)
    assert joint_loss(ESTIMATE, TRUTH, TOPOLOGY).item() == pytest.approx((0.5 + 0) / 2)
    shifted = TRUTH + torch.tensor([0.1, -0.2, 0.3])
    assert vertex_loss(shifted, TRUTH).item() == pytest.approx(0.6, abs=1e-6)


def test_a18_normal_loss_as_sum_and_as_mean():
    by_hand = 0 + 1 / sqrt(3) + 1 / sqrt(2)
    assert normal_loss(ESTIMATE, TRUTH, TOPOLOGY, "sum").item() == pytest.approx(by_hand, rel=1e-5)
    assert normal_loss(ESTIMATE, TRUTH, TOPOLOGY, "mean").item() == pytest.approx(by_hand / 3, rel=1e-5)
    assert normal_loss(TRUTH, TRUTH, TOPOLOGY, "sum").item() == pytest.approx(0, abs=1e-6)


def test_a18_edge_loss_as_sum_and_as_mean():
    by_hand = 0 + (sqrt(3) - sqrt(2)) + (sqrt(2) - 1)
    assert edge_loss(ESTIMATE, TRUTH, TOPOLOGY, "sum").item() == pytest.approx(by_hand, rel=1e-5)
    assert edge_loss(ESTIMATE, TRUTH, TOPOLOGY, "mean").item() == pytest.approx(by_hand / 3, rel=1e-5)
    assert edge_loss(2 * TRUTH, TRUTH, TOPOLOGY, "sum").item() == pytest.approx(2 + sqrt(2), rel=1e-5)


def test_total_has_the_papers_weights():
    total, each = geometry_losses(ESTIMATE, TRUTH, torch.ones(1), TOPOLOGY, PAPER.loss)
    by_hand = 0.1 / 3 + 1.0 * 0.25 + 1e-4 * (1 / sqrt(3) + 1 / sqrt(2)) + 0.005 * (sqrt(3) - 1)
    assert total.item() == pytest.approx(by_hand, rel=1e-5)
    assert set(each) == {"L_v", "L_j", "L_n", "L_e"} and each["L_j"] == pytest.approx(0.25)
    means, _ = geometry_losses(ESTIMATE, TRUTH, torch.ones(1), TOPOLOGY, replace(PAPER.loss, reduction="mean"))
    assert means.item() == pytest.approx(0.1 / 3 + 0.25 + (by_hand - 0.1 / 3 - 0.25) / 3, rel=1e-5)


def test_people_at_too_high_noise_do_not_count():
    two, truth = torch.cat([ESTIMATE, 50 * ESTIMATE]), torch.cat([TRUTH, TRUTH])
    gated, _ = geometry_losses(two, truth, torch.tensor([1.0, 0.0]), TOPOLOGY, LossConfig())
    alone, _ = geometry_losses(ESTIMATE, TRUTH, torch.ones(1), TOPOLOGY, LossConfig())
    assert gated.item() == pytest.approx(alone.item())
    none, _ = geometry_losses(two, truth, torch.zeros(2), TOPOLOGY, LossConfig())
    assert none.item() == 0


def test_collapsed_edges_give_finite_gradients():
    flat = torch.zeros(1, 3, 3, requires_grad=True)
    total, _ = geometry_losses(flat, TRUTH, torch.ones(1), TOPOLOGY, LossConfig(normal=1, edge=1))
    total.backward()
    assert flat.grad is not None and torch.isfinite(flat.grad).all()
