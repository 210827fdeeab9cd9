"""ScoreHMR's denoiser: the noise in 6D pose codes, with the regressor frozen.

People are dear and noise levels are cheap, so a pool of people is kept and seen many times at other levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..bodies.joint_maps import J14_OF_24
from ..bodies.model import BodyModel, forward_kinematics
from ..diffusion.schedule import add_noise
from ..evaluation.metrics.joints import pa_mpjpe
from ..models.regressor import Regressor
from ..refine.condition import ConditionMaps, condition, hide
from ..refine.denoiser import ScoreDenoiser
from ..refine.pose_code import PoseCode
from ..refine.schedule import sample
from ..synthesis.batch import Batch
from ..synthesis.people import SynthesisSetup
from .loop import Stream

LEVELS = (10, 30, 50, 100, 300, 700)
HIDE_LANDMARKS, HIDE_REGRESSION, HIDE_BOTH = 0.05, 0.10, 0.10
LOW_NOISE = 200
"""Half of the training is on levels up to here: refinement starts at 50 or 100."""


@dataclass(frozen=True)
class ScoreBatch:
    """code (N,D) clean; condition (N,C); betas (N,10); joints (N,24,3) about the pelvis."""

    code: Tensor
    condition: Tensor
    betas: Tensor
    joints: Tensor


@dataclass(frozen=True)
class ScoreReader:
    """Batches of people to what the denoiser is trained on."""

    regressor: Regressor
    maps: ConditionMaps
    code: PoseCode

    @torch.no_grad()
    def read(self, batch: Batch) -> ScoreBatch:
        people = batch.people
        told = condition(batch.inputs, self.regressor(batch.inputs), self.maps, len(people.betas))
        return ScoreBatch(self.code.encode(people.rotations, people.betas), told, people.betas, people.joints)


class ScorePool:
    """A Stream of ScoreBatches: ``first`` people at the start, ``fresh`` new ones with every batch, the oldest
    replaced beyond ``capacity``.
    """

    def __init__(
        self, stream: Stream, reader: ScoreReader, generator: torch.Generator, first: int = 20_000, fresh: int = 64,
        capacity: int = 250_000,
    ) -> None:  # fmt: skip
        self.stream, self.reader, self.fresh = stream, reader, fresh
        self.filled = 0
        self.next = 0
        self.rows: ScoreBatch | None = None
        self.capacity = max(capacity, first)
        while self.filled < first:
            self._add(min(500, first - self.filled), generator)

    @property
    def setup(self) -> SynthesisSetup:
        return self.stream.setup

    @property
    def faces(self) -> Tensor:
        return self.stream.faces

    def all(self) -> ScoreBatch:
        """Everybody in the pool."""
        assert self.rows is not None
        return _rows(self.rows, torch.arange(self.filled))

    def draw(self, count: int, generator: torch.Generator) -> Any:
        """A ScoreBatch of count people."""
        if self.fresh:
            self._add(self.fresh, generator)
        assert self.rows is not None
        return _rows(self.rows, torch.randint(self.filled, (count,), generator=generator, device=self.setup.device))

    def _add(self, count: int, generator: torch.Generator) -> None:
        new = self.reader.read(self.stream.draw(count, generator))
        if self.rows is None:
            self.rows = ScoreBatch(
                *(part.new_zeros(self.capacity, *part.shape[1:])
                  for part in (new.code, new.condition, new.betas, new.joints))
            )  # fmt: skip
        places = (torch.arange(count, device=new.code.device) + self.next) % self.capacity
        for name in ("code", "condition", "betas", "joints"):
            getattr(self.rows, name)[places] = getattr(new, name)
        self.next = (self.next + count) % self.capacity
        self.filled = min(self.capacity, self.filled + count)


def _rows(batch: ScoreBatch, rows: Tensor) -> ScoreBatch:
    return ScoreBatch(batch.code[rows], batch.condition[rows], batch.betas[rows], batch.joints[rows])


class ScoreTask:
    """Mean squared error of the noise (supplement B). Takes ScoreBatches, or Batches that it reads itself."""

    name = "score"

    def __init__(self, module: ScoreDenoiser, reader: ScoreReader, body: BodyModel, held_out: ScoreBatch) -> None:
        self.module: nn.Module = module
        self.bars = module.bars
        self.reader = reader
        self.body = body
        self.held_out = held_out
        reader.regressor.requires_grad_(False).eval()

    def loss(self, batch: Batch | ScoreBatch, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        seen = batch if isinstance(batch, ScoreBatch) else self.reader.read(batch)
        device, count = seen.code.device, len(seen.code)
        bars = self.bars
        low = torch.rand(count, generator=generator, device=device) < 0.5
        t = torch.randint(len(bars), (count,), generator=generator, device=device)
        t = torch.where(low, t * LOW_NOISE // len(bars), t)
        draw = torch.rand(count, generator=generator, device=device)
        told = hide(
            seen.condition,
            (draw < HIDE_LANDMARKS) | (draw > 1 - HIDE_BOTH),
            ((draw > HIDE_LANDMARKS) & (draw < HIDE_LANDMARKS + HIDE_REGRESSION)) | (draw > 1 - HIDE_BOTH),
        )
        noise = torch.randn(seen.code.shape, generator=generator, device=device)
        noisy = add_noise(seen.code, noise, bars[t][:, None].float())
        error = (self.module(noisy, t, told).float() - noise).square().mean(1)
        loss = error.mean()
        return loss, {"eps": loss.item(), "eps_low": error[low].mean().item()}

    @torch.no_grad()
    def validate(self, module: nn.Module) -> dict[str, float]:
        """eps_T: error of the noise at level T; pa_mpjpe_mm: 14 joints of one unguided sample from pure noise, and
        without any condition.
        """
        seen, bars = self.held_out, self.bars
        generator = torch.Generator(device=seen.code.device).manual_seed(3)
        found: dict[str, float] = {}
        nothing = torch.ones(len(seen.code), dtype=torch.bool, device=seen.code.device)
        for level in LEVELS:
            noise = torch.randn(seen.code.shape, generator=generator, device=seen.code.device)
            t = torch.full((len(noise),), level, device=noise.device)
            noisy = add_noise(seen.code, noise, bars[t][:, None].float())
            found[f"eps_{level}"] = float((module(noisy, t, seen.condition) - noise).square().mean())
        start = torch.randn(seen.code.shape, generator=generator, device=seen.code.device)
        top = len(bars) - 1
        for name, told in (
            ("pa_mpjpe_mm", seen.condition),
            ("pa_mpjpe_unconditional_mm", hide(seen.condition, nothing, nothing)),
        ):
            code = sample(module, start, told, bars, top, 50)
            rest = self.body.rest(seen.betas)[1]
            _, joints = forward_kinematics(self.body.parents, rest, self.reader.code.rotations(code))
            chosen = list(J14_OF_24)
            error = pa_mpjpe(joints[:, chosen].cpu().numpy(), seen.joints[:, chosen].cpu().numpy())
            found[name] = float(error.mean())
        return found
