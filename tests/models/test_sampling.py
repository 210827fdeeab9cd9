"""Algorithm 1 as a whole: noise per track, batches, steps, start (A4), combination (A17)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hmdiff.diffusion.dat import DATConfig
from hmdiff.models.config import DEFAULT, PAPER, HMDiffConfig
from hmdiff.models.hmdiff import HMDiff, MeshSamples
from hmdiff.synthesis.batch import Batch

QUICK = replace(DEFAULT.sampler, steps=3, hypotheses=2)
OFF = replace(DEFAULT.dat, mode="none")


def _parts(out: MeshSamples) -> list[torch.Tensor]:
    return [out.samples, out.mean, out.middle, out.vertices, out.u, out.active_steps]


def test_shapes_are_those_of_people_hypotheses_and_body(model: HMDiff, batch: Batch):
    out = model.sample(batch.inputs, torch.arange(3), sampler=replace(QUICK, hypotheses=4))
    assert out.samples.shape == (3, 4, 431, 3) and out.mean.shape == (3, 431, 3)
    assert out.middle.shape == (3, 1723, 3) and out.vertices.shape == (3, model.up.shape[0], 3)
    assert out.u.shape == (3, 1, 14, 3) and out.active_steps.shape == (3, 4)  # what is seen, not samples
    assert all(torch.isfinite(part).all() for part in _parts(out))
    assert not any(part.requires_grad for part in _parts(out))


def test_a_seed_gives_the_same_result_twice_and_another_seed_another(model: HMDiff, batch: Batch):
    keys = torch.arange(3)
    first, second = (model.sample(batch.inputs, keys, seed=5, sampler=QUICK) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(_parts(first), _parts(second), strict=True))
    other = model.sample(batch.inputs, keys, seed=6, sampler=QUICK)
    assert (other.samples - first.samples).abs().max() > 1e-3 and torch.equal(other.u, first.u)  # U is what is seen


def test_sampling_leaves_the_global_random_state_alone(model: HMDiff, batch: Batch):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    model.sample(batch.inputs[:1], torch.tensor([0]), sampler=QUICK)
    assert torch.equal(before, torch.get_rng_state())


def test_a_batch_of_pictures_is_the_same_as_one_after_another(model: HMDiff, batch: Batch):
    keys = torch.tensor([4, 9, 4])
    together = model.sample(batch.inputs, keys, sampler=QUICK)
    for row in range(3):
        alone = model.sample(batch.inputs[row : row + 1], keys[row : row + 1], sampler=QUICK)
        for a, b in zip(_parts(together), _parts(alone), strict=True):
            assert torch.allclose(a[row : row + 1], b, atol=1e-5)


def test_a_few_hypotheses_at_a_time_are_the_same_as_all_at_once(
    model: HMDiff, batch: Batch, monkeypatch: pytest.MonkeyPatch
):
    many = replace(QUICK, hypotheses=5)
    at_once = model.sample(batch.inputs, torch.arange(3), sampler=many)
    monkeypatch.setattr("hmdiff.models.hmdiff.CACHED", 4)
    in_parts = model.sample(batch.inputs, torch.arange(3), sampler=many)
    assert torch.allclose(at_once.samples, in_parts.samples, atol=1e-5)


def test_hypotheses_keep_their_noise_over_the_frames_of_a_track(model: HMDiff, batch: Batch):
    """The same picture twice: one track gives one motion, two tracks differ; wherever in a batch or call it stands."""
    same = batch.inputs[torch.tensor([0, 0, 0])]
    out = model.sample(same, torch.tensor([7, 7, 8]), sampler=QUICK)
    assert torch.allclose(out.samples[0], out.samples[1], atol=1e-5) and torch.allclose(out.u[0], out.u[1], atol=1e-5)
    assert (out.samples[0] - out.samples[2]).abs().max() > 1e-3
    later = model.sample(batch.inputs[1:], torch.tensor([1, 7]), sampler=QUICK)
    again = model.sample(batch.inputs[2:], torch.tensor([7]), sampler=QUICK)
    assert torch.allclose(later.samples[1], again.samples[0], atol=1e-5)
    noise, repeated = (model.noise_for_track(7, 0, QUICK) for _ in range(2))
    assert torch.equal(noise.start, repeated.start) and torch.equal(noise.steps, repeated.steps)


def test_noise_differs_between_hypotheses_steps_tracks_and_seeds(model: HMDiff):
    free = replace(QUICK, centred=False)
    noise = model.noise_for_track(3, 1, free)
    assert noise.start.shape == (2, 431, 3) and noise.steps.shape == (3, 2, 431, 3) and noise.u.shape == (25, 14, 5)
    draws = [*noise.start, *noise.steps.flatten(0, 1), model.noise_for_track(4, 1, free).start[0]]
    draws.append(model.noise_for_track(3, 2, free).start[0])
    stacked = torch.corrcoef(torch.stack([draw.flatten() for draw in draws]))
    assert (stacked - torch.eye(len(draws))).abs().max() < 0.15


@pytest.mark.parametrize(("steps", "hypotheses"), [(1, 1), (4, 3)])
def test_steps_and_hypotheses_are_what_was_asked_for(model: HMDiff, batch: Batch, steps: int, hypotheses: int):
    calls: list[tuple[int, int]] = []
    handle = model.denoiser.register_forward_pre_hook(lambda _, given: calls.append((len(given[0]), int(given[1][0]))))
    out = model.sample(
        batch.inputs,
        torch.arange(3),
        sampler=replace(QUICK, steps=steps, hypotheses=hypotheses, u_samples=6),
        dat=DATConfig(),
    )
    handle.remove()
    assert [count for count, _ in calls] == [3 * hypotheses] * steps
    assert calls[0][1] == 200 and [k for _, k in calls] == sorted((k for _, k in calls), reverse=True)
    assert out.samples.shape[1] == hypotheses and out.u.shape[1] == 6


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_a15_every_prediction_runs(make_model: Callable[..., HMDiff], batch: Batch, prediction):
    model = make_model(replace(DEFAULT, prediction=prediction))
    out = model.sample(batch.inputs, torch.arange(3), sampler=QUICK)
    assert torch.isfinite(out.samples).all()


def test_a4_start_is_noise_or_the_marginal_around_m_or_around_u(model: HMDiff, batch: Batch):
    """Seen by the denoiser's first call: 60 hypotheses of pure or of matched noise."""
    seen: dict[str, torch.Tensor] = {}
    for init in ("noise", "regressed", "pose"):
        handle = model.denoiser.register_forward_pre_hook(lambda _, given, i=init: seen.update({i: given[0]}))
        sampler = replace(DEFAULT.sampler, steps=1, hypotheses=60, init=init)
        out = model.sample(batch.inputs[:1], torch.tensor([0]), sampler=sampler, dat=OFF)
        handle.remove()
    mesh = out.regression.mesh[0]
    bar = 0.1322
    assert seen["noise"].mean(0).abs().max() < 0.65 and seen["noise"].std().item() == pytest.approx(1, abs=0.01)
    centre = seen["regressed"].mean(0) - bar**0.5 * mesh
    assert centre.mean(0).abs().max() < 0.03
    assert (seen["regressed"] - bar**0.5 * mesh).std().item() == pytest.approx((1 - bar) ** 0.5, abs=0.01)
    shift = (seen["pose"] - seen["regressed"]).mean(0) / bar**0.5
    joints = torch.einsum("jv,vc->jc", model.joint_map, mesh + shift)
    u = out.u[0].mean(0)
    assert (joints - u).norm(dim=-1).mean() < 0.4 * (model.joint_map @ mesh - u).norm(dim=-1).mean()


