"""What the detector saw, resampled from its turned crop into the model's upright one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hmdiff.detect.observation import Crop, Observation
from hmdiff.models.inputs import GRID, HEATMAP_SLOTS, canonical_crop
from hmdiff.models.observe import inputs_from_observations
from hmdiff.synthesis.batch import Batch

FOCAL, PRINCIPAL = 1100.0, (640.0, 360.0)


def _landmarks(seed: int = 0) -> np.ndarray:
    """33 points of a person about 300 px tall."""
    generator = np.random.default_rng(seed)
    return (np.array([700.0, 380.0]) + generator.uniform(-1, 1, (33, 2)) * [70, 150]).astype(np.float32)


def _observation(angle: float, size: float = 420.0) -> Observation:
    """Heatmaps are Gaussians at the landmarks, cell (r, c) standing for crop coordinates (c/64, r/64); the mask is a
    disc of 60 px around (690, 400).
    """
    points = _landmarks()
    crop = Crop(np.array([705.0, 385.0], np.float32), size, angle)
    placed = crop.to_crop(points) * 64
    cells = np.arange(64)
    x = np.exp(-0.5 * ((cells[None] - placed[:, :1]) / 1.5) ** 2)
    y = np.exp(-0.5 * ((cells[None] - placed[:, 1:]) / 1.5) ** 2)
    heatmaps = np.zeros((39, 64, 64), np.float32)
    heatmaps[:33] = 0.9 * y[:, :, None] * x[:, None, :]
    middles = np.stack(np.meshgrid((np.arange(256) + 0.5) / 256, (np.arange(256) + 0.5) / 256), -1)
    mask = (np.linalg.norm(crop.from_crop(middles.astype(np.float32)) - [690, 400], axis=-1) < 60).astype(np.float32)
    return Observation(
        track_id=1, status="ok", box=np.array([630, 230, 770, 530], np.float32), crop=crop, landmarks_2d=points,
        confidence=np.linspace(0.4, 0.99, 33).astype(np.float32), landmarks_z=np.zeros(33, np.float32),
        landmarks_world=np.random.default_rng(1).normal(0, 0.3, (33, 3)).astype(np.float32), heatmaps=heatmaps,
        mask=mask, quality=0.9, source="blazepose",
    )  # fmt: skip


def _centroid(raster: torch.Tensor) -> torch.Tensor:
    """(H,W) -> (x, y) in cells, a cell's middle being index + 0.5."""
    middle = torch.arange(GRID) + 0.5
    return torch.stack([(raster.sum(0) * middle).sum(), (raster.sum(1) * middle).sum()]) / raster.sum()


def _cell_of(points: torch.Tensor, seen: Observation) -> torch.Tensor:
    centre, side = canonical_crop(torch.from_numpy(seen.landmarks_2d)[None], torch.from_numpy(seen.confidence)[None])
    return ((points - centre[0]) / side[0] + 0.5) * GRID


@pytest.mark.parametrize("angle", [0.0, 0.6, -2.1, np.pi])
def test_heatmaps_land_where_their_landmarks_are(angle: float):
    seen = _observation(angle, size=520.0)
    inputs = inputs_from_observations([seen], [FOCAL], PRINCIPAL)
    expected = _cell_of(torch.from_numpy(seen.landmarks_2d), seen)
    for channel, slot in enumerate(HEATMAP_SLOTS):
        assert (_centroid(inputs.grid[0, channel]) - expected[slot]).abs().max() < 0.15, slot
    assert inputs.grid[0, :-1].amax((1, 2)).min() > 0.5
    assert torch.allclose(inputs.landmarks[0, :, 3], torch.full((33,), 0.9), atol=0.11)


@pytest.mark.parametrize("angle", [0.0, 0.6, -2.1, np.pi])
def test_the_mask_lands_where_the_person_is(angle: float):
    seen = _observation(angle, size=520.0)
    mask = inputs_from_observations([seen], [FOCAL], PRINCIPAL).grid[0, -1]
    assert (_centroid(mask) - _cell_of(torch.tensor([690.0, 400.0]), seen)).abs().max() < 0.15
    side = canonical_crop(torch.from_numpy(seen.landmarks_2d)[None], torch.from_numpy(seen.confidence)[None])[1]
    radius_cells = 60 / side.item() * GRID
    assert mask.sum().item() == pytest.approx(np.pi * radius_cells**2, rel=0.04)


