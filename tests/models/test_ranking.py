"""Hypotheses ranked without truth, on real weights and held-out noise."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hmdiff.bodies.rotations import axis_angle_to_matrix
from hmdiff.models.config import SPEEDS
from hmdiff.models.ranking import TERMS, rank_scores, rank_terms
from hmdiff.models.weights import load_model
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.synthesis.noise import NoiseModel
from hmdiff.synthesis.people import make_setup
from hmdiff.synthesis.poses import PosePool
from hmdiff.training.rank_fit import fit_ranking

COUNT = 24


@pytest.fixture(scope="module")
def loaded():
    return load_model()


@pytest.fixture(scope="module")
def stream(loaded):
    """People in random bent poses: no mocap is needed to see whether an order is sensible."""
    generator = torch.Generator().manual_seed(4)
    poses = 0.35 * torch.randn(200, 24, 3, generator=generator)
    poses[:, 0] = 0
    pool = PosePool(poses, torch.ones(200))
    setup = make_setup(pool, loaded.body, loaded.hierarchy, loaded.maps, "cpu", augment=False)
    return SyntheticStream(setup, torch.from_numpy(loaded.hierarchy.faces[1]), NoiseModel())


@pytest.fixture(scope="module")
def drawn(loaded, stream):
    with torch.no_grad():
        batch = stream.draw(COUNT, torch.Generator().manual_seed(5))
    sampler = replace(SPEEDS["preview"], hypotheses=4)
    return batch, loaded.model.sample(batch.inputs, torch.arange(COUNT), 0, sampler)


def test_the_true_body_beats_its_mirrored_turned_and_bent_copies(loaded, drawn):
    batch, samples = drawn
    truth = batch.people.vertices
    turn = axis_angle_to_matrix(torch.tensor([0.0, 0.6, 0.0]))
    raised = truth.clone()
    raised[..., 1] = truth[..., 1] * 0.7
    wrong = torch.stack([truth * torch.tensor([-1.0, 1.0, 1.0]), truth @ turn.T, raised, truth], 1)
    scores = rank_scores(loaded, batch.inputs, replace(samples, samples=wrong))
    assert scores.shape == (COUNT, 4)
    assert (scores.argmax(1) == 3).float().mean() > 0.8
    assert scores.mean(1).abs().max() < 1e-3  # only differences within a picture are told


def test_what_the_detector_did_not_give_says_nothing(loaded, drawn):
    batch, samples = drawn
    without = replace(batch.inputs, flags=torch.zeros_like(batch.inputs.flags))
    terms = rank_terms(loaded, without, samples)
    assert set(terms) == set(TERMS)
    assert not terms["heatmaps"].any() and not terms["mask"].any()
    assert terms["landmarks"].any() and terms["pose"].any()
    assert torch.isfinite(rank_scores(loaded, without, samples)).all()


def test_a_single_hypothesis_has_no_rank(loaded, drawn):
    batch, samples = drawn
    assert not rank_scores(loaded, batch.inputs, replace(samples, samples=samples.samples[:, :1])).any()


def test_the_fit_finds_a_ranking_that_helps_on_other_people(loaded, stream):
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        batches = [stream.draw(COUNT, generator) for _ in range(4)]
        other = stream.draw(COUNT, generator)
    weights = fit_ranking(loaded, batches)
    sampler = replace(SPEEDS["default"], hypotheses=8)
    samples = loaded.model.sample(other.inputs, torch.arange(COUNT), 1, sampler)
    errors = (samples.samples - other.people.vertices[:, None]).norm(dim=-1).mean(-1)
    scores = rank_scores(replace(loaded, card={"ranking": weights}), other.inputs, samples)
    chosen = errors.gather(1, scores.argmax(1, keepdim=True))[:, 0]
    assert chosen.mean() < errors.mean()
    against = errors.gather(1, scores.argmin(1, keepdim=True))[:, 0]
    assert chosen.mean() < against.mean()
