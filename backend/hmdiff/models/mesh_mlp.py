"""The MLP that makes 1723 vertices from the mean of the samples (paper 4.3; note A16)."""

from __future__ import annotations

from typing import Literal

import torch
from scipy import sparse
from torch import Tensor, nn

from ..bodies.hierarchy import to_torch_sparse
from .regressor import N_COARSE

N_MIDDLE = 1723


class MeshMLP(nn.Module):
    """Three linear layers (N,431,3) -> (N,1723,3).

    axis ``vertex``: over the vertex axis, as METRO, with the fixed upsampling as a skip and a last layer that starts at
    zero; ``flat``: over the flattened 1293 coordinates, without skip (the other reading of the supplement).
    """

    upsampling: Tensor

    def __init__(self, up: sparse.csr_matrix, inner: int = 192, axis: Literal["vertex", "flat"] = "vertex") -> None:
        super().__init__()
        self.axis = axis
        width = 1 if axis == "vertex" else 3
        self.layers = nn.Sequential(
            nn.Linear(N_COARSE * width, inner),
            nn.GELU(),
            nn.Linear(inner, inner),
            nn.GELU(),
            nn.Linear(inner, N_MIDDLE * width),
        )
        self.register_buffer("upsampling", to_torch_sparse(up).to_dense(), persistent=False)
        if axis == "vertex":
            last = self.layers[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, mesh: Tensor) -> Tensor:
        if self.axis == "flat":
            return self.layers(mesh.flatten(1)).view(-1, N_MIDDLE, 3)
        learned = self.layers(mesh.transpose(1, 2)).transpose(1, 2)
        return torch.einsum("mv,nvc->nmc", self.upsampling, mesh) + learned
