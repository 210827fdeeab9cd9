"""Stage 3: the MLP from 431 to 1723 vertices, trained on the model's own sample means."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..models.hmdiff import HMDiff
from ..synthesis.batch import Batch
from .loop import Stream


class MeshTask:
    """Input: sampled means where they are affordable. Each batch samples afresh with two hypotheses and few steps."""

    name = "mesh"

    def __init__(self, model: HMDiff, stream: Stream, middle_indices: Tensor, held_out: Batch) -> None:
        self.model = model.requires_grad_(False).eval()
        self.module: nn.Module = model.mlp.requires_grad_(True)
        self.middle = stream.setup.body.subset(middle_indices).to(stream.setup.device)
        self.held_out = held_out

    def truth(self, batch: Batch) -> Tensor:
        """(N,1723,3) relative to the pelvis."""
        vertices, joints = self.middle(batch.people.betas, batch.people.rotations)
        return vertices - joints[:, :1]

    def sampled_mean(self, batch: Batch) -> Tensor:
        from dataclasses import replace

        sampler = replace(self.model.config.sampler, steps=4, hypotheses=2)
        keys = torch.randint(0, 2**31, (len(batch.inputs),))
        return self.model.sample(batch.inputs, keys, sampler=sampler).mean

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        with torch.no_grad():
            mean = self.sampled_mean(batch)
        error = (self.module(mean).float() - self.truth(batch)).norm(dim=-1).mean()
        return error, {"vertex_mm": 1000 * error.item()}

    def validate(self, module: nn.Module) -> dict[str, float]:
        mean, truth = self.sampled_mean(self.held_out), self.truth(self.held_out)
        upsampled = torch.einsum("mv,nvc->nmc", self.model.mlp.upsampling, mean)
        return {
            "mlp_mpve_mm": 1000 * float((module(mean) - truth).norm(dim=-1).mean()),
            "upsampling_mpve_mm": 1000 * float((upsampled - truth).norm(dim=-1).mean()),
        }
