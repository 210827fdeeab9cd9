"""Masks and heatmaps drawn into the canonical crop."""

from __future__ import annotations

import pytest
import torch
from hmdiff.models.inputs import GRID, canonical_crop
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.synthesis.people import People
from hmdiff.synthesis.rasterise import damage_mask, draw_heatmaps, draw_mask, splat_points

WIDE = torch.tensor([[-9.0, -9.0, 9.0, 9.0]])


def _crop(people: People) -> tuple[torch.Tensor, torch.Tensor]:
    return canonical_crop(people.landmarks_2d, torch.ones(people.landmarks_2d.shape[:2]))


def _masks(stream: SyntheticStream, people: People, window: torch.Tensor) -> torch.Tensor:
    centre, side = _crop(people)
    return draw_mask(splat_points(people.vertices_2d, stream.faces), centre, side, window.expand(len(centre), 4))


def test_mask_covers_every_projected_vertex_and_little_else(stream: SyntheticStream, people: People):
    masks = _masks(stream, people, WIDE)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    centre, side = _crop(people)
    cells = ((people.vertices_2d - centre[:, None]) / side[:, None, None] + 0.5) * GRID
    inside = ((cells >= 1) & (cells < GRID - 1)).all(-1)
    index = cells.long().clamp(0, GRID - 1)
    value = masks[torch.arange(len(masks))[:, None], index[..., 1], index[..., 0]]
    assert (value[inside] == 1).float().mean() > 0.999
    grid = torch.stack(torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="xy"), -1).view(1, -1, 2) + 0.5
    away = torch.cdist(grid.float().expand(len(cells), -1, -1), cells).amin(-1).view(len(cells), GRID, GRID)
    near = people.pelvis[:, 2] > 2.5
    assert (away[near][masks[near] > 0] < 4).all()


def test_mask_has_no_holes_inside_the_trunk(stream: SyntheticStream, people: People):
    """Between hips and shoulders the silhouette is solid."""
    masks = _masks(stream, people, WIDE)
    centre, side = _crop(people)
    quad = people.landmarks_2d[:, [11, 12, 24, 23]]
    weights = torch.rand(len(quad), 50, 4, generator=torch.Generator().manual_seed(0)).softmax(-1)
    points = torch.einsum("nsk,nkc->nsc", weights, quad)
    cells = (((points - centre[:, None]) / side[:, None, None] + 0.5) * GRID).long().clamp(0, GRID - 1)
    solid = masks[torch.arange(len(masks))[:, None], cells[..., 1], cells[..., 0]].mean(1)
    assert (solid[people.pelvis[:, 2] > 2.5] > 0.98).all()


def test_nothing_is_drawn_outside_of_the_window(stream: SyntheticStream, people: People):
    centre, side = _crop(people)
    window = torch.stack([centre[:, 0] - side, centre[:, 1] - side, centre[:, 0] + side, centre[:, 1]], 1)
    points = splat_points(people.vertices_2d, stream.faces)
    masks = draw_mask(points, centre, side, window)
    assert not masks[:, GRID // 2 + 1 :].any() and masks[:, : GRID // 2].any()


def test_heatmaps_peak_where_their_landmarks_are():
    points = torch.tensor([[[0.10, -0.05], [-0.20, 0.15]]])
    maps = draw_heatmaps(
        points, torch.tensor([[0.9, 0.4]]), torch.tensor([[1.3, 2.5]]), torch.zeros(1, 2), torch.ones(1)
    )
    middle = torch.arange(GRID) + 0.5
    for k in range(2):
        total = maps[0, k].sum()
        x, y = (maps[0, k].sum(0) * middle).sum() / total, (maps[0, k].sum(1) * middle).sum() / total
        assert x.item() == pytest.approx((points[0, k, 0].item() + 0.5) * GRID, abs=0.02)
        assert y.item() == pytest.approx((points[0, k, 1].item() + 0.5) * GRID, abs=0.02)
    assert maps[0].amax((1, 2)).tolist() == pytest.approx([0.9, 0.4], abs=0.07)
    assert (maps[0, 1] > 0.2).sum() > 2 * (maps[0, 0] > 0.45).sum()


def test_damage_stays_a_mask_of_that_person_and_follows_the_seed(stream: SyntheticStream, people: People):
    masks = _masks(stream, people, WIDE)
    damaged = damage_mask(masks.clone(), torch.Generator().manual_seed(0))
    assert 0 < damaged.min() and damaged.max() < 1
    assert torch.equal(damaged, damage_mask(masks.clone(), torch.Generator().manual_seed(0)))
    both = ((damaged > 0.5) & (masks > 0)).sum((1, 2)) / ((damaged > 0.5) | (masks > 0)).sum((1, 2))
    assert 0.6 < both.mean() < 0.99 and both.min() > 0.15
