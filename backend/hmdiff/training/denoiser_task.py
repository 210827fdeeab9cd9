"""Stage 2: the denoiser g and the features it attends to, with the regressor frozen."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..bodies.joint_maps import J14_OF_24
from ..diffusion.schedule import add_noise, to_x0, training_target
from ..evaluation.metrics.joints import pa_mpjpe
from ..models.hmdiff import HMDiff
from ..synthesis.batch import Batch
from .losses import MeshTopology, geometry_losses, vertex_loss

FARTHEST = 100.0
"""A joint this many metres from the pelvis is a diverged sample."""


class DenoiserModule(nn.Module):
    """The trained parts alone, so that the optimizer and the moving average see nothing else."""

    def __init__(self, model: HMDiff) -> None:
        super().__init__()
        self.features = model.features
        self.denoiser = model.denoiser


class DenoiserTask:
    """Random subsets of vertices most of the time (note 4.4: two cores), all of them with geometry losses at times.

    subset: how many vertices a cheap step sees; full_every: each n-th step is a full one, on a part of the batch.
    """

    def __init__(
        self,
        model: HMDiff,
        topology: MeshTopology,
        held_out: Batch,
        subset: int = 128,
        full_every: int = 6,
        name: str = "denoiser",
    ) -> None:
        self.name = name
        self.model = model
        self.module = DenoiserModule(model)
        self.topology = topology
        self.held_out = held_out
        self.subset, self.full_every = subset, full_every
        self.turn = 0
        model.regressor.requires_grad_(False).eval()

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        self.turn += 1
        full = self.turn % self.full_every == 0
        rows = slice(0, max(2, len(batch.inputs) // 4)) if full else slice(None)
        inputs, truth = batch.inputs[rows], batch.people.vertices[rows]
        device = truth.device
        with torch.no_grad():
            regression = self.model.regress(inputs)
            mesh = regression.mesh.float()
            prior = self.model.prior(regression)
        config, bars = self.model.config, self.model.bars.to(device)
        chosen = None if full else torch.randperm(truth.shape[1], generator=generator, device=device)[: self.subset]
        context = self.module.denoiser.context(self.model.image_tokens(inputs, regression))
        if config.process == "direct":
            return self._direct_loss(self.model.direct_mesh(mesh, context, chosen), truth, chosen)
        k = _antithetic_steps(len(truth), len(bars) - 1, generator)
        bar = bars[k].float()[:, None, None]
        noise = torch.randn(truth.shape, generator=generator, device=device)
        noisy = add_noise(truth, noise, bar)
        around = self.model.around(noisy, mesh, bar.flatten(), prior)
        output = self.module.denoiser(noisy, k, context, around, chosen).float()
        target = training_target(truth, noise, bar, config.prediction)
        if chosen is not None:
            target, noisy, truth = target[:, chosen], noisy[:, chosen], truth[:, chosen]
        squared = ((output - target) ** 2).mean((1, 2))
        if config.loss.weighting == "min_snr":
            snr = (bar / (1 - bar)).flatten()
            scale = {"x0": torch.ones_like(snr), "epsilon": snr, "v": snr + 1}[config.prediction]
            squared = squared * snr.clamp_max(5.0) / scale
        # The paper's ||.||^2 sums over all coordinates (A18); the mean is scaled to the size of the geometry terms.
        size = 100.0 if config.loss.reduction == "mean" else float(batch.people.vertices[0].numel())
        loss = size * config.loss.diffusion * squared.mean()
        clean = to_x0(output, noisy, bar, config.prediction)
        distance = (clean - truth).norm(dim=-1).mean()
        terms = {"L_diff": squared.mean().item(), "x0_mm": 1000 * distance.item()}
        gate = (k <= config.loss.geometry_until * (len(bars) - 1)).float()
        if full:
            geometry, each = geometry_losses(clean, truth, gate, self.topology, config.loss)
            return loss + geometry, each
        vertex = (vertex_loss(clean, truth) * gate).sum() / gate.sum().clamp_min(1)
        return loss + config.loss.vertex * vertex, terms

    def _direct_loss(self, mesh: Tensor, truth: Tensor, chosen: Tensor | None) -> tuple[Tensor, dict[str, float]]:
        """The same losses for Baselines A and B, L_diff being the squared error of the mesh itself."""
        config = self.model.config.loss
        wanted = truth if chosen is None else truth[:, chosen]
        squared = ((mesh - wanted) ** 2).mean()
        size = 100.0 if config.reduction == "mean" else float(truth[0].numel())
        loss = size * config.diffusion * squared
        if chosen is None:
            gate = torch.ones(len(truth), device=truth.device)
            geometry, each = geometry_losses(mesh, truth, gate, self.topology, config)
            return loss + geometry, each
        vertex = vertex_loss(mesh, wanted).mean()
        distance = (mesh - wanted).norm(dim=-1).mean()
        return loss + config.vertex * vertex, {"L_diff": squared.item(), "x0_mm": 1000 * distance.item()}

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Sample held-out people in at most 10 steps, with and without DAT, against the regressor alone."""
        from dataclasses import replace

        model, people = self.model, self.held_out.people
        model.eval()
        keys = torch.arange(len(people.vertices))
        truth = people.joints[:, list(J14_OF_24)].cpu().numpy()
        joint_map = model.joint_map
        # The paper's 40 steps and 25 hypotheses would take longer than the training they watch.
        chosen = model.config.sampler
        sampler = replace(chosen, steps=min(chosen.steps, 10), hypotheses=min(chosen.hypotheses, 5))
        result: dict[str, float] = {}
        for label, dat in (("dat", model.config.dat), ("no_dat", replace(model.config.dat, mode="none"))):
            out = model.sample(self.held_out.inputs, keys, sampler=sampler, dat=dat)
            joints = torch.einsum("jv,bnvc->bnjc", joint_map, out.samples).cpu().numpy()
            mean = torch.einsum("jv,bvc->bjc", joint_map, out.mean).cpu().numpy()
            # The literal step of the paper can overshoot with a weak denoiser (A6); that is a result, not a crash.
            sane = np.nan_to_num(np.abs(joints), nan=np.inf).max(axis=(1, 2, 3)) < FARTHEST
            if not sane.all():
                result[f"{label}_diverged"] = float(1 - sane.mean())
            if not sane.any():
                continue
            joints, mean, truth_here = joints[sane], mean[sane], truth[sane]
            each = pa_mpjpe(joints, truth_here[:, None])
            result |= {
                f"{label}_pa": float(pa_mpjpe(mean, truth_here).mean()),
                f"{label}_best": float(each.min(1).mean()),
            }
            if label == "dat":
                first = torch.einsum("jv,bvc->bjc", joint_map, out.regression.mesh).cpu().numpy()
                result["regressor_pa"] = float(pa_mpjpe(first, truth).mean())
        return result


def _antithetic_steps(count: int, top: int, generator: torch.Generator) -> Tensor:
    """k and K + 1 - k in pairs (note A19): uniform, with less variance."""
    half = torch.randint(1, top + 1, ((count + 1) // 2,), generator=generator, device=generator.device)
    return torch.cat([half, top + 1 - half])[:count]
