"""g (A13): the text to the letter in ``PAPER_DENOISER``, what learns in ``DenoiserConfig()``, and all between."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hmdiff.models.denoiser import PAPER_DENOISER, Denoiser, DenoiserConfig
from hmdiff.training.assemble import Assembly
from torch import Tensor

K = torch.tensor([120])


def _denoiser(parts: Assembly, config: DenoiserConfig, predicts_mesh: bool = True, seed: int = 0) -> Denoiser:
    torch.manual_seed(seed)
    model = Denoiser(config, parts.hierarchy.hops, parts.maps.coarse_j14, predicts_mesh)
    torch.nn.init.normal_(model.exit.weight, std=0.2)
    return model.eval()


def _inputs(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    noisy, mesh = 0.3 * torch.randn(2, 1, 431, 3, generator=generator)
    return noisy, mesh, torch.randn(1, 49, 128, generator=generator)


@torch.no_grad()
def _run(model: Denoiser, noisy: Tensor, mesh: Tensor, features: Tensor, subset: Tensor | None = None) -> Tensor:
    around = (mesh, mesh) if model.config.around_mesh else None
    return model(noisy, K.expand(len(noisy)), model.context(features), around, subset)


def _moved_by(model: Denoiser, vertex: int) -> Tensor:
    """How far each vertex of the output moves when one vertex of the input does: (431,)."""
    noisy, mesh, features = _inputs()
    changed = noisy.clone()
    changed[:, vertex] += 0.5
    return (_run(model, changed, mesh, features) - _run(model, noisy, mesh, features)).norm(dim=-1)[0]


def test_a13_paper_tokens_are_64_61_3_and_go_straight_into_attention(parts: Assembly):
    model = _denoiser(parts, PAPER_DENOISER)
    assert model.entry is None and len(model.blocks) == 1
    assert model.identity.weight.shape == (431, 64)
    tokens = model._tokens(_inputs()[0], model.identity.weight, K)
    assert tokens.shape == (1, 431, 128)
    assert torch.equal(tokens[0, 7, :64], model.identity.weight[7])
    assert torch.equal(tokens[0, 7, 125:], _inputs()[0][0, 7])


def test_a13_paper_mask_lets_a_vertex_see_its_neighbours_alone(parts: Assembly):
    hops = torch.from_numpy(parts.hierarchy.hops)
    for vertex in (0, 200, 430):
        moved = _moved_by(_denoiser(parts, PAPER_DENOISER), vertex)
        assert (moved[hops[vertex] > 1] == 0).all()
        assert (moved[hops[vertex] <= 1] > 1e-5).all()


def test_a13_without_the_mask_everything_sees_everything(parts: Assembly):
    assert (_moved_by(_denoiser(parts, replace(PAPER_DENOISER, adjacency="none")), 200) > 0).all()


def test_a13_literal_reading_has_no_residual(parts: Assembly):
    """With silenced self-attention nothing of a vertex is left, unless a residual carries it on."""
    noisy, mesh, features = _inputs()
    for residual in (False, True):
        model = _denoiser(parts, replace(PAPER_DENOISER, residual=residual))
        torch.nn.init.zeros_(model.blocks[0].self_attention.out.weight)  # type: ignore[union-attr, arg-type]
        spread = _run(model, noisy, mesh, features).std(1).max()
        assert (spread > 1e-3).item() is residual


def test_a13_near_heads_start_near_and_the_others_global(parts: Assembly):
    model = _denoiser(parts, DenoiserConfig())
    bias = model._bias(None, torch.device("cpu"))
    assert bias is not None and bias.shape == (1, 4, 445, 445)
    hops = torch.from_numpy(parts.hierarchy.hops)
    near, far = bias[0, :2, :431, :431][:, hops == 1], bias[0, :2, :431, :431][:, hops > 9]
    assert (near.mean() - far.mean()) > 5
    assert (bias[0, 2:] == 0).all()
    assert model.hop_bias is not None and model.hop_bias.requires_grad


def test_a13_joint_tokens_see_the_whole_mesh_when_few_vertices_are_worked_on(parts: Assembly):
    """A vertex outside of the subset reaches the output through the joint tokens, and through nothing else."""
    noisy, mesh, features = _inputs()
    subset = torch.arange(0, 60)
    joint = int(torch.from_numpy(parts.maps.coarse_j14).abs()[:, 60:].sum(0).argmax()) + 60
    changed = noisy.clone()
    changed[:, joint] += 0.5
    for tokens in (0, 14):
        model = _denoiser(parts, DenoiserConfig(joint_tokens=tokens))
        same = torch.equal(_run(model, changed, mesh, features, subset), _run(model, noisy, mesh, features, subset))
        assert same is (tokens == 0)


@pytest.mark.parametrize("config", [DenoiserConfig(), replace(PAPER_DENOISER)])
def test_a_subset_of_all_vertices_is_the_whole(parts: Assembly, config: DenoiserConfig):
    noisy, mesh, features = _inputs()
    model = _denoiser(parts, config)
    order = torch.randperm(431, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(
        _run(model, noisy, mesh, features, order), _run(model, noisy, mesh, features)[:, order], atol=1e-5
    )
    assert _run(model, noisy, mesh, features, order[:32]).shape == (1, 32, 3)


def test_a15_default_output_is_a_residual_and_other_predictions_are_not(parts: Assembly):
    noisy, mesh, features = _inputs()
    for predicts_mesh in (True, False):
        model = _denoiser(parts, DenoiserConfig(), predicts_mesh)
        torch.nn.init.zeros_(model.exit.weight)
        torch.nn.init.zeros_(model.exit.bias)
        expected = mesh if predicts_mesh else torch.zeros_like(mesh)
        assert torch.equal(_run(model, noisy, mesh, features), expected)


def test_a_denoiser_around_a_mesh_asks_for_it(parts: Assembly):
    noisy, _, features = _inputs()
    model = _denoiser(parts, DenoiserConfig())
    with pytest.raises(ValueError, match="regressed mesh"):
        model(noisy, K, model.context(features), None)


@pytest.mark.parametrize("config", [DenoiserConfig(), PAPER_DENOISER])
def test_output_depends_on_picture_step_and_vertex(parts: Assembly, config: DenoiserConfig):
    noisy, mesh, features = _inputs()
    model = _denoiser(parts, config)
    base = _run(model, noisy, mesh, features)
    assert (_run(model, noisy, mesh, features + 1) - base).abs().max() > 1e-3
    around = (mesh, mesh) if config.around_mesh else None
    with torch.no_grad():
        other_step = model(noisy, torch.tensor([5]), model.context(features), around)
    assert (other_step - base).abs().max() > 1e-3
    same = torch.zeros_like(noisy)
    assert _run(model, same, same, features).std(1).max() > 1e-3


def test_layers_and_feed_forward_are_options(parts: Assembly):
    noisy, mesh, features = _inputs()
    sizes = {}
    for layers, feed in ((1, 0), (1, 2), (3, 4)):
        model = _denoiser(parts, DenoiserConfig(layers=layers, feed_forward=feed))
        assert len(model.blocks) == layers and len(model.context(features).layers) == layers
        assert _run(model, noisy, mesh, features).shape == (1, 431, 3)
        sizes[layers, feed] = sum(p.numel() for p in model.parameters())
    assert sizes[1, 0] < sizes[1, 2] < sizes[3, 4]


def test_cached_keys_and_values_serve_every_hypothesis(parts: Assembly):
    noisy, mesh, features = _inputs()
    model = _denoiser(parts, DenoiserConfig())
    three = torch.cat([noisy, noisy + 0.1, noisy - 0.2])
    with torch.no_grad():
        context = model.context(features).repeat(3)
        together = model(three, K.expand(3), context, (mesh.expand(3, -1, -1),) * 2)
    alone = torch.cat([_run(model, three[i : i + 1], mesh, features) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)
