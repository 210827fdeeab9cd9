"""eps_phi of ScoreHMR (supplement, Fig. 5; method_notes 2.3): a residual MLP over the code, the time and c.

Linear D -> D, three residual blocks (1024 wide as published, 768 as shipped) with c concatenated to their input and the
time as a scale and shift, Linear D -> D. ``epsilon`` is that network reading and answering in 6D, as published.
``preconditioned`` (default) lets it correct the best linear denoiser instead, worked out from the poses' mean and
principal directions (Karras et al. 2022, per direction): its answer has unit variance at every noise level, so a small
network learns in minutes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from .condition import LANDMARK_PART, REGRESSION_PART, SIZE
from .pose_code import BetaRange, PoseCode
from .schedule import cosine_alpha_bars

Parametrisation = Literal["epsilon", "preconditioned"]


@dataclass(frozen=True)
class ScoreConfig:
    """condition_size: of c (0 for a prior of poses alone); betas: limits where the code holds them."""

    hidden: int = 768
    blocks: int = 3
    time_width: int = 144
    time_inner: int = 160
    condition_size: int = SIZE
    parametrisation: Parametrisation = "preconditioned"
    betas: BetaRange | None = None

    @property
    def code(self) -> PoseCode:
        return PoseCode(self.betas)


class Block(nn.Module):
    """Residual MLP with the condition at its entry and the time as scale and shift."""

    def __init__(self, size: int, hidden: int, condition_size: int, time_inner: int) -> None:
        super().__init__()
        self.entry = nn.Linear(size, hidden)
        self.told = nn.Linear(condition_size, hidden, bias=False)
        self.film = nn.Linear(time_inner, 2 * hidden)
        self.norm = nn.LayerNorm(hidden)
        self.exit = nn.Linear(hidden, size)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)
        nn.init.normal_(self.exit.weight, std=0.3 / hidden**0.5)
        nn.init.zeros_(self.exit.bias)

    def forward(self, x: Tensor, context: Tensor | None, time: Tensor) -> Tensor:
        h = self.entry(x)
        if context is not None:
            h = h + context
        scale, shift = self.film(time).chunk(2, -1)
        return x + self.exit(nn.functional.gelu(self.norm(h) * (scale + 1) + shift))


class ScoreDenoiser(nn.Module):
    """eps(x_t, t, c) with c either (B,condition_size) or the answer of ``context`` (B,blocks,hidden), which saves the
    products with c at every step.
    """

    mean: Tensor
    basis: Tensor
    variance: Tensor
    condition_mean: Tensor
    condition_std: Tensor
    bars: Tensor

    def __init__(self, config: ScoreConfig) -> None:
        super().__init__()
        self.config = config
        size = config.code.size
        self.time = nn.Sequential(
            nn.Linear(config.time_width, config.time_inner), nn.GELU(), nn.Linear(config.time_inner, config.time_inner),
            nn.SiLU(),
        )  # fmt: skip
        self.entry = nn.Linear(size, size)
        blocks = [Block(size, config.hidden, config.condition_size, config.time_inner) for _ in range(config.blocks)]
        self.blocks = nn.ModuleList(blocks)
        self.exit = nn.Linear(size, size)
        nn.init.normal_(self.exit.weight, std=0.2 / size**0.5)
        nn.init.zeros_(self.exit.bias)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.eye(size))
        self.register_buffer("variance", torch.ones(size))
        self.register_buffer("condition_mean", torch.zeros(config.condition_size))
        self.register_buffer("condition_std", torch.ones(config.condition_size))
        self.register_buffer("bars", cosine_alpha_bars(), persistent=False)

    @torch.no_grad()
    def measure(self, codes: Tensor, conditions: Tensor) -> None:
        """Take the statistics of training people: codes (N,D), conditions (N,C). Constant columns of c stay as they
        are."""
        mean = codes.mean(0)
        away = (codes - mean).double()
        variance, directions = torch.linalg.eigh(away.T @ away / len(codes))
        self.mean.copy_(mean)
        self.basis.copy_(directions.flip(1))
        self.variance.copy_(variance.flip(0).clamp_min(1e-6))
        self.condition_mean.copy_(conditions.mean(0))
        std = conditions.std(0)
        self.condition_std.copy_(torch.where(std > 1e-3, std, torch.ones_like(std)))

    def context(self, condition: Tensor) -> Tensor:
        """c (B,C) -> (B,blocks,hidden)."""
        flags = condition[:, -2:] if self.config.condition_size == SIZE else None
        white = (condition - self.condition_mean) / self.condition_std
        if flags is not None:
            white = _masked(white, flags)
        white = white.clamp(-8, 8)
        return torch.stack([block.told(white) for block in self._blocks()], 1)

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        code = time_code(t, self.config.time_width)
        if self.config.parametrisation == "epsilon":
            return self._network(x, code, condition).float()
        bar = self.bars[t][:, None]
        signal, noise = bar.to(x.dtype), (1 - bar).to(x.dtype)
        total = signal * self.variance + noise
        # Halves of float are for the network alone: at low noise a rounded rotation into the basis would drown it.
        with torch.autocast(x.device.type, enabled=False):
            turned = (x - signal.sqrt() * self.mean) @ self.basis
        answer = self._network(turned / total.sqrt(), code, condition).to(x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            # The clean code is signal^1/2 variance / total * turned + (variance noise / total)^1/2 * answer; this is
            # the noise it implies, written so that nothing is divided by a small number.
            epsilon = noise.sqrt() / total * turned - (signal * self.variance / total).sqrt() * answer
            return epsilon @ self.basis.T

    def _network(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        context = None
        if self.config.condition_size:
            context = condition if condition.dim() == 3 else self.context(condition)
        embedded = self.time(time)
        h = self.entry(x)
        for number, block in enumerate(self.blocks):
            h = block(h, None if context is None else context[:, number], embedded)
        return self.exit(h)


def _masked(white: Tensor, flags: Tensor) -> Tensor:
    """Missing parts at zero after standardising, so that they look like the average and the flag tells the rest."""
    landmarks, regression, rest = torch.split(white, [LANDMARK_PART, REGRESSION_PART, 2], 1)
    return torch.cat([landmarks * flags[:, :1], regression * flags[:, 1:], rest], 1)


def time_code(t: Tensor, width: int) -> Tensor:
    """Sinusoids of t (B,) -> (B,width), base 10,000."""
    half = width // 2
    rates = torch.exp(-math.log(10_000.0) * torch.arange(half, device=t.device) / (half - 1))
    angle = t.float()[:, None] * rates
    return torch.cat([angle.sin(), angle.cos()], 1)
