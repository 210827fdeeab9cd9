"""U: heatmaps in a metric cube (A11 a) and poses drawn from them (A10)."""

from __future__ import annotations

import pytest
import torch
from hmdiff.models.pose_head import (
    CELLS,
    HALF_EXTENT,
    DeconvPoseHead,
    PoseHeatmaps,
    cell_centres,
    most_likely_pose,
    paint,
    sample_poses,
)
from hmdiff.models.regressor import PoseMixture
from torch import Tensor

CELL = 2 * HALF_EXTENT / CELLS


def _mixture(means: list[list[float]], deviation: float = 0.08, logits: list[float] | None = None) -> PoseMixture:
    """The same mixture for each of the 14 joints of one person."""
    count = len(means)
    scale = deviation * torch.eye(3).expand(1, 14, count, 3, 3)
    weights = torch.tensor(logits or [0.0] * count).expand(1, 14, count)
    return PoseMixture(weights, torch.tensor(means).expand(1, 14, count, 3), scale)


def _uniform(samples: int, seed: int = 0) -> Tensor:
    return torch.rand(1, samples, 14, 5, generator=torch.Generator().manual_seed(seed))


def test_painted_heatmaps_are_distributions_of_the_papers_shape():
    maps = paint(_mixture([[0.1, -0.4, 0.3], [-0.6, 0.5, 0.0]]))
    for heatmap in (maps.xy, maps.xz):
        assert heatmap.shape == (1, 14, 56, 56)
        assert torch.allclose(heatmap.sum((-1, -2)), torch.ones(1, 14), atol=1e-5)
        assert (heatmap >= 0).all()


def test_a11_heatmaps_are_indexed_down_then_across_in_metres():
    maps = paint(_mixture([[0.5, -0.9, 0.2]]))
    row, column = divmod(int(maps.xy[0, 3].argmax()), CELLS)
    depth, across = divmod(int(maps.xz[0, 3].argmax()), CELLS)
    centres = cell_centres()
    assert centres[column].item() == pytest.approx(0.5, abs=CELL / 2)
    assert centres[row].item() == pytest.approx(-0.9, abs=CELL / 2)
    assert centres[across].item() == pytest.approx(0.5, abs=CELL / 2)
    assert centres[depth].item() == pytest.approx(0.2, abs=CELL / 2)


@pytest.mark.parametrize("reading", ["conditional", "marginal"])
def test_drawn_poses_have_the_mixtures_mean_and_spread(reading):
    mixture = _mixture([[0.25, -0.33, 0.41]])
    poses = sample_poses(paint(mixture), _uniform(3000), reading)
    mean, covariance = mixture.moments()
    assert poses.shape == (1, 3000, 14, 3)
    assert (poses.mean(1) - mean).abs().max() < CELL / 4
    assert torch.allclose(poses.std(1), covariance.diagonal(dim1=-2, dim2=-1).sqrt(), rtol=0.12)


def test_a_narrow_distribution_stays_within_its_cell():
    poses = sample_poses(paint(_mixture([[0.25, -0.33, 0.41]], deviation=0.002)), _uniform(500))
    assert (poses.mean(1) - torch.tensor([0.25, -0.33, 0.41])).abs().max() < CELL


def test_a10_depth_follows_x_only_in_the_conditional_reading():
    """Two places: left and near, right and far. The marginal reading mixes them up."""
    maps = paint(_mixture([[-0.6, 0.0, -0.5], [0.6, 0.0, 0.5]]))
    correlation = {}
    for reading in ("conditional", "marginal"):
        poses = sample_poses(maps, _uniform(1500), reading)  # type: ignore[arg-type]
        correlation[reading] = torch.corrcoef(poses[0, :, 5][:, [0, 2]].T)[0, 1].item()
    assert correlation["conditional"] > 0.9
    assert abs(correlation["marginal"]) < 0.15


def test_the_same_numbers_draw_the_same_poses():
    maps = paint(_mixture([[0.1, 0.2, 0.3], [-0.2, 0.0, 0.4]]))
    assert torch.equal(sample_poses(maps, _uniform(25)), sample_poses(maps, _uniform(25)))
    assert not torch.equal(sample_poses(maps, _uniform(25)), sample_poses(maps, _uniform(25, seed=1)))


def test_impossible_cells_are_never_drawn():
    xy, xz = torch.zeros(1, 14, CELLS, CELLS), torch.zeros(1, 14, CELLS, CELLS)
    xy[..., 30, 40] = 1
    xz[..., 20, 40] = 1
    for value in (0.0, 0.5, 1 - 1e-7):
        uniform = torch.cat([torch.full((1, 4, 14, 2), value), torch.full((1, 4, 14, 3), 0.5)], -1)
        cells = ((sample_poses(PoseHeatmaps(xy, xz), uniform) / HALF_EXTENT + 1) / 2 * CELLS).floor()
        assert (cells == torch.tensor([40.0, 30.0, 20.0])).all(), value


def test_single_pose_is_the_peak_of_the_heavier_component():
    peak = most_likely_pose(paint(_mixture([[0.5, -0.2, 0.3], [-0.5, 0.4, -0.3]], logits=[1.0, 0.0])))
    assert peak.shape == (1, 14, 3)
    assert (peak - torch.tensor([0.5, -0.2, 0.3])).abs().max() <= CELL


def test_mixture_density_and_moments_match_torch():
    generator = torch.Generator().manual_seed(3)
    logits, mean = torch.randn(2, 14, 3, generator=generator), 0.3 * torch.randn(2, 14, 3, 3, generator=generator)
    factor = torch.tril(0.1 * torch.randn(2, 14, 3, 3, 3, generator=generator), -1) + 0.2 * torch.eye(3)
    mixture = PoseMixture(logits, mean, factor)
    reference = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=logits),
        torch.distributions.MultivariateNormal(mean, scale_tril=factor, validate_args=False),
    )
    points = torch.randn(2, 14, 3, generator=generator)
    assert torch.allclose(mixture.log_prob(points), reference.log_prob(points), atol=1e-4)
    centre, covariance = mixture.moments()
    assert torch.allclose(centre, reference.mean, atol=1e-6)
    assert torch.allclose(covariance.diagonal(dim1=-2, dim2=-1), reference.variance, atol=1e-5)


def test_deconvolution_head_has_the_supplements_shapes():
    head = DeconvPoseHead().eval()
    shapes: list[torch.Size] = []
    for layer in head.layers:
        if isinstance(layer, torch.nn.ConvTranspose2d):
            layer.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape[1:]))
    with torch.no_grad():
        maps = head(torch.randn(1, 1024, 7, 7, generator=torch.Generator().manual_seed(0)))
    assert shapes == [(1024, 7, 7), (512, 14, 14), (256, 28, 28)]
    assert maps.xy.shape == maps.xz.shape == (1, 14, 56, 56)
    assert torch.allclose(maps.xz.sum((-1, -2)), torch.ones(1, 14), atol=1e-4)
