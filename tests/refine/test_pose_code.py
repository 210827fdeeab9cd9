from __future__ import annotations

import pytest
import torch
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import matrix_to_axis_angle
from hmdiff.refine.pose_code import BetaRange, PoseCode


def test_code_and_back() -> None:
    rotations = random_rotations(4, torch.Generator().manual_seed(0))
    code = PoseCode()
    x = code.encode(rotations)
    assert x.shape == (4, 144)
    torch.testing.assert_close(code.rotations(x), rotations, rtol=0, atol=1e-6)
    torch.testing.assert_close(code.encode_axis_angle(matrix_to_axis_angle(rotations).flatten(1)), x, rtol=0, atol=1e-5)
    # columns, not rows (method_notes 2.3)
    torch.testing.assert_close(x[0, 6:12], torch.cat([rotations[0, 1, :, 0], rotations[0, 1, :, 1]]))


def test_any_code_is_a_rotation_with_a_gradient() -> None:
    x = torch.randn(3, 144, generator=torch.Generator().manual_seed(1), requires_grad=True)
    rotations = PoseCode().rotations(x)
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).expand(3, 24, 3, 3), rtol=0, atol=1e-5)
    rotations[..., 0, 1].sum().backward()
    assert x.grad is not None and bool(torch.isfinite(x.grad).all()) and bool((x.grad != 0).any())


def test_betas_are_brought_to_their_limits() -> None:
    people = torch.tensor([[-2.0, 0.0], [4.0, 1.0], [1.0, 0.5]])
    code = PoseCode(BetaRange.of(people))
    x = code.encode(torch.eye(3).expand(3, 24, 3, 3), people)
    assert x.shape == (3, 146)
    torch.testing.assert_close(x[:, 144:], torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]))
    torch.testing.assert_close(code.betas_of(x, torch.zeros(3, 2)), people)


def test_betas_beyond_the_limits_survive_and_none_are_refused() -> None:
    code = PoseCode(BetaRange((-1.0,), (1.0,)))
    far = torch.tensor([[3.0]])
    x = code.encode(torch.eye(3).expand(1, 24, 3, 3), far)
    torch.testing.assert_close(code.betas_of(x, torch.zeros(1, 1)), far)
    with pytest.raises(ValueError, match="betas"):
        code.encode(torch.eye(3).expand(1, 24, 3, 3))
