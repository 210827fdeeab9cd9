"""Held-out mocap subjects as synthetic people: exact meshes, and a simulated detector in front of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ...models.inputs import ModelInputs
from ...synthesis.batch import Batch
from ...synthesis.noise import NoiseModel, self_occluded
from ...synthesis.people import People
from ...training.assemble import Assembly, make_stream
from ..examples import Examples, join_examples
from .parts import BodyParts, silhouette, true_meshes

N_PEOPLE = 2000
BATCH = 32
SEED_OF_PEOPLE = 20_230
"""The people are the same whatever ``--seed`` says, which chooses the sampler's noise only."""


def synthetic_examples(
    parts: BodyParts,
    bundle: Path,
    limit: int | None = None,
    *,
    noise: NoiseModel | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Examples:
    """The first ``limit`` (2,000) people of the test subjects in ``bundle``; about 0.4 MB each.

    Pictures are on the plane z = 1: focal 1, principal point 0. The networks are told a focal length that is wrong as
    the noise model says. Nobody else is in the picture, which ends where the noise model cut it. on_progress hears
    (done, total). Errors: those of the mocap file.
    """
    # People are drawn on the CPU, so that every machine measures the same ones.
    assembly = Assembly(parts.body, parts.hierarchy, parts.maps)
    stream = make_stream(assembly, bundle, "test", "cpu", heatmaps=True, noise=noise)
    generator = torch.Generator().manual_seed(SEED_OF_PEOPLE)
    count = limit or N_PEOPLE
    made: list[Examples] = []
    for first in range(0, count, BATCH):
        with torch.no_grad():
            batch = stream.draw(BATCH, generator)
        made.append(examples_of(parts, batch, first)[: min(BATCH, count - first)])
        if on_progress is not None:
            on_progress(min(first + BATCH, count), count)
    return join_examples(made)


@torch.no_grad()
def examples_of(parts: BodyParts, batch: Batch, first: int) -> Examples:
    """A batch on the plane z = 1; its people are recordings ``first``, ``first`` + 1 ..."""
    people, seen = batch.people, batch.detections
    count = len(people.pelvis)
    vertices, joints = parts.body(people.betas, people.rotations)
    vertices, joints = vertices - joints[:, :1], joints - joints[:, :1]
    crop = torch.cat([batch.centre, batch.side[:, None]], 1).numpy()
    inside = _within(people.landmarks_2d, seen.cut)
    covered = self_occluded(people)
    masks = np.stack([_mask(parts, vertices, people, seen.cut, crop, row) for row in range(count)])
    return Examples(
        inputs=ModelInputs(batch.inputs.landmarks, batch.inputs.flags, batch.inputs.crop, batch.inputs.grid),
        truth=true_meshes(vertices, joints, people.landmarks.numpy()),
        pelvis=people.pelvis.numpy(),
        landmarks=people.landmarks.numpy(),
        landmarks_2d=people.landmarks_2d.numpy(),
        visible=(inside & ~covered).numpy(),
        seen_2d=seen.landmarks_2d.numpy(),
        confidence=seen.confidence.numpy(),
        world=np.where(seen.has_world.numpy()[:, None, None], seen.world.numpy(), np.nan).astype(np.float32),
        focal=np.ones(count, np.float32),
        principal=np.zeros((count, 2), np.float32),
        crop=crop,
        mask=masks,
        people_mask=masks,
        clip=np.arange(first, first + count),
        frame=np.full(count, -1),
        hidden=(inside & covered).numpy(),
    )


def _within(points: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
    """points (B,K,2), window (B,4) -> (B,K)."""
    return ((points > window[:, None, :2]) & (points < window[:, None, 2:])).all(-1)


def _mask(
    parts: BodyParts, vertices: torch.Tensor, people: People, cut: torch.Tensor, crop: np.ndarray, row: int
) -> np.ndarray:
    placed = (vertices[row] + people.pelvis[row]).numpy()
    whole = silhouette(parts, placed, 1.0, np.zeros(2, np.float32), crop[row])
    cells = (np.arange(whole.shape[0]) + 0.5) / whole.shape[0] - 0.5
    x, y = (crop[row, axis] + cells * crop[row, 2] for axis in range(2))
    x0, y0, x1, y1 = cut[row].numpy()
    return whole & ((x > x0) & (x < x1))[None] & ((y > y0) & (y < y1))[:, None]
