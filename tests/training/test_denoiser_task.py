"""What one training step of g asks for: steps (A19), targets (A1), weights (A15), where geometry counts (A18)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hmdiff.models.config import DEFAULT, PAPER, HMDiffConfig, LossConfig
from hmdiff.models.hmdiff import HMDiff
from hmdiff.synthesis.batch import Batch, SyntheticStream
from hmdiff.training import denoiser_task
from hmdiff.training.denoiser_task import DenoiserTask
from hmdiff.training.losses import MeshTopology
from hmdiff.training.mesh_task import MeshTask

DIFFUSION_ONLY = LossConfig(vertex=0, joint=0, normal=0, edge=0)


def _task(model: HMDiff, batch: Batch, stream: SyntheticStream, full_every: int = 1000) -> DenoiserTask:
    return DenoiserTask(model, MeshTopology(stream.faces, model.joint_map), batch, subset=40, full_every=full_every)


def _loss(task: DenoiserTask, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    return task.loss(batch, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("count", [8, 7])
def test_a19_steps_come_in_antithetic_pairs(count: int):
    k = denoiser_task._antithetic_steps(count, 200, torch.Generator().manual_seed(0))
    half = (count + 1) // 2
    assert len(k) == count and torch.equal(k[: count - half] + k[half:], torch.full((count - half,), 201))


def test_a19_steps_are_uniform_over_one_to_k():
    k = denoiser_task._antithetic_steps(40_000, 200, torch.Generator().manual_seed(0))
    counts = torch.bincount(k, minlength=202)
    assert counts[0] == 0 and counts[201] == 0 and k.min() == 1 and k.max() == 200
    assert 120 < counts[1:201].min() and counts[1:201].max() < 290
    spread = [
        denoiser_task._antithetic_steps(64, 200, torch.Generator().manual_seed(s)).float().mean() for s in range(20)
    ]
    assert torch.stack(spread).std() < 1e-3


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_a1_the_right_answer_costs_nothing(
    make_model: Callable[..., HMDiff], batch: Batch, stream: SyntheticStream, monkeypatch, prediction
):
    """A denoiser that knows truth and noise gets a loss of zero for the target it is asked for, and only for that."""
    losses = {}
    for told in ("epsilon", "x0", "v"):
        model = make_model(replace(DEFAULT, prediction=prediction, loss=DIFFUSION_ONLY))
        task = _task(model, batch, stream)

        def perfect(noisy, k, context, around, subset, told=told, model=model):
            bar = model.bars[k].float()[:, None, None]
            truth = batch.people.vertices
            noise = (noisy - bar.sqrt() * truth) / (1 - bar).sqrt()
            answer = {"epsilon": noise, "x0": truth, "v": bar.sqrt() * noise - (1 - bar).sqrt() * truth}[told]
            return answer[:, subset]

        monkeypatch.setattr(model.denoiser, "forward", perfect)
        losses[told] = _loss(task, batch)[0].item()
    assert losses[prediction] < 1e-6
    assert all(loss > 0.1 for told, loss in losses.items() if told != prediction)


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_a15_min_snr_weights_the_loss(
    make_model: Callable[..., HMDiff], batch: Batch, stream: SyntheticStream, monkeypatch, prediction
):
    """Hang et al. 2023: min(SNR, 5) over 1, SNR and SNR + 1 for x0, epsilon and v; here at k = 200 and k = 20."""
    bars = make_model().bars
    for k in (200, 20):
        monkeypatch.setattr(denoiser_task, "_antithetic_steps", lambda count, *_, k=k: torch.full((count,), k))
        losses = {}
        for weighting in ("uniform", "min_snr"):
            loss = replace(DIFFUSION_ONLY, weighting=weighting)  # type: ignore[arg-type]
            model = make_model(replace(DEFAULT, prediction=prediction, loss=loss))
            losses[weighting] = _loss(_task(model, batch, stream), batch)[0].item()
        snr = float(bars[k] / (1 - bars[k]))
        expected = min(snr, 5) / {"x0": 1, "epsilon": snr, "v": snr + 1}[prediction]
        assert losses["min_snr"] / losses["uniform"] == pytest.approx(expected, rel=1e-3)


def test_a18_paper_sums_the_diffusion_loss_over_coordinates(
    make_model: Callable[..., HMDiff], batch: Batch, stream: SyntheticStream
):
    losses = {}
    for reduction in ("mean", "sum"):
        config = replace(DEFAULT, loss=replace(DIFFUSION_ONLY, reduction=reduction))  # type: ignore[arg-type]
        value, terms = _loss(_task(make_model(config), batch, stream), batch)
        losses[reduction] = value.item() / terms["L_diff"]
    assert losses["sum"] == pytest.approx(431 * 3, rel=1e-4) and losses["mean"] == pytest.approx(100, rel=1e-4)


@pytest.mark.parametrize("full_every", [1, 1000])
def test_a18_geometry_counts_only_at_low_noise_where_asked(
    make_model: Callable[..., HMDiff], batch: Batch, stream: SyntheticStream, monkeypatch, full_every: int
):
    values = {}
    for k in (40, 190):
        monkeypatch.setattr(denoiser_task, "_antithetic_steps", lambda count, *_, k=k: torch.full((count,), k))
        for until in (0.5, 1.0):
            config = replace(DEFAULT, loss=LossConfig(diffusion=0.0, geometry_until=until))
            values[k, until] = _loss(_task(make_model(config), batch, stream, full_every), batch)[0].item()
    assert values[190, 0.5] == 0 and values[190, 1.0] > 0
    assert values[40, 0.5] == pytest.approx(values[40, 1.0]) and values[40, 0.5] > 0


@pytest.mark.parametrize("config", [DEFAULT, PAPER])
@pytest.mark.parametrize("full_every", [1, 1000])
def test_gradients_reach_g_and_the_features_and_not_the_regressor(
    make_model: Callable[..., HMDiff], batch: Batch, stream: SyntheticStream, config: HMDiffConfig, full_every: int
):
    model = make_model(config)
    torch.nn.init.normal_(model.denoiser.exit.weight, std=0.1)  # it may start at zero, which lets nothing through
    loss, terms = _loss(_task(model, batch, stream, full_every), batch)
    loss.backward()
    assert torch.isfinite(loss) and all(value >= 0 for value in terms.values())
    assert ("L_n" in terms) is (full_every == 1)
    for module in (model.denoiser.exit, model.denoiser.blocks[0], model.features.patch):
        assert any(p.grad is not None and p.grad.any() for p in module.parameters())  # type: ignore[union-attr]
    assert all(p.grad is None for p in model.regressor.parameters())


def test_validation_compares_with_and_without_dat_and_the_regressor(
    make_model: Callable[..., HMDiff], batch: Batch, stream: SyntheticStream
):
    model = make_model()
    held_out = stream.draw(3, torch.Generator().manual_seed(2))
    result = _task(model, held_out, stream).validate(model)
    assert {"dat_pa", "dat_best", "no_dat_pa", "no_dat_best", "regressor_pa"} <= result.keys()
    assert result["dat_best"] <= result["dat_pa"] * 1.2 and all(0 < value < 2000 for value in result.values())


def test_mesh_stage_starts_at_the_fixed_upsampling(make_model: Callable[..., HMDiff], stream: SyntheticStream, parts):
    model = make_model()
    few = stream.draw(2, torch.Generator().manual_seed(3))
    task = MeshTask(model, stream, torch.from_numpy(parts.hierarchy.indices[0]), few)
    with torch.no_grad():
        result = task.validate(task.module)
    assert result["mlp_mpve_mm"] == pytest.approx(result["upsampling_mpve_mm"], rel=1e-3)
    middle = task.truth(few)
    coarse = torch.from_numpy(parts.hierarchy.indices[1])
    shared = torch.searchsorted(torch.from_numpy(parts.hierarchy.indices[0]), coarse)
    assert torch.allclose(middle[:, shared], few.people.vertices, atol=1e-4)
    loss, terms = task.loss(few, torch.Generator().manual_seed(0))
    loss.backward()
    assert terms["vertex_mm"] > 0
    assert all((p.grad is not None) is name.startswith("mlp.") for name, p in model.named_parameters())