def test_a4_zero_snr_runs_from_pure_noise(make_model: Callable[..., HMDiff], batch: Batch):
    schedule = replace(DEFAULT.schedule, terminal="zero_snr")
    model = make_model(replace(DEFAULT, schedule=schedule))
    for mode in ("posterior", "detached", "direct", "full"):
        out = model.sample(batch.inputs, torch.arange(3), sampler=QUICK, dat=DATConfig(mode=mode))  # type: ignore[arg-type]
        assert torch.isfinite(out.samples).all(), mode
    with pytest.raises(ValueError, match="zero signal"):
        replace(PAPER, schedule=schedule)


def test_a17_mean_or_the_sample_nearest_to_all(model: HMDiff, batch: Batch):
    sampler = replace(QUICK, hypotheses=5)
    mean = model.sample(batch.inputs, torch.arange(3), sampler=sampler)
    assert torch.allclose(mean.mean, mean.samples.mean(1), atol=1e-6)
    medoid = model.sample(batch.inputs, torch.arange(3), sampler=replace(sampler, combine="medoid"))
    assert torch.equal(medoid.samples, mean.samples)
    for row in range(3):
        flat = medoid.samples[row].flatten(1)
        best = min(range(5), key=lambda i: float(sum((flat[i] - flat[j]).norm() for j in range(5))))
        assert torch.equal(medoid.mean[row], medoid.samples[row, best])


