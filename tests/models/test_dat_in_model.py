"""DAT inside the reverse process: the modes of A8 and A9 through the real denoiser, and what they do to the joints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hmdiff.diffusion.dat import PAPER_DAT, DATConfig, alignment_gap, joints_of
from hmdiff.models.config import DEFAULT, PAPER
from hmdiff.models.hmdiff import HMDiff, MeshSamples
from hmdiff.synthesis.batch import Batch

KEYS = torch.arange(3)
QUICK = replace(DEFAULT.sampler, steps=4, hypotheses=2)
ONE_STEP = replace(PAPER.sampler, steps=1, hypotheses=2, u_samples=6)
"""With one step h_0 = x0(h_K) - gamma pull, so that pull can be read off the samples."""
FULL = replace(PAPER_DAT, gamma=1e-3)


def _gap(model: HMDiff, out: MeshSamples) -> float:
    joints = joints_of(out.samples, model.joint_map)
    return float((joints - out.u.mean(1, keepdim=True)).norm(dim=-1).mean())


def _pull(model: HMDiff, batch: Batch, dat: DATConfig) -> torch.Tensor:
    moved = model.sample(batch.inputs[:1], KEYS[:1], sampler=ONE_STEP, dat=dat)
    still = model.sample(batch.inputs[:1], KEYS[:1], sampler=ONE_STEP, dat=replace(dat, mode="none"))
    return (still.samples - moved.samples) / dat.gamma


@pytest.mark.parametrize(
    ("dat", "share"),
    [
        (DATConfig(mode="posterior"), 0.8),
        (DATConfig(mode="posterior", target="single"), 0.8),
        (DATConfig(mode="detached"), 0.8),
        (DATConfig(mode="detached", target="single"), 0.8),
        (DATConfig(mode="detached", gamma=0.002, limit_gamma=False), 0.99),
    ],
)
def test_dat_moves_the_joints_nearer_to_u(model: HMDiff, batch: Batch, dat: DATConfig, share: float):
    off = model.sample(batch.inputs, KEYS, sampler=QUICK, dat=DATConfig(mode="none"))
    on = model.sample(batch.inputs, KEYS, sampler=QUICK, dat=dat)
    assert (off.active_steps == 0).all() and (on.active_steps >= 1).all()
    target_gap = _gap(model, off) if dat.target == "distribution" else _gap_to_peak(model, off, on)
    assert _gap(model, on) < share * target_gap


def _gap_to_peak(model: HMDiff, off: MeshSamples, on: MeshSamples) -> float:
    assert on.u.shape[1] == 1
    joints = joints_of(off.samples, model.joint_map)
    return float((joints - on.u).norm(dim=-1).mean())


def test_a8_full_gradient_moves_the_joints_nearer_to_u(make_model: Callable[..., HMDiff], batch: Batch):
    """An epsilon network passes h_k on to h_0, so a small gamma through g already aligns."""
    model = make_model(PAPER)
    off = model.sample(
        batch.inputs, KEYS, sampler=replace(PAPER.sampler, steps=4, hypotheses=2), dat=DATConfig(mode="none")
    )
    on = model.sample(batch.inputs, KEYS, sampler=replace(PAPER.sampler, steps=4, hypotheses=2), dat=FULL)
    assert _gap(model, on) < 0.9 * _gap(model, off)


def test_direct_pulls_h_k_itself(make_model: Callable[..., HMDiff], batch: Batch):
    """Table 5's L2 on h_k: the pull is 2 S f^T (f(h_k) - mean u), whatever the network says."""
    model = make_model(PAPER)
    dat = replace(FULL, mode="direct")
    h = model.noise_for_track(0, 0, ONE_STEP).start[None]
    u = model.sample(batch.inputs[:1], KEYS[:1], sampler=ONE_STEP, dat=dat).u
    h = h.clone().requires_grad_()
    (expected,) = torch.autograd.grad(alignment_gap(joints_of(h, model.joint_map), u, dat).sum(), h)
    assert torch.allclose(_pull(model, batch, dat), expected, atol=0.02, rtol=1e-3)


def test_a8_full_equals_detached_where_the_network_ignores_h_k(make_model: Callable[..., HMDiff], batch: Batch):
    """With a silent epsilon network h_0 = h_k / sqrt(alpha), whose Jacobian is what ``detached`` assumes."""
    model = make_model(PAPER)
    torch.nn.init.zeros_(model.denoiser.exit.weight)
    torch.nn.init.zeros_(model.denoiser.exit.bias)
    full, detached = _pull(model, batch, FULL), _pull(model, batch, replace(FULL, mode="detached"))
    assert full.abs().max() > 1
    assert torch.allclose(full, detached, atol=0.01, rtol=1e-3)


