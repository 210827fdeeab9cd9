"""Between stages 1 and 2: how wrong the regressed mesh is in each picture, along the directions of its usual errors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..models.hmdiff import HMDiff
from ..models.regressor import Regression
from ..models.spread import DiagonalSpread, FullSpread
from ..models.temporal import look_around
from ..synthesis.batch import Batch
from .clip_stream import ClipBatch


class SpreadTask:
    """Gaussian likelihood of the error's coefficients, with the regressor (and its look around) frozen."""

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

    def _regress(self, batch: Batch) -> Regression:
        model = self.model
        if isinstance(batch, ClipBatch) and model.temporal is not None:
            hidden = model.regressor.look(batch.inputs).view(*batch.found.shape, -1)
            return look_around(model.regressor, model.temporal, hidden, batch.found)
        return model.regress(batch.inputs)

    def _nll(self, batch: Batch, module: nn.Module) -> Tensor:
        """Mean over directions, against 0.5 for a spread that is the same in every picture."""
        with torch.no_grad():
            regression = self._regress(batch)
            deviation = self.model.basis.norm(dim=0).clamp_min(1e-8)
            error = (batch.people.vertices - regression.mesh.float()).flatten(1)
            coefficients = error @ (self.model.basis / deviation) / deviation
        assert isinstance(module, FullSpread | DiagonalSpread)
        return module.nll(regression.hidden, coefficients)
