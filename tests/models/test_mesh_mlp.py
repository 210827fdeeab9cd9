"""A16: the MLP 431 -> 1723 over the vertex axis around the fixed upsampling, or over flattened coordinates."""

from __future__ import annotations

import pytest
import torch
from hmdiff.bodies.hierarchy import apply_sparse
from hmdiff.models.mesh_mlp import MeshMLP
from hmdiff.training.assemble import Assembly


@pytest.fixture(scope="module")
def mesh() -> torch.Tensor:
    return 0.4 * torch.randn(2, 431, 3, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_a16_starts_as_the_fixed_upsampling(parts: Assembly, mesh: torch.Tensor):
    mlp = MeshMLP(parts.hierarchy.up[1])
    assert torch.allclose(mlp(mesh), apply_sparse(parts.hierarchy.up[1], mesh), atol=1e-5)


@torch.no_grad()
def test_a16_vertex_axis_treats_every_coordinate_alike_and_flat_does_not(parts: Assembly, mesh: torch.Tensor):
    turned = mesh[..., [2, 0, 1]]
    for axis, alike in (("vertex", True), ("flat", False)):
        torch.manual_seed(0)
        mlp = MeshMLP(parts.hierarchy.up[1], axis=axis)  # type: ignore[arg-type]
        torch.nn.init.normal_(mlp.layers[-1].weight, std=0.05)  # type: ignore[arg-type]
        fine = mlp(mesh)
        assert fine.shape == (2, 1723, 3)
        assert torch.allclose(mlp(turned), fine[..., [2, 0, 1]], atol=1e-4) is alike


def test_a16_both_are_three_linear_layers(parts: Assembly):
    for axis, sizes in (("vertex", (431, 1723)), ("flat", (1293, 5169))):
        layers = [x for x in MeshMLP(parts.hierarchy.up[1], axis=axis).layers if isinstance(x, torch.nn.Linear)]  # type: ignore[arg-type]
        assert len(layers) == 3 and (layers[0].in_features, layers[-1].out_features) == sizes
