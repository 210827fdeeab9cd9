"""One training batch: people, what the detector says of them, and the networks' inputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.inputs import CHANNELS, GRID, HEATMAP_SLOTS, ModelInputs, canonical_crop, landmark_features
from .noise import Detections, NoiseModel, detect_synthetic
from .people import CameraRanges, People, SynthesisSetup, sample_people
from .rasterise import damage_mask, draw_heatmaps, draw_mask, splat_points


@dataclass(frozen=True)
class Batch:
    """inputs: what the networks see; people: the truth; detections: the corrupted landmarks, for baselines."""

    inputs: ModelInputs
    people: People
    detections: Detections
    centre: Tensor
    side: Tensor


@dataclass(frozen=True)
class SyntheticStream:
    """Endless batches. heatmaps=False makes a grid of the mask alone: quicker, and all that the regressor reads."""

    setup: SynthesisSetup
    faces: Tensor
    noise: NoiseModel = NoiseModel()
    cameras: CameraRanges = CameraRanges()
    heatmaps: bool = True

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """count people with their observations; all randomness from generator."""
        people = sample_people(self.setup, count, generator, self.cameras)
        return self.observe(people, generator)

    def observe(self, people: People, generator: torch.Generator) -> Batch:
        """Run the noise model over given people."""
        seen = detect_synthetic(people, generator, self.noise)
        centre, side = canonical_crop(seen.landmarks_2d, seen.confidence)
        device = people.vertices.device
        focal = torch.exp(self.noise.focal_error * torch.randn(len(centre), 1, generator=generator, device=device))
        features = landmark_features(
            seen.landmarks_2d, seen.confidence, seen.peak, seen.world, seen.has_world, centre, side
        )
        grid = self._grid(people, seen, centre, side, generator)
        flags = torch.stack([seen.has_world, torch.full_like(seen.has_world, self.heatmaps), seen.has_mask], 1).float()
        crop = torch.cat([centre, side[:, None]], 1) * focal
        return Batch(ModelInputs(features, flags, crop, grid), people, seen, centre, side)

    def _grid(
        self, people: People, seen: Detections, centre: Tensor, side: Tensor, generator: torch.Generator
    ) -> Tensor:
        channels = CHANNELS if self.heatmaps else 1
        grid = torch.zeros(len(centre), channels, GRID, GRID, device=centre.device)
        mask = draw_mask(splat_points(people.vertices_2d, self.faces), centre, side, seen.cut)
        grid[:, -1] = damage_mask(mask, generator) * seen.has_mask[:, None, None]
        if self.heatmaps:
            slots = list(HEATMAP_SLOTS)
            width = 1.3 + 1.6 * (1 - seen.peak[:, slots])
            grid[:, :-1] = draw_heatmaps(seen.landmarks_2d[:, slots], seen.peak[:, slots], width, centre, side)
        return grid