def test_paper_preset_is_the_papers():
    sampler = PAPER.sampler
    assert (PAPER.schedule.steps, PAPER.schedule.beta_start, PAPER.schedule.beta_end) == (200, 1e-4, 2e-2)
    assert (sampler.steps, sampler.eta, sampler.hypotheses, sampler.u_samples) == (40, 0.8, 25, 25)
    assert (PAPER.prediction, sampler.init, sampler.combine, PAPER.schedule.terminal) == (
        "epsilon", "noise", "mean", "paper",
    )  # fmt: skip
    loss = PAPER.loss
    assert (loss.vertex, loss.joint, loss.normal, loss.edge) == (0.1, 1.0, 1e-4, 0.005)
    assert loss.reduction == "sum" and loss.weighting == "uniform" and PAPER.dat.mode == "full"
    denoiser = PAPER.denoiser
    assert denoiser.layers == 1 and denoiser.adjacency == "mask" and denoiser.feed_forward == denoiser.joint_tokens == 0
    assert not denoiser.residual and not denoiser.around_mesh


def test_default_preset_is_what_the_notes_recommend():
    config: HMDiffConfig = DEFAULT
    assert config.prediction == "x0" and config.denoiser.residual and config.denoiser.feed_forward >= 2
    assert config.denoiser.adjacency == "bias" and config.denoiser.joint_tokens == 14 and config.denoiser.around_mesh
    assert config.sampler.init == "regressed" and config.sampler.steps == 10
    assert config.dat.mode in ("posterior", "detached") and config.dat.residual == "reducible"


def test_paper_preset_runs_end_to_end(make_model: Callable[..., HMDiff], batch: Batch):
    """Random weights, full gradient through g, started at N(0, I); few of the 40 steps, for the time it takes."""
    model = make_model(PAPER)
    sampler = replace(PAPER.sampler, steps=3, hypotheses=3)
    out = model.sample(batch.inputs[:2], torch.tensor([0, 1]), sampler=sampler)
    again = model.sample(batch.inputs[:2], torch.tensor([0, 1]), sampler=sampler)
    assert out.vertices.shape == (2, model.up.shape[0], 3) and out.u.shape == (2, 25, 14, 3)
    assert torch.isfinite(out.samples).all() and torch.equal(out.samples, again.samples)
    assert (out.active_steps >= 1).all()


def test_temperature_scales_the_spread_of_the_hypotheses(model: HMDiff, batch: Batch):
    def spread(temperature: float) -> float:
        sampler = replace(QUICK, temperature=temperature, hypotheses=4)
        dat = replace(model.config.dat, mode="none")
        return float(model.sample(batch.inputs, torch.arange(3), sampler=sampler, dat=dat).samples.std(1).mean())

    assert spread(0.0) < 1e-5
    assert spread(0.3) < 0.8 * spread(1.0)
