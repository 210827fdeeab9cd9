"""All randomness of a set of hypotheses, the same in every frame of a track."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .config import SamplerConfig
from .regressor import N_COARSE, N_J14


@dataclass(frozen=True)
class TrackNoise:
    """start (N,431,3), steps (S,N,431,3), u (U,14,5) uniform; for exact sampling also inside (S+1,N,r), what h_k leaves
    open of x0 (the last is the start's), and aim (S,N,14,3), where in U each hypothesis is drawn to.
    """

    start: Tensor
    steps: Tensor
    u: Tensor
    inside: Tensor
    aim: Tensor


def draw_noise(key: int, seed: int, sampler: SamplerConfig, rank: int) -> TrackNoise:
    """The same key, seed and settings give the same noise on every machine (drawn on the CPU)."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + key * 7919 + 17) % (2**63))
    n, steps = sampler.hypotheses, sampler.steps

    def normal(*shape: int, over: int) -> Tensor:
        noise = torch.randn(*shape, generator=generator)
        return centred(noise, over) if sampler.centred else noise

    start, moves = normal(n, N_COARSE, 3, over=0), normal(steps, n, N_COARSE, 3, over=1)
    u = torch.rand(sampler.u_samples, N_J14, 5, generator=generator)
    return TrackNoise(start, moves, u, normal(steps + 1, n, rank, over=1), normal(steps, n, N_J14, 3, over=1))


def centred(noise: Tensor, over: int) -> Tensor:
    """Standard normal noise whose sum over an axis is nothing, each still of variance 1; of one alone, nought."""
    count = noise.shape[over]
    return (noise - noise.mean(over, keepdim=True)) * (count / max(1, count - 1)) ** 0.5
