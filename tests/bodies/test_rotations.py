"""Rotation representations: round trips, the hard places, and that gradients survive there."""

from __future__ import annotations

import numpy as np
import torch
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import (
    axis_angle_to_matrix,
    matrix_to_6d,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    nearest_rotation,
    sixd_to_matrix,
)
from hmdiff_wire.body import rotation_matrices
from scipy.spatial.transform import Rotation


def vectors(count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    angles = np.concatenate([rng.uniform(0, np.pi, count - 6), [0, 1e-8, 1e-4, np.pi - 1e-3, np.pi - 1e-5, np.pi]])
    return directions * angles[:, None]


def test_axis_angles_match_scipy_and_numpy() -> None:
    given = vectors()
    truth = Rotation.from_rotvec(given).as_matrix()
    tensor = axis_angle_to_matrix(torch.from_numpy(given))
    np.testing.assert_allclose(tensor.numpy(), truth, atol=1e-7)
    np.testing.assert_allclose(rotation_matrices(given.astype(np.float32)), truth, atol=2e-6)
    back = axis_angle_to_matrix(matrix_to_axis_angle(tensor))
    assert (back - tensor).abs().max() < 1e-6
    assert matrix_to_axis_angle(tensor).norm(dim=-1).max() < np.pi + 1e-6
    singles = axis_angle_to_matrix(matrix_to_axis_angle(tensor.float()))
    assert (singles - tensor).abs().max() < 1e-5


def test_quaternions_match_scipy() -> None:
    matrices = Rotation.from_rotvec(vectors()).as_matrix()
    found = matrix_to_quaternion(torch.from_numpy(matrices)).numpy()
    truth = Rotation.from_matrix(matrices).as_quat()[:, [3, 0, 1, 2]]
    assert np.minimum(np.abs(found - truth).max(1), np.abs(found + truth).max(1)).max() < 1e-6
    assert (found[:, 0] >= 0).all()


def test_6d_is_the_first_two_columns() -> None:
    matrices = torch.from_numpy(Rotation.from_rotvec(vectors()).as_matrix())
    sixd = matrix_to_6d(matrices)
    assert torch.equal(sixd[:, :3], matrices[:, :, 0]) and torch.equal(sixd[:, 3:], matrices[:, :, 1])
    assert (sixd_to_matrix(sixd) - matrices).abs().max() < 1e-7
    rough = sixd_to_matrix(sixd * 3 + 0.1)
    assert (rough @ rough.transpose(1, 2) - torch.eye(3)).abs().max() < 1e-6
    assert (torch.linalg.det(rough) - 1).abs().max() < 1e-6


def test_nearest_rotation_is_the_nearest() -> None:
    matrices = torch.from_numpy(Rotation.from_rotvec(vectors(50)).as_matrix())
    generator = torch.Generator().manual_seed(0)
    noisy = matrices + 0.1 * torch.randn(matrices.shape, generator=generator, dtype=torch.float64)
    found = nearest_rotation(noisy)
    assert (torch.linalg.det(found) - 1).abs().max() < 1e-6
    assert ((found - noisy).norm(dim=(1, 2)) <= (matrices - noisy).norm(dim=(1, 2)) + 1e-9).all()
    mirrored = torch.diag(torch.tensor([1.0, 1.0, -1.0]))[None]
    assert torch.linalg.det(nearest_rotation(mirrored)).item() > 0.99


def test_gradients_are_finite_at_rest() -> None:
    zero = torch.zeros(4, 3, requires_grad=True)
    axis_angle_to_matrix(zero).sum().backward()
    assert zero.grad is not None and torch.isfinite(zero.grad).all()


def test_random_poses_bend_knees_and_elbows_the_right_way() -> None:
    rotations = random_rotations(200, torch.Generator().manual_seed(0))
    shins = (rotations[:, [4, 5]] @ torch.tensor([0.0, -1.0, 0.0]))[..., 2]
    assert (shins < 0.3).all() and shins.mean() < -0.2  # shins go back
    forearms = torch.stack([rotations[:, 18, 2, 0], -rotations[:, 19, 2, 0]])
    assert forearms.mean() > 0.2  # hands come forward
    again = random_rotations(200, torch.Generator().manual_seed(0))
    assert torch.equal(rotations, again)