def test_what_the_detector_did_not_look_at_is_empty():
    seen = replace(_observation(0.0, size=200.0), mask=np.ones((256, 256), np.float32))
    mask = inputs_from_observations([seen], [FOCAL], PRINCIPAL).grid[0, -1]
    corners = _cell_of(torch.from_numpy(seen.crop.corners()), seen)
    left, top = corners.amin(0)
    right, bottom = corners.amax(0)
    middle = torch.arange(GRID) + 0.5
    inside = ((middle > left + 1) & (middle < right - 1))[None] & ((middle > top + 1) & (middle < bottom - 1))[:, None]
    outside = ~(
        ((middle > left - 1) & (middle < right + 1))[None] & ((middle > top - 1) & (middle < bottom + 1))[:, None]
    )
    assert (mask[inside] > 0.99).all() and (mask[outside] == 0).all() and outside.any()


def test_a_finer_raster_is_averaged_and_not_picked_apart():
    """Four mask cells per grid cell: a checkerboard becomes its mean."""
    board = (np.indices((256, 256)).sum(0) % 2).astype(np.float32)
    seen = replace(_observation(0.3, size=420.0), mask=board)
    mask = inputs_from_observations([seen], [FOCAL], PRINCIPAL).grid[0, -1, 18:38, 18:38]
    assert (mask - 0.5).abs().max() < 0.1


def test_missing_parts_are_flagged_and_never_invented():
    whole = _observation(0.0)
    unknown = np.full((33, 3), np.nan, np.float32)
    points, confidence = whole.landmarks_2d.copy(), whole.confidence.copy()
    points[20:], confidence[20:] = np.nan, 0.0
    bare = replace(whole, heatmaps=None, mask=None, landmarks_world=unknown, landmarks_2d=points, confidence=confidence)
    inputs = inputs_from_observations([whole, bare], [FOCAL, FOCAL], PRINCIPAL)
    assert inputs.flags.tolist() == [[1, 1, 1], [0, 0, 0]]
    assert not inputs.grid[1].any() and inputs.grid[0].any()
    assert not inputs.landmarks[1, :, 4:].any() and inputs.landmarks[0, :, 4:].any()
    assert not inputs.landmarks[1, 20:, :3].any()
    assert torch.allclose(inputs.landmarks[1, :20, 3], torch.from_numpy(confidence[:20]))
    assert all(torch.isfinite(part).all() for part in (inputs.landmarks, inputs.crop, inputs.grid))


def test_few_confident_landmarks_fall_back_to_the_box():
    seen = replace(_observation(0.0), confidence=np.full(33, 0.1, np.float32))
    crop = inputs_from_observations([seen], [FOCAL], PRINCIPAL).crop[0]
    expected = torch.tensor([700 - 640, 380 - 360, 300 * 1.25]) / FOCAL
    assert torch.allclose(crop, expected, atol=1e-5)


def test_training_and_use_see_the_same_person_alike(batch: Batch):
    """The stream's landmarks as pixels of a camera give the features and the crop the stream itself made."""
    seen = batch.detections
    for row in range(len(batch.inputs)):
        points = (seen.landmarks_2d[row] * FOCAL + torch.tensor(PRINCIPAL)).numpy()
        world = seen.world[row].numpy() if seen.has_world[row] else np.full((33, 3), np.nan, np.float32)
        observation = replace(
            _observation(0.0), landmarks_2d=points, confidence=seen.confidence[row].numpy(), landmarks_world=world,
            heatmaps=None, mask=None,
        )  # fmt: skip
        ours = inputs_from_observations([observation], [FOCAL], PRINCIPAL)
        theirs = batch.inputs
        assert torch.allclose(
            ours.landmarks[0, :, [0, 1, 2, 4, 5, 6]], theirs.landmarks[row][:, [0, 1, 2, 4, 5, 6]], atol=2e-3
        )
        # The stream's focal length is deliberately wrong by a factor, the same for all three numbers.
        ratio = theirs.crop[row] / ours.crop[0]
        assert torch.allclose(ratio, ratio[2].expand(3), rtol=1e-2)
