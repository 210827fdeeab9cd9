"""Drawn readings are bodies, as the detector's own are: compared with what it says of the rendered people that ship."""

from __future__ import annotations

import pytest
import torch
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.synthesis.measured.coherent import BONE_NOISE, BONES, coherent_points, coherent_world
from hmdiff.synthesis.measured.covariates import hip_centred
from hmdiff.synthesis.measured.mixing import detect_mixed
from hmdiff.synthesis.measured.tables import shipped_tables
from hmdiff.synthesis.noise import NoiseModel
from hmdiff.synthesis.people import People, sample_people
from hmdiff.synthesis.render.packed import BENCH_FILE, read_packed
from torch import Tensor

LIMBS = BONES[6:14]
WHOLE = NoiseModel(truncated=0.0, limb_removed=0.0)


@pytest.fixture(scope="module")
def people(stream: SyntheticStream) -> People:
    return sample_people(stream.setup, 600, torch.Generator().manual_seed(0))


def _lengths(points: Tensor) -> Tensor:
    """(N,8): upper arms, forearms, thighs, shins, left and right by turns."""
    return torch.stack([(points[:, end] - points[:, start]).norm(dim=-1) for start, end in LIMBS], 1)


def _asymmetry(world: Tensor) -> float:
    """Mean |log| of a left bone's length over the right one's."""
    length = _lengths(world)
    return float((length[:, 0::2] / length[:, 1::2].clamp_min(1e-3)).log().abs().mean())


def test_left_and_right_bones_differ_as_much_as_the_detectors_do(people: People):
    found = torch.from_numpy(read_packed(BENCH_FILE).found["world"])
    real = _asymmetry(found[torch.isfinite(found).all(-1).all(-1)])
    seen, _ = detect_mixed(people, torch.Generator().manual_seed(1), WHOLE, shipped_tables(), 1.0)
    assert _asymmetry(seen.world) == pytest.approx(real, abs=0.04)
    assert _asymmetry(people.landmarks) < 0.08


def test_no_bone_looks_longer_than_it_can(people: People):
    seen, _ = detect_mixed(people, torch.Generator().manual_seed(1), WHOLE, shipped_tables(), 1.0)
    depth = (people.pelvis + people.landmarks[:, 23:25].mean(1))[:, 2]
    share = _lengths(seen.landmarks_2d * depth[:, None, None]) / _lengths(people.landmarks)
    assert share.max() < 1.11 and (share > 1.0).float().mean() > 0.02


def test_readings_without_error_stay_as_they_are(people: People):
    """At the person's own depth a point on the plane z = 1 is a little off, since no body is flat."""
    truth = hip_centred(people.landmarks)
    depth = torch.full((len(truth),), 50.0)
    points = truth[..., :2] / depth[:, None, None]
    assert torch.allclose(coherent_points(points, truth, depth), points, atol=1e-6)
    noise = torch.zeros(len(truth), BONE_NOISE)
    world = coherent_world(truth, truth, points, depth, noise)
    assert torch.allclose(world, 0.88 * truth, atol=0.01)
