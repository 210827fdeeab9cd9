"""Clips of simulated people to train on: what one detector says of one moving person, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ..synthesis.batch import Batch, SyntheticStream
from ..synthesis.clips import ClipPool, load_clip_pool, sample_clips
from ..synthesis.measured.mixing import detect_clips
from ..synthesis.measured.tables import shipped_tables
from ..synthesis.people import SynthesisSetup
from .assemble import TRAINING_NOISE, Assembly, make_stream
from .loop import Stream

CLIP_FRAMES = 40


@dataclass(frozen=True)
class ClipBatch(Batch):
    """found (clips, frames) bool: whether the detector found the person in that frame."""

    found: Tensor


@dataclass(frozen=True)
class ClipStream:
    """Endless clips: rows of ``draw`` are clips of ``frames`` frames one after the other, with errors that stay as long
    as the real detector's do, and one wrong focal length for all frames of a clip.
    """

    simulated: SyntheticStream
    pool: ClipPool
    frames: int = CLIP_FRAMES

    @property
    def setup(self) -> SynthesisSetup:
        return self.simulated.setup

    @property
    def faces(self) -> Tensor:
        return self.simulated.faces

    def draw(self, count: int, generator: torch.Generator) -> ClipBatch:
        """About count frames, in whole clips."""
        clips, stream = max(1, count // self.frames), self.simulated
        assert stream.tables is not None
        people = sample_clips(self.setup, self.pool, clips, self.frames, generator, stream.cameras)
        seen, looks = detect_clips(people, self.frames, generator, stream.noise, stream.tables)
        exact = replace(stream, noise=replace(stream.noise, focal_error=0.0))
        batch = exact.paint(people, seen, looks, generator)
        error = torch.randn(clips, 1, generator=generator, device=batch.side.device) * stream.noise.focal_error
        crop = batch.inputs.crop * torch.exp(error).repeat_interleave(self.frames, 0)
        inputs = replace(batch.inputs, crop=crop)
        found = looks.found.view(clips, self.frames)
        return ClipBatch(inputs, people, seen, batch.centre, batch.side, found)


def make_clips(
    parts: Assembly, poses: Path, clips: Path, split: str, device: torch.device | str, frames: int = CLIP_FRAMES
) -> ClipStream:
    """Clips of ``split``'s subjects, all read by the measured noise: the structured one knows no time. Errors: those of
    the mocap files.
    """
    simulated = make_stream(parts, poses, split, device, heatmaps=False, noise=TRAINING_NOISE)
    simulated = replace(simulated, tables=shipped_tables(str(device)))
    return ClipStream(simulated, load_clip_pool(clips, split, frames).to(device), frames)


@torch.no_grad()
def held_out_clips(stream: ClipStream, clips: int = 32, seed: int = 12345) -> ClipBatch:
    """Fixed clips for watching the training."""
    return stream.draw(clips * stream.frames, torch.Generator(device=stream.setup.device).manual_seed(seed))


@dataclass
class Alternating:
    """Single pictures and clips by turns."""

    pictures: Stream
    clips: ClipStream
    turn: int = 0

    @property
    def setup(self) -> SynthesisSetup:
        return self.pictures.setup

    @property
    def faces(self) -> Tensor:
        return self.pictures.faces

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        self.turn += 1
        return (self.clips if self.turn % 2 else self.pictures).draw(count, generator)
