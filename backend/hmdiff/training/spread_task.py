"""Between stages 1 and 2: how wrong the regressed mesh is in each picture, along the directions of its usual errors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..models.hmdiff import HMDiff
from ..synthesis.batch import Batch


class SpreadTask:
    """Gaussian likelihood of the error's coefficients, with the regressor frozen."""

    name = "spread"

    def __init__(self, model: HMDiff, held_out: Batch) -> None:
        self.model = model
        self.module: nn.Module = model.spread
        self.held_out = held_out
        model.regressor.requires_grad_(False).eval()

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        nll = self._nll(batch, self.module)
        return nll, {"nll": nll.item()}

    def validate(self, module: nn.Module) -> dict[str, float]:
        return {"nll": float(self._nll(self.held_out, module))}

    def _nll(self, batch: Batch, module: nn.Module) -> Tensor:
        """Mean over directions, against 0.5 for a spread that is the same in every picture."""
        with torch.no_grad():
            regression = self.model.regressor(batch.inputs)
            deviation = self.model.basis.norm(dim=0).clamp_min(1e-8)
            error = (batch.people.vertices - regression.mesh.float()).flatten(1)
            squared = (error @ (self.model.basis / deviation) / deviation) ** 2
        log_scale = module(regression.hidden).float().clamp(-5.0, 4.0)
        return 0.5 * (squared * torch.exp(-log_scale) + log_scale).mean()