@pytest.mark.parametrize("config", [PAPER, DEFAULT])
def test_a8_full_is_the_gradient_through_the_denoiser(
    make_model: Callable[..., HMDiff], batch: Batch, monkeypatch: pytest.MonkeyPatch, config
):
    """Against finite differences of D_K(h_K) along three directions, through features, attention and all."""
    model = make_model(config)
    for weight in model.denoiser.parameters():
        weight.data *= 3  # so that g has a Jacobian worth measuring
    track = model.noise_for_track(0, 0, ONE_STEP)
    pull = _pull(model, batch, FULL)[0]
    detached = _pull(model, batch, replace(FULL, mode="detached"))[0]
    assert (pull - detached).norm() > 0.05 * pull.norm()

    def gap_at(start: torch.Tensor) -> torch.Tensor:
        monkeypatch.setattr(HMDiff, "noise_for_track", lambda *_: replace(track, start=start))
        out = model.sample(batch.inputs[:1], KEYS[:1], sampler=ONE_STEP, dat=DATConfig(mode="none"))
        return alignment_gap(joints_of(out.samples.double(), model.joint_map.double()), out.u.double(), FULL)[0]

    generator = torch.Generator().manual_seed(3)
    for direction in (pull, torch.randn(pull.shape, generator=generator), pull.roll(40, 1)):
        direction = direction / direction.flatten(1).norm(dim=1)[:, None, None]
        width = 0.02
        slope = (gap_at(track.start + width * direction) - gap_at(track.start - width * direction)) / (2 * width)
        expected = (pull * direction).sum((1, 2)).double()
        scale = pull.flatten(1).norm(dim=1).double()
        assert ((slope - expected).abs() < 0.01 * scale).all(), (slope, expected, scale)


def test_activation_strategy_stops_dat_and_switching_it_off_does_not(model: HMDiff, batch: Batch):
    steps = replace(QUICK, steps=6)
    strict = DATConfig(mode="posterior", threshold=0.6)
    on = model.sample(batch.inputs, KEYS, sampler=steps, dat=strict).active_steps
    always = model.sample(batch.inputs, KEYS, sampler=steps, dat=replace(strict, activation=False)).active_steps
    assert (on >= 1).all() and (on < 6).any() and (always == 6).all()


def test_a7_literal_residual_keeps_dat_on_longer(model: HMDiff, batch: Batch):
    steps = replace(QUICK, steps=6, hypotheses=16)
    dat = DATConfig(mode="posterior", threshold=0.6)
    reducible = model.sample(batch.inputs, KEYS, sampler=steps, dat=dat).active_steps
    literal = model.sample(batch.inputs, KEYS, sampler=steps, dat=replace(dat, residual="literal")).active_steps
    assert (literal >= reducible).all() and literal.sum() > reducible.sum()


def test_a9_one_pose_of_u_per_hypothesis_spreads_them(model: HMDiff, batch: Batch):
    sampler = replace(QUICK, hypotheses=8, exact=False)
    spreads = {}
    for target in ("distribution", "sample"):
        dat = DATConfig(mode="posterior", target=target)  # type: ignore[arg-type]
        out = model.sample(batch.inputs, KEYS, sampler=sampler, dat=dat)
        spreads[target] = joints_of(out.samples, model.joint_map).std(1).mean().item()
    assert spreads["sample"] > 1.2 * spreads["distribution"]


@pytest.mark.parametrize("mode", ["posterior", "detached"])
def test_a11_without_depth_the_picture_plane_alone_is_aligned(model: HMDiff, batch: Batch, mode):
    gaps = {}
    for name, dat in (
        ("off", DATConfig(mode="none")),
        ("flat", DATConfig(mode=mode, use_depth=False)),
        ("deep", DATConfig(mode=mode)),
    ):
        out = model.sample(batch.inputs, KEYS, sampler=QUICK, dat=dat)
        error = joints_of(out.samples, model.joint_map) - out.u.mean(1, keepdim=True)
        gaps[name] = error.abs().mean((0, 1, 2))
    assert (gaps["flat"][:2] < 0.85 * gaps["off"][:2]).all()
    assert gaps["flat"][2] > 1.15 * gaps["deep"][2] and gaps["flat"][2] > 0.8 * gaps["off"][2]


def test_a6_clip_bounds_how_far_a_step_may_go(make_model: Callable[..., HMDiff], batch: Batch):
    model = make_model(PAPER)
    wild = replace(PAPER_DAT, gamma=10.0)
    for dat, bounded in ((wild, False), (replace(wild, clip=0.5), True)):
        moved = (_pull(model, batch, dat) * dat.gamma).flatten(2).norm(dim=-1)
        assert (moved < 0.51).all().item() is bounded
