"""How wrong the regressed mesh may be in a picture: the covariance of its error along its usual directions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

SpreadKind = Literal["full", "diagonal"]
INNER = 192
_NARROWEST, _WIDEST = -2.5, 2.0
"""Of the logarithm of a standard deviation over the usual one."""
_FARTHEST = 4.0
"""How far one direction may lean on another, so that no picture, however odd, gives meshes without bounds."""


class FullSpread(nn.Module):
    """(B,W) the regressor's state -> (B,r,r) lower triangular F: the covariance of the error's coefficients, each over
    its usual deviation, is F F^T. Starts as the identity, which is the usual spread in every picture.
    """

    place: Tensor

    def __init__(self, hidden: int, rank: int) -> None:
        super().__init__()
        self.rank = rank
        self.inner = nn.Linear(hidden, INNER)
        self.out = nn.Linear(INNER, rank * (rank + 1) // 2)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        rows, columns = torch.tril_indices(rank, rank, -1)
        self.register_buffer("place", rows * rank + columns, persistent=False)

    def forward(self, hidden: Tensor) -> Tensor:
        raw = self.out(torch.nn.functional.gelu(self.inner(hidden))).float()
        diagonal = raw[:, : self.rank].clamp(_NARROWEST, _WIDEST).exp()
        beside = _FARTHEST * torch.tanh(raw[:, self.rank :] / _FARTHEST)
        flat = raw.new_zeros(len(raw), self.rank * self.rank).index_copy(1, self.place, beside)
        return flat.view(-1, self.rank, self.rank) + torch.diag_embed(diagonal)

    def nll(self, hidden: Tensor, coefficients: Tensor) -> Tensor:
        """Mean over pictures and directions of the negative log likelihood, 0.5 for the usual spread everywhere."""
        factor = self(hidden)
        white = torch.linalg.solve_triangular(factor, coefficients.float()[..., None], upper=False)[..., 0]
        return (0.5 * white**2 + torch.diagonal(factor, dim1=1, dim2=2).log()).mean()


class DiagonalSpread(nn.Linear):
    """(B,W) -> (B,r): the logarithm of the variance along each direction over the usual one."""

    def __init__(self, hidden: int, rank: int) -> None:
        super().__init__(hidden, rank)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def scale(self, hidden: Tensor) -> Tensor:
        """(B,r) of the variance."""
        return torch.exp(self(hidden).float().clamp(-5.0, 4.0))

    def nll(self, hidden: Tensor, coefficients: Tensor) -> Tensor:
        """As ``FullSpread.nll``."""
        log_scale = self(hidden).float().clamp(-5.0, 4.0)
        return 0.5 * (coefficients**2 * torch.exp(-log_scale) + log_scale).mean()
