from __future__ import annotations

import math

import torch
from hmdiff.bodies.rotations import axis_angle_to_matrix
from hmdiff.fitting import fill_rotations, fill_values, segments, smooth_rotations, smooth_values
from torch import Tensor


def angle(a: Tensor, b: Tensor) -> Tensor:
    trace = (a.transpose(-1, -2) @ b).diagonal(dim1=-1, dim2=-2).sum(-1)
    return torch.acos(((trace - 1) / 2).clamp(-1, 1))


def turning(times: Tensor) -> Tensor:
    """A full turn about y in a second: passes the quaternions' sign change and the axis-angles' half turn."""
    vector = torch.stack([0.2 * torch.sin(times), 2 * math.pi * times, torch.zeros_like(times)], -1)
    return axis_angle_to_matrix(vector[:, None].float())


def test_strength_zero_changes_nothing() -> None:
    times = torch.arange(20) / 30.0
    values, label = torch.randn(20, 3), torch.zeros(20, dtype=torch.long)
    assert torch.equal(smooth_values(values, times, label, 0.0), values)
    rotations = turning(times)
    assert torch.equal(smooth_rotations(rotations, times, label, 0.0), rotations)


def test_noise_goes_and_motion_stays_without_lag() -> None:
    times = torch.arange(300) / 60.0
    true = torch.sin(2 * math.pi * 1.0 * times)[:, None]
    noisy = true + 0.1 * torch.randn(300, 1, generator=torch.Generator().manual_seed(0))
    label = torch.zeros(300, dtype=torch.long)
    smooth = smooth_values(noisy, times, label, 0.1)
    assert (smooth - true).square().mean() < 0.25 * (noisy - true).square().mean()
    assert (smooth_values(true, times, label, 0.1) - true).abs().max() < 0.06
    lags = [((smooth[10:-10] - true[10 + k : 290 + k]).square().mean().item(), k) for k in range(-5, 6)]
    assert min(lags)[1] == 0


def test_a_parabola_in_uneven_time_is_kept() -> None:
    generator = torch.Generator().manual_seed(1)
    times = torch.cumsum(0.01 + 0.05 * torch.rand(100, generator=generator), 0)
    values = torch.stack([3 * times**2 - times, times + 1], -1)
    smooth = smooth_values(values, times, torch.zeros(100, dtype=torch.long), 0.1)
    assert torch.allclose(smooth, values, atol=5e-3)


def test_the_same_motion_at_any_frame_rate_is_smoothed_alike() -> None:
    results = []
    for rate in (30, 120):
        times = torch.arange(4 * rate + 1) / rate
        values = torch.sin(2 * math.pi * 3.0 * times)[:, None]
        smooth = smooth_values(values, times, torch.zeros(len(times), dtype=torch.long), 0.1)
        results.append(smooth[rate : 3 * rate].abs().max().item())
    assert abs(results[0] - results[1]) < 0.05 and results[0] < 0.9


def test_rotations_pass_the_half_turn() -> None:
    times = torch.arange(90) / 30.0
    true = turning(times)
    noisy = axis_angle_to_matrix(0.1 * torch.randn(90, 1, 3, generator=torch.Generator().manual_seed(3))) @ true
    smooth = smooth_rotations(noisy, times, torch.zeros(90, dtype=torch.long), 0.1)
    assert angle(smooth, true).mean() < 0.6 * angle(noisy, true).mean()
    assert angle(smooth, true).max() < 0.2
    eye = torch.eye(3).expand_as(smooth)
    assert torch.allclose(smooth @ smooth.transpose(-1, -2), eye, atol=1e-5)


def test_nothing_is_smoothed_across_a_long_gap() -> None:
    times = torch.cat([torch.arange(30) / 30.0, 3 + torch.arange(30) / 30.0])
    values = torch.cat([torch.zeros(30, 1), torch.ones(30, 1)])
    label = segments(times, torch.ones(60, dtype=torch.bool))
    assert label[29] != label[30]
    assert torch.allclose(smooth_values(values, times, label, 2.0), values, atol=1e-3)


def test_short_gaps_are_bridged_and_long_ones_held() -> None:
    times = torch.arange(60) / 30.0
    valid = torch.ones(60, dtype=torch.bool)
    valid[10:15] = False
    valid[30:55] = False
    valid[0] = False
    values = times[:, None].clone()
    values[~valid] = 99.0
    filled = fill_values(values, times, valid, max_gap=0.5)
    assert torch.allclose(filled[10:15], times[10:15, None], atol=1e-5)
    assert torch.allclose(filled[30:55], times[29].expand(25, 1))
    assert filled[0] == values[1]
    label = segments(times, valid, max_gap=0.5)
    assert (label[10:15] == label[9]).all() and (label[30:55] == -1).all() and label[0] == -1

    true = turning(times)
    broken = true.clone()
    broken[~valid] = torch.eye(3)
    turned = fill_rotations(broken, times, valid, max_gap=0.5)
    assert angle(turned[10:15], true[10:15]).max() < 0.02
    assert torch.allclose(turned[30:55], true[29].expand(25, 1, 3, 3), atol=1e-5)


def test_nobody_at_all_is_left_alone() -> None:
    times, valid = torch.arange(5) / 30.0, torch.zeros(5, dtype=torch.bool)
    values = torch.randn(5, 3)
    assert torch.equal(fill_values(values, times, valid), values)
    assert (segments(times, valid) == -1).all()
    assert torch.equal(smooth_values(values, times, segments(times, valid), 0.1), values)
