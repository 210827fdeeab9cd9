"""One training batch: people, what the detector says of them, and the networks' inputs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from ..models.inputs import CHANNELS, GRID, HEATMAP_SLOTS, ModelInputs, canonical_crop, landmark_features
from .measured.masks import wear
from .measured.mixing import Looks, detect_mixed
from .measured.tables import NoiseTables
from .noise import SWAP, Detections, NoiseModel
from .people import CameraRanges, People, SynthesisSetup, sample_people
from .rasterise import damage_mask, draw_haunted, draw_heatmaps, draw_mask, splat_points

_PARTNER = [HEATMAP_SLOTS.index(SWAP[slot]) for slot in HEATMAP_SLOTS]


@dataclass(frozen=True)
class Batch:
    """inputs: what the networks see; people: the truth; detections: the corrupted landmarks, for baselines."""

    inputs: ModelInputs
    people: People
    detections: Detections
    centre: Tensor
    side: Tensor


def pick(batch: Batch, rows: Tensor) -> Batch:
    """Some of the people, rows (M,) of them."""

    def of(part: Any) -> Any:
        if isinstance(part, Tensor):
            return part[rows]
        return type(part)(*(of(getattr(part, f.name)) for f in fields(part)))

    return Batch(*(of(getattr(batch, f.name)) for f in fields(Batch)))


@dataclass(frozen=True)
class SyntheticStream:
    """Endless batches. heatmaps=False makes a grid of the mask alone: quicker, and all that the regressor reads.

    tables: the measured noise, by which ``measured`` of the people are read, the others by the structured ``noise``;
    without tables all are. Truncation, limbs behind things, and what is missing altogether are ``noise``'s for all.
    """

    setup: SynthesisSetup
    faces: Tensor
    noise: NoiseModel = NoiseModel()
    cameras: CameraRanges = CameraRanges()
    heatmaps: bool = True
    tables: NoiseTables | None = None
    measured: float = 0.7

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """count people with their observations; all randomness from generator."""
        people = sample_people(self.setup, count, generator, self.cameras)
        return self.observe(people, generator)

    def observe(self, people: People, generator: torch.Generator) -> Batch:
        """Run the noise over given people."""
        seen, looks = detect_mixed(people, generator, self.noise, self.tables, self.measured)
        return self.paint(people, seen, looks, generator)

    def paint(self, people: People, seen: Detections, looks: Looks, generator: torch.Generator) -> Batch:
        """Detections as the networks' inputs."""
        centre, side = canonical_crop(seen.landmarks_2d, seen.confidence)
        device = people.vertices.device
        focal = torch.exp(self.noise.focal_error * torch.randn(len(centre), 1, generator=generator, device=device))
        features = landmark_features(
            seen.landmarks_2d, seen.confidence, seen.peak, seen.world, seen.has_world, centre, side
        )
        grid = self._grid(people, seen, looks, centre, side, generator)
        flags = torch.stack([seen.has_world, torch.full_like(seen.has_world, self.heatmaps), seen.has_mask], 1).float()
        crop = torch.cat([centre, side[:, None]], 1) * focal
        return Batch(ModelInputs(features, flags, crop, grid), people, seen, centre, side)

    def _grid(
        self, people: People, seen: Detections, looks: Looks, centre: Tensor, side: Tensor, generator: torch.Generator
    ) -> Tensor:
        channels = CHANNELS if self.heatmaps else 1
        grid = torch.zeros(len(centre), channels, GRID, GRID, device=centre.device)
        # masks are the dearest part: only for those who have one
        for rows, worn in ((seen.has_mask & looks.measured, True), (seen.has_mask & ~looks.measured, False)):
            here = rows.nonzero()[:, 0]
            if len(here):
                points = splat_points(people.vertices_2d[here], self.faces)
                mask = draw_mask(points, centre[here], side[here], seen.cut[here])
                grid[here, -1] = wear(mask, looks.damage[here]) if worn else damage_mask(mask, generator)
        if self.heatmaps:
            slots = list(HEATMAP_SLOTS)
            place = seen.landmarks_2d[:, slots] + looks.offset * (side / GRID)[:, None, None]
            painted = (place, seen.peak[:, slots], looks.width, centre, side, looks.aspect)
            grid[:, :-1] = (
                draw_haunted(*painted, looks.ghost, _PARTNER) if looks.measured.any() else draw_heatmaps(*painted)
            )
        return grid
