"""Alignment, joint errors and acceleration against known cases and independent formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hmdiff.evaluation import metrics
from scipy.spatial.transform import Rotation

RNG = np.random.default_rng(3)


def body(frames: int = 4, joints: int = 24) -> np.ndarray:
    return RNG.normal(size=(frames, joints, 3)) * 0.4


def test_procrustes_undoes_any_similarity():
    truth = body()
    rotation = Rotation.random(4, rng=np.random.default_rng(1)).as_matrix()
    moved = 2.5 * truth @ np.swapaxes(rotation, -1, -2) + RNG.normal(size=(4, 1, 3))
    assert metrics.pa_mpjpe(moved, truth).max() < 1e-9
    assert metrics.mpjpe(moved, truth, metrics.SMPL_PELVIS).min() > 100


def test_procrustes_does_not_forgive_a_mirror_image():
    truth = body()
    mirrored = truth * np.array([-1.0, 1.0, 1.0])
    assert metrics.pa_mpjpe(mirrored, truth).min() > 50
    _, rotation, _ = metrics.similarity_transform(mirrored, truth)
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0, atol=1e-9)


def horn(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """source (P, 3) laid over target by Horn's quaternions (1987): no SVD, and no mirror image can come out."""
    moving, fixed = source - source.mean(0), target - target.mean(0)
    xx, xy, xz, yx, yy, yz, zx, zy, zz = (moving.T @ fixed).ravel()
    matrix = np.array(
        [[xx + yy + zz, yz - zy, zx - xz, xy - yx],
         [yz - zy, xx - yy - zz, xy + yx, zx + xz],
         [zx - xz, xy + yx, yy - xx - zz, yz + zy],
         [xy - yx, zx + xz, yz + zy, zz - xx - yy]]
    )  # fmt: skip
    w, x, y, z = np.linalg.eigh(matrix)[1][:, -1]
    turned = Rotation.from_quat([x, y, z, w]).apply(moving)
    return (turned * fixed).sum() / (moving**2).sum() * turned + target.mean(0)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("noise", [0.0, 0.03, 0.5])
def test_procrustes_agrees_with_horns_quaternions(mirrored: bool, noise: float):
    """Turned, scaled, moved, noisy, and mirrored, where the best rotation is not the best orthogonal matrix."""
    rng = np.random.default_rng(int(mirrored) + int(100 * noise))
    truth = rng.normal(size=(20, 14, 3)) * [0.2, 0.5, 0.1]
    rotation = Rotation.random(20, rng=rng).as_matrix()
    moved = 1.7 * truth @ np.swapaxes(rotation, -1, -2) + rng.normal(size=(20, 1, 3))
    moved = (moved + noise * rng.normal(size=moved.shape)) * ([-1, 1, 1] if mirrored else 1)
    expected = np.stack([horn(one, goal) for one, goal in zip(moved, truth, strict=True)])
    np.testing.assert_allclose(metrics.procrustes_align(moved, truth), expected, atol=1e-9)
    error = 1000 * np.linalg.norm(expected - truth, axis=-1)
    np.testing.assert_allclose(metrics.pa_mpjpe(moved, truth), error.mean(1), atol=1e-6)
    np.testing.assert_allclose(metrics.pa_mpjpe_per_joint(moved, truth), error, atol=1e-6)


def test_procrustes_of_a_point_lands_on_the_centre():
    truth = body(1)[0]
    aligned = metrics.procrustes_align(np.zeros_like(truth), truth)
    np.testing.assert_allclose(aligned, np.broadcast_to(truth.mean(0), truth.shape), atol=1e-12)


def test_hypotheses_broadcast_against_one_truth():
    truth, hypotheses = body(3), RNG.normal(size=(3, 5, 24, 3))
    batched = metrics.pa_mpjpe(hypotheses, truth[:, None])
    assert batched.shape == (3, 5)
    assert batched[2, 4] == pytest.approx(float(metrics.pa_mpjpe(hypotheses[2, 4], truth[2])))


@pytest.mark.parametrize("alignment", [metrics.SMPL_PELVIS, metrics.SMPL_HIPS, metrics.LSP_HIPS])
def test_root_alignment_removes_translation_only(alignment: metrics.Alignment):
    truth = body()
    assert metrics.mpjpe(truth + [1.0, 2.0, 3.0], truth, alignment).max() < 1e-9
    assert metrics.mpjpe(1.1 * truth, truth, alignment).min() > 10


def test_pelvis_and_hips_differ_when_only_the_pelvis_is_wrong():
    truth = body(1)
    predicted = truth.copy()
    predicted[:, 0, 0] += 0.024
    assert metrics.mpjpe(predicted, truth, metrics.SMPL_HIPS)[0] == pytest.approx(1.0)
    assert metrics.mpjpe(predicted, truth, metrics.SMPL_PELVIS)[0] == pytest.approx(23.0)
    assert metrics.mpjpe(predicted, truth, metrics.NO_ALIGNMENT)[0] == pytest.approx(1.0)


def test_the_table_of_joints_averages_to_the_mpjpe():
    truth = body(5, 14)
    predicted = truth + RNG.normal(size=truth.shape) * 0.05
    errors = metrics.mpjpe_per_joint(predicted, truth, metrics.LSP_HIPS)
    names = [f"joint {k}" for k in range(14)]
    table = metrics.joint_table(errors, names)
    assert np.mean(list(table.values())) == pytest.approx(metrics.mpjpe(predicted, truth, metrics.LSP_HIPS).mean())
    hips = predicted[:, 2:4].mean(1) - truth[:, 2:4].mean(1)
    assert table["joint 9"] == pytest.approx(1000 * np.linalg.norm(predicted[:, 9] - truth[:, 9] - hips, axis=1).mean())
    taken = np.zeros((5, 14), bool)
    taken[2, 9] = True
    some = metrics.joint_table(errors, names, taken)
    assert some["joint 9"] == errors[2, 9]
    assert np.isnan(some["joint 0"])


def test_mpve_is_centred_on_each_mesh_s_own_root():
    joints, vertices = body(2), RNG.normal(size=(2, 50, 3))
    shift = np.array([0.3, -0.2, 4.0])
    off = vertices.copy()
    off[:, 0, 1] += 0.05
    error = metrics.mpve(off + shift, vertices, joints + shift, joints, metrics.SMPL_HIPS)
    np.testing.assert_allclose(error, 1.0)


def test_acceleration_error_ignores_constant_velocity_and_counts_a_jump():
    truth = np.repeat(body(1), 6, axis=0)
    drift = truth + np.arange(6)[:, None, None] * 0.01
    assert metrics.acceleration_error(drift, truth, metrics.NO_ALIGNMENT).max() < 1e-9
    jump = truth.copy()
    jump[3, 5, 0] += 0.024
    errors = metrics.acceleration_error(jump, truth, metrics.SMPL_PELVIS)
    np.testing.assert_allclose(errors, [0, 1, 2, 1], atol=1e-9)
    valid = [True, True, True, True, True, False]
    assert metrics.acceleration_error(jump, truth, metrics.SMPL_PELVIS, valid) == pytest.approx([0, 1, 2], abs=1e-9)
    assert metrics.acceleration_error(jump[:2], truth[:2], metrics.SMPL_PELVIS).shape == (0,)
