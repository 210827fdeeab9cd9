"""HMDiff with DAT: features -> U -> the reverse diffusion of Algorithm 1 -> mean -> MLP -> mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..bodies.hierarchy import Hierarchy, apply_sparse
from ..bodies.joint_maps import JointMaps
from ..diffusion.dat import (
    DATConfig,
    MeshPrior,
    activation_gap,
    active,
    alignment_gap,
    clip_step,
    gap_gradient,
    joints_of,
    linear_denoise,
    posterior_step,
    step_gamma,
)
from ..diffusion.ddim import Step, ddim_step, step_plan
from ..diffusion.schedule import alpha_bars, to_epsilon, to_x0
from .config import HMDiffConfig, SamplerConfig
from .denoiser import Denoiser, ImageContext
from .evidence import seen_pose
from .features import WANT_POSE, ProxyFeatures
from .inputs import ModelInputs
from .mesh_mlp import MeshMLP
from .pose_head import most_likely_pose, paint, sample_poses
from .regressor import N_COARSE, N_J14, Regression, Regressor
from .spread import DiagonalSpread, FullSpread
from .temporal import TemporalFusion, look_around
from .track_noise import TrackNoise, draw_noise

CACHED = 20
"""Hypotheses that a processor denoises at a time: 10 to 20 % quicker than 80 together (measured)."""
BASIS_RANK = 48
SAMPLE_STAGES = ("regressor", "features", "u", "sampling", "mesh")


@dataclass(frozen=True)
class MeshSamples:
    """Root-centred, camera axes, metres.

    samples (B,N,431,3); mean (B,431,3) or the medoid; middle (B,1723,3); vertices (B,V,3); regression: the first guess;
    u (B,S,14,3) pose samples; active_steps (B,N): on how many steps DAT worked.
    """

    samples: Tensor
    mean: Tensor
    middle: Tensor
    vertices: Tensor
    regression: Regression
    u: Tensor
    active_steps: Tensor


class HMDiff(nn.Module):
    """The whole model.

    basis (1293,48): principal directions of m's errors; spread predicts their covariance in this picture. Both serve
    the posterior form of DAT, the linear estimate under the denoiser and exact sampling.
    """

    basis: Tensor
    joint_map: Tensor
    landmark_map: Tensor

    def __init__(self, config: HMDiffConfig, hierarchy: Hierarchy, maps: JointMaps) -> None:
        super().__init__()
        self.config = config
        self.regressor = Regressor(config.regressor)
        self.features = ProxyFeatures(config.regressor.width, source=config.features)
        spread = FullSpread if config.spread == "full" else DiagonalSpread
        self.spread = spread(config.regressor.width, BASIS_RANK)
        self.temporal = TemporalFusion(config.temporal, config.regressor.width) if config.temporal else None
        self.denoiser = Denoiser(config.denoiser, hierarchy.hops, maps.coarse_j14, config.prediction == "x0")
        self.mlp = MeshMLP(hierarchy.up[1], axis=config.mlp_axis)
        self.up = hierarchy.up[0]
        self.register_buffer("basis", torch.zeros(N_COARSE * 3, BASIS_RANK))
        self.register_buffer("joint_map", torch.from_numpy(maps.coarse_j14), persistent=False)
        self.register_buffer("landmark_map", torch.from_numpy(maps.coarse_landmarks), persistent=False)
        self.bars = alpha_bars(config.schedule)

    def noise_for_track(self, key: int, seed: int, sampler: SamplerConfig) -> TrackNoise:
        """The same key, seed and settings give the same noise on every machine (drawn on the CPU)."""
        return draw_noise(key, seed, sampler, BASIS_RANK)

    def image_tokens(self, inputs: ModelInputs, regression: Regression) -> Tensor:
        """f_I (B,49,128)."""
        if self.config.features not in WANT_POSE:
            return self.features(inputs, regression.hidden)
        with torch.no_grad(), torch.autocast(inputs.grid.device.type, enabled=False):
            heatmaps = paint(regression.u)
        return self.features(inputs, regression.hidden, heatmaps)

    def sample(
        self,
        inputs: ModelInputs,
        keys: Tensor,
        seed: int = 0,
        sampler: SamplerConfig | None = None,
        dat: DATConfig | None = None,
        on_stage: Callable[[str], None] = lambda stage: None,
        hidden: Tensor | None = None,
    ) -> MeshSamples:
        """Run Algorithm 1 for B pictures at once; keys (B,) track ids that choose the noise; on_stage hears each of
        SAMPLE_STAGES when it is done. hidden (B,W): the regressor's state after a look at the neighbouring frames, for
        pictures of a video. A ``direct`` model gives its one mesh as the only hypothesis.
        """
        sampler, dat = sampler or self.config.sampler, dat or self.config.dat
        with torch.no_grad():
            regression = self.regress(inputs) if hidden is None else self.regressor.read(hidden)
            on_stage("regressor")
            context = self.denoiser.context(self.image_tokens(inputs, regression))
            on_stage("features")
            if self.config.process == "direct":
                mesh = self.direct_mesh(regression.mesh, context)[:, None]
                on_stage("sampling")
                none = mesh.new_zeros(len(mesh), 0, N_J14, 3)
                return self._finish(mesh, regression, none, mesh.new_zeros(len(mesh), 1), sampler, on_stage)
        noises = {int(key): self.noise_for_track(int(key), seed, sampler) for key in keys.unique()}
        chosen = [noises[int(key)] for key in keys]
        device = inputs.landmarks.device

        def stacked(part: Callable[[TrackNoise], Tensor]) -> Tensor:
            return sampler.temperature * torch.stack([part(noise) for noise in chosen]).to(device)

        start = stacked(lambda noise: noise.start)
        inside = stacked(lambda noise: noise.inside) if sampler.exact else None
        aim = stacked(lambda noise: noise.aim) if sampler.exact else None
        with torch.no_grad():
            u, covariance = self._pose_distribution(inputs, regression, [one.u for one in chosen], sampler, dat)
            prior = self.prior(regression).widened(sampler.widen)
        on_stage("u")
        h = self._start(start, regression.mesh, u, sampler, prior, None if inside is None else inside[:, -1])
        repeated = context.repeat(sampler.hypotheses)
        first_gap: Tensor | None = None
        on: Tensor | None = None
        worked = torch.zeros(h.shape[:2], device=device)
        for number, step in enumerate(step_plan(self.bars, sampler.steps, sampler.eta)):
            noise = stacked(lambda one, at=number: one.steps[at])
            open_ = None if inside is None or aim is None else (inside[:, number], aim[:, number])
            h, first_gap, on = self._reverse(
                h, step, noise, repeated, regression.mesh, u, covariance, first_gap, on, dat, prior, open_
            )
            worked += on
        on_stage("sampling")
        return self._finish(h, regression, u, worked, sampler, on_stage)

    def regress(self, inputs: ModelInputs) -> Regression:
        """What the regressor says of pictures that have no neighbours: clips of one frame."""
        hidden = self.regressor.look(inputs)
        if self.temporal is None:
            return self.regressor.read(hidden)
        return look_around(self.regressor, self.temporal, hidden[:, None], hidden.new_ones(len(hidden), 1).bool())

    def direct_mesh(self, mesh: Tensor, context: ImageContext, subset: Tensor | None = None) -> Tensor:
        """Baselines A and B: m (B,431,3) in, the mesh out (all or a subset of its vertices), in one pass."""
        around = (mesh, mesh) if self.config.denoiser.around_mesh else None
        step = torch.zeros(len(mesh), dtype=torch.long, device=mesh.device)
        return self.denoiser(mesh, step, context, around, subset).float()

    def _pose_distribution(
        self, inputs: ModelInputs, regression: Regression, uniform: list[Tensor], sampler: SamplerConfig, dat: DATConfig
    ) -> tuple[Tensor, Tensor]:
        """U as samples (B,S,14,3) and their covariance (B,14,3,3); of what is ``seen`` the mean is the one sample."""
        if dat.target == "seen":
            seen = seen_pose(inputs, regression, self.joint_map, self.landmark_map)
            return seen.mean[:, None], seen.covariance
        heatmaps = paint(regression.u)
        if dat.target == "single":
            u = most_likely_pose(heatmaps)[:, None]
        else:
            u = sample_poses(heatmaps, torch.stack(uniform).to(heatmaps.xy.device), sampler.u_reading)
        centred = u - u.mean(1, keepdim=True)
        covariance = torch.einsum("bsji,bsjk->bjik", centred, centred) / max(1, u.shape[1] - 1)
        return u, covariance + 4e-4 * torch.eye(3, device=u.device)

    def prior(self, regression: Regression) -> MeshPrior:
        """How wrong m may be in these pictures."""
        if isinstance(self.spread, DiagonalSpread):
            return MeshPrior.of(self.basis, self.joint_map, self.spread.scale(regression.hidden))
        return MeshPrior.of_covariance(self.basis, self.joint_map, self.spread(regression.hidden))

    def predict_x0(self, h: Tensor, step: Step, context: ImageContext, mesh: Tensor, prior: MeshPrior) -> Tensor:
        """h (B,N,431,3), context repeated N times -> clean estimate (B,N,431,3)."""
        batch, n = h.shape[:2]
        flat = h.flatten(0, 1)
        k = torch.full((batch * n,), step.k, device=h.device)
        bar = torch.tensor(step.alpha_bar, device=h.device)
        around = self.around(flat, mesh.repeat_interleave(n, 0), bar.expand(batch * n), prior.repeat(n))
        with torch.autocast(
            h.device.type, torch.bfloat16, enabled=not torch.is_grad_enabled() and fast_bfloat16(h.device)
        ):
            out = self._denoise(flat, k, context, around)
        return to_x0(out.float(), flat, bar, self.config.prediction).unflatten(0, (batch, n))

    def _denoise(self, noisy: Tensor, k: Tensor, context: ImageContext, around: tuple[Tensor, Tensor] | None) -> Tensor:
        """g of all hypotheses; a few at a time where a processor's caches hold no more."""
        if noisy.device.type != "cpu" or torch.is_grad_enabled() or len(noisy) <= CACHED:
            return self.denoiser(noisy, k, context, around)
        parts = []
        for rows in (slice(first, first + CACHED) for first in range(0, len(noisy), CACHED)):
            near = None if around is None else (around[0][rows], around[1][rows])
            parts.append(self.denoiser(noisy[rows], k[rows], context[rows], near))
        return torch.cat(parts)

    def around(self, noisy: Tensor, mesh: Tensor, alpha_bar: Tensor, prior: MeshPrior) -> tuple[Tensor, Tensor] | None:
        """m and the linear estimate of x0 around it, for a denoiser that wants them. All (B,431,3), alpha_bar (B,)."""
        if not self.config.denoiser.around_mesh:
            return None
        return mesh, linear_denoise(noisy, mesh, alpha_bar, prior)

    def _start(
        self, noise: Tensor, mesh: Tensor, u: Tensor, sampler: SamplerConfig, prior: MeshPrior, inside: Tensor | None
    ) -> Tensor:
        bar = float(self.bars[-1])
        if sampler.init == "noise":
            return noise
        centre = mesh[:, None].expand_as(noise)
        if sampler.init == "pose":
            picked = u[:, torch.arange(noise.shape[1]) % u.shape[1]]
            exact = 1e-4 * torch.eye(3, device=u.device).expand(len(u), N_J14, 3, 3)
            joints = joints_of(centre, self.joint_map)
            centre = posterior_step(centre, joints, picked, exact, prior, prior.variance, DATConfig())
        if inside is not None:
            centre = centre + prior.draw(inside, prior.variance)
        return bar**0.5 * centre + (1 - bar) ** 0.5 * noise

    def _reverse(
        self, h: Tensor, step: Step, noise: Tensor, context: ImageContext, mesh: Tensor, u: Tensor,
        covariance: Tensor, first_gap: Tensor | None, before: Tensor | None, dat: DATConfig, prior: MeshPrior,
        inside: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor | None, Tensor]:  # fmt: skip
        """One step of Algorithm 1: predict, align, move. Returns h_{k-1}, D_K and where DAT was on. inside: the noise
        of exact sampling, (B,N,48) and (B,N,14,3).
        """
        bar = torch.tensor(step.alpha_bar, device=h.device)
        needs_gradient = dat.mode == "full"
        with torch.set_grad_enabled(needs_gradient):
            h = h.detach().requires_grad_(needs_gradient)
            clean = self.predict_x0(h, step, context, mesh, prior)
            joints = joints_of(clean, self.joint_map)
            pull = torch.zeros_like(h)
            if dat.mode == "full":
                (pull,) = torch.autograd.grad(alignment_gap(joints, u, dat).sum(), h)
        h, clean, joints = h.detach(), clean.detach(), joints.detach()
        with torch.no_grad():
            gap = activation_gap(joints, u, dat)
            first_gap = gap if first_gap is None else first_gap
            on = active(gap, first_gap, dat, before) if dat.mode != "none" else torch.zeros_like(gap, dtype=torch.bool)
            gate = on[..., None, None].to(h)
            if inside is not None:
                clean = clean + prior.draw(inside[0], prior.remaining_variance(step.alpha_bar))
                joints = joints_of(clean, self.joint_map)
            if dat.mode == "posterior":
                aligned = self._posterior(
                    clean, joints, u, covariance, step, dat, prior, None if inside is None else inside[1]
                )
                clean = torch.where(on[..., None, None], aligned, clean)
            moved = ddim_step(clean, to_epsilon(clean, h, bar), step, noise)
            # At zero signal (A4) the estimate does not depend on h_k, so there is nothing to pull through it.
            if dat.mode == "detached" and step.alpha_bar > 0:
                pull = gap_gradient(joints, u, self.joint_map, dat) / step.alpha_bar**0.5
            elif dat.mode == "direct":
                pull = gap_gradient(joints_of(h, self.joint_map), u, self.joint_map, dat)
            gamma = step_gamma(dat, self.joint_map, u.shape[1], step.alpha_bar)
            return moved - gate * clip_step(gamma * pull, dat.clip), first_gap, on

    def _posterior(
        self, clean: Tensor, joints: Tensor, u: Tensor, covariance: Tensor, step: Step, dat: DATConfig,
        prior: MeshPrior, aim: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        variance = prior.remaining_variance(step.alpha_bar)
        if dat.target == "seen":
            middle = clean.mean(1, keepdim=True)
            moved = posterior_step(middle, joints.mean(1, keepdim=True), u, covariance, prior, variance, dat)
            return clean + (moved - middle)
        if dat.target == "sample":
            target = u[:, torch.arange(clean.shape[1]) % u.shape[1]]
        else:
            target = u.mean(1, keepdim=True)
            if aim is not None:
                root = torch.linalg.cholesky(covariance / dat.trust)
                target = target + torch.einsum("bjik,bnjk->bnji", root, aim)
        return posterior_step(clean, joints, target, covariance, prior, variance, dat)

    @torch.no_grad()
    def _finish(
        self, samples: Tensor, regression: Regression, u: Tensor, worked: Tensor, sampler: SamplerConfig,
        on_stage: Callable[[str], None],
    ) -> MeshSamples:  # fmt: skip
        mean = samples.mean(1)
        if sampler.combine == "medoid":
            flat = samples.flatten(2)
            best = torch.cdist(flat, flat).sum(-1).argmin(1)
            mean = samples[torch.arange(len(samples)), best]
        middle = self.mlp(mean)
        vertices = apply_sparse(self.up, middle)
        on_stage("mesh")
        return MeshSamples(samples, mean, middle, vertices, regression, u, worked)


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products are quicker than float32 ones there."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())
