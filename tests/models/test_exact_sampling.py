"""Hypotheses are as far apart as the prior says, at any number of steps, and their mean carries none of the noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hmdiff.diffusion.dat import MeshPrior, linear_denoise
from hmdiff.diffusion.ddim import Step
from hmdiff.models.config import DEFAULT
from hmdiff.models.hmdiff import BASIS_RANK, HMDiff
from hmdiff.models.spread import FullSpread
from hmdiff.models.track_noise import centred, draw_noise
from hmdiff.synthesis.batch import Batch
from torch import Tensor

MANY = replace(DEFAULT.sampler, hypotheses=1500, centred=False, widen=1.0)
OFF = replace(DEFAULT.dat, mode="none")


def _linear(model: HMDiff) -> Callable[..., Tensor]:
    def predict(h: Tensor, step: Step, context: object, mesh: Tensor, prior: MeshPrior) -> Tensor:
        n = h.shape[1]
        bar = torch.full((len(h) * n,), step.alpha_bar)
        estimate = linear_denoise(h.flatten(0, 1), mesh.repeat_interleave(n, 0), bar, prior.repeat(n))
        return estimate.unflatten(0, h.shape[:2])

    return predict


@pytest.fixture
def unsure(make_model: Callable[..., HMDiff], monkeypatch: pytest.MonkeyPatch) -> HMDiff:
    """Its spread differs from picture to picture; its denoiser adds nothing to the linear estimate yet."""
    model = make_model()
    assert isinstance(model.spread, FullSpread)
    # what it would say, without the work
    monkeypatch.setattr(model, "predict_x0", _linear(model))
    with torch.no_grad():
        model.spread.out.weight.normal_(std=0.6, generator=torch.Generator().manual_seed(4))
    return model


def _covariance(model: HMDiff, samples: Tensor) -> Tensor:
    """(48,48) of the error's coefficients over their usual deviations, of samples (N,431,3)."""
    deviation = model.basis.norm(dim=0)
    inside = (samples - samples.mean(0)).flatten(1) @ (model.basis / deviation) / deviation
    return inside.T @ inside / (len(samples) - 1)


@pytest.mark.parametrize("steps", [1, 3])
def test_the_hypotheses_have_the_spread_that_the_model_tells(unsure: HMDiff, batch: Batch, steps: int):
    out = unsure.sample(batch.inputs[:1], torch.tensor([0]), sampler=replace(MANY, steps=steps), dat=OFF)
    assert isinstance(unsure.spread, FullSpread)
    factor = unsure.spread(out.regression.hidden)[0].detach()
    told, found = factor @ factor.T, _covariance(unsure, out.samples[0])
    assert (told - torch.eye(BASIS_RANK)).abs().max() > 0.5
    scale = told.diagonal().sqrt()
    assert ((found - told) / (scale[:, None] * scale)).abs().max() < 0.12, "1,500 draws know a correlation to 0.026"


def test_the_mean_of_each_step_in_its_place_leaves_too_little_spread(unsure: HMDiff, batch: Batch):
    few = replace(MANY, steps=3, hypotheses=400)
    wide, narrow = (
        unsure.sample(batch.inputs[:1], torch.tensor([0]), sampler=replace(few, exact=exact), dat=OFF)
        .samples.std(1)
        .mean()
        for exact in (True, False)
    )
    assert narrow < 0.7 * wide


@pytest.mark.parametrize("hypotheses", [1, 5])
def test_centred_noise_leaves_the_mean_of_the_hypotheses_at_m(unsure: HMDiff, batch: Batch, hypotheses: int):
    """As long as g adds nothing; a single hypothesis is the best guess."""
    sampler = replace(DEFAULT.sampler, steps=3, hypotheses=hypotheses)
    out = unsure.sample(batch.inputs, torch.arange(3), sampler=sampler, dat=OFF)
    assert (out.mean - out.regression.mesh).abs().max() < 1e-4


def test_centred_noise_has_variance_one_and_no_sum():
    noise = centred(torch.randn(5, 4000, generator=torch.Generator().manual_seed(0)), 0)
    assert noise.sum(0).abs().max() < 1e-5 and noise.std() == pytest.approx(1, abs=0.02)
    assert (draw_noise(0, 0, replace(DEFAULT.sampler, hypotheses=1), BASIS_RANK).inside == 0).all()


def test_nearly_the_same_picture_gives_nearly_the_same_hypotheses(unsure: HMDiff, batch: Batch):
    """Directions of the spread may trade places from frame to frame: the hypotheses must not jump with them."""
    near = replace(batch.inputs, landmarks=batch.inputs.landmarks + 1e-3)
    sampler = replace(DEFAULT.sampler, steps=3)
    first, second = (unsure.sample(one, torch.arange(3), sampler=sampler, dat=OFF) for one in (batch.inputs, near))
    jump = (first.samples - second.samples).norm(dim=-1).mean()
    assert jump < 0.05 * (first.samples - first.mean[:, None]).norm(dim=-1).mean()


def test_a_wider_spread_is_so_many_times_as_wide(unsure: HMDiff, batch: Batch):
    few = replace(MANY, steps=2, hypotheses=300)
    plain, wide = (
        unsure.sample(batch.inputs[:1], torch.tensor([0]), sampler=replace(few, widen=factor), dat=OFF).samples
        for factor in (1.0, 1.4)
    )
    assert (wide.std(1).mean() / plain.std(1).mean()).item() == pytest.approx(1.4, abs=0.05)
