"""Alignment, joint and mesh errors against known cases and independent formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hmdiff.evaluation import metrics
from scipy.optimize import minimize
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


def test_procrustes_is_the_least_squares_similarity():
    """A numerical optimiser over scale, rotation vector and translation finds nothing better."""
    source, target = body(1)[0], body(1)[0]

    def squared_error(x: np.ndarray) -> float:
        moved = np.exp(x[0]) * Rotation.from_rotvec(x[1:4]).apply(source) + x[4:]
        return float(((moved - target) ** 2).sum())

    starts = np.random.default_rng(0).normal(size=(12, 7))
    best = min(minimize(squared_error, start, method="BFGS").fun for start in starts)
    ours = ((metrics.procrustes_align(source, target) - target) ** 2).sum()
    assert ours == pytest.approx(best, rel=1e-4)


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


def test_mpve_is_centred_on_each_mesh_s_own_root():
    joints, vertices = body(2), RNG.normal(size=(2, 50, 3))
    shift = np.array([0.3, -0.2, 4.0])
    off = vertices.copy()
    off[:, 0, 1] += 0.05
    error = metrics.mpve(off + shift, vertices, joints + shift, joints, metrics.SMPL_HIPS)
    np.testing.assert_allclose(error, 1.0)


def test_edges_of_a_square_and_their_error():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    edges = metrics.mesh_edges([[0, 1, 2, 3]])
    assert edges.tolist() == [[0, 1], [0, 3], [1, 2], [2, 3]]
    assert metrics.mesh_edges([[0, 1, 2], [0, 2, 3]]).shape == (5, 2)
    stretched = square * [1.01, 1.0, 1.0]
    assert metrics.edge_error(stretched, square, edges) == pytest.approx(5.0)
    turned = square @ Rotation.from_euler("xyz", [0.3, 0.2, 0.1]).as_matrix().T + 7
    assert metrics.edge_error(turned, square, edges) == pytest.approx(0.0, abs=1e-9)


def test_f_score_of_known_sets():
    grid = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), -1).reshape(-1, 3) * 0.1
    assert metrics.f_score(grid + 0.004, grid, 5.0, align=False) == 0.0
    assert metrics.f_score(grid + 0.002, grid, 5.0, align=False) == 1.0
    assert metrics.f_score(grid * 1.2 + 3, grid, 5.0) == 1.0
    half = np.concatenate([grid[:32], grid[32:] + 10])
    assert metrics.f_score(half, grid, 5.0, align=False) == pytest.approx(0.5)
    assert metrics.f_score(grid[:16], grid, 5.0, align=False) == pytest.approx(2 * 1.0 * 0.25 / 1.25)


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


def test_keypoint_error_in_256_pixels_of_the_crop():
    truth = np.zeros((2, 3, 2))
    points = truth + [3.0, 4.0]
    points[0, 2] = 1e6
    visible = np.array([[True, True, False], [False, False, False]])
    errors = metrics.keypoint_error_2d(points, truth, visible, [512.0, 256.0])
    assert errors[0] == pytest.approx(2.5)
    assert np.isnan(errors[1])
    assert metrics.keypoint_error_2d(np.stack([points] * 4), truth, visible, [512.0, 256.0]).shape == (4, 2)
