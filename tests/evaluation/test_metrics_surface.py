"""Edges, F-scores and self-penetration of surfaces whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hmdiff.bodies.rotations import axis_angle_to_matrix
from hmdiff.evaluation import metrics
from hmdiff.evaluation.metrics import penetration
from hmdiff.training.assemble import assemble_body
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation


def test_edges_of_a_square_and_their_error():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    edges = metrics.mesh_edges([[0, 1, 2, 3]])
    assert edges.tolist() == [[0, 1], [0, 3], [1, 2], [2, 3]]
    assert metrics.mesh_edges([[0, 1, 2], [0, 2, 3]]).shape == (5, 2)
    stretched = square * [1.01, 1.0, 1.0]
    assert metrics.edge_error(stretched, square, edges) == pytest.approx(5.0)
    turned = square @ Rotation.from_euler("xyz", [0.3, 0.2, 0.1]).as_matrix().T + 7
    assert metrics.edge_error(turned, square, edges) == pytest.approx(0.0, abs=1e-9)


def test_f_scores_of_known_sets():
    grid = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), -1).reshape(-1, 3) * 0.1
    moved = np.stack([grid + [0.004, 0, 0], grid + [0.006, 0, 0], grid + [0.016, 0, 0]])
    found = metrics.f_scores(moved, np.stack([grid] * 3), align=False)
    assert found.tolist() == [[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
    assert metrics.f_scores(grid * 1.2 + 3, grid).tolist() == [1.0, 1.0]
    half = np.concatenate([grid[:32], grid[32:] + 10])
    assert metrics.f_scores(half, grid, [5.0], align=False)[0] == pytest.approx(0.5)
    quarter = metrics.f_scores(grid[:16], grid, [5.0], align=False)
    assert quarter[0] == pytest.approx(2 * 1.0 * 0.25 / 1.25)  # all that is there is right, a quarter of the truth is


def test_f_scores_match_the_table_of_all_distances():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(3, 120, 3)) * 0.03
    moved = truth + rng.normal(size=truth.shape) * 0.006
    found = metrics.f_scores(moved, truth)
    for k in range(3):
        between = cdist(metrics.procrustes_align(moved[k], truth[k]), truth[k]) * 1000
        for column, limit in enumerate((5, 15)):
            precision, recall = (between.min(1) <= limit).mean(), (between.min(0) <= limit).mean()
            assert found[k, column] == pytest.approx(2 * precision * recall / (precision + recall))
    assert 0.1 < found[:, 0].mean() < found[:, 1].mean() <= 1


def capsule(radius: float, half: float, rings: int = 56, around: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and outward faces of a capsule whose axis runs along x from -half to half; rings evenly spaced."""
    quarter = radius * np.pi / 2
    along = np.linspace(0, 2 * quarter + 2 * half, rings)[1:-1]
    cap = np.clip(along, 0, quarter) + np.clip(along - quarter - 2 * half, 0, quarter)
    x = -np.cos(cap / radius) * radius - half + np.clip(along - quarter, 0, 2 * half)
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)
    ring = np.stack([np.ones(around), np.cos(turn), np.sin(turn)], -1)
    body = np.stack([ring * [at, r, r] for at, r in zip(x, np.sin(cap / radius) * radius, strict=True)]).reshape(-1, 3)
    j, after = np.arange(around), (np.arange(around) + 1) % around
    first = np.arange(len(x) - 1)[:, None] * around
    a, b = (first + j).ravel(), (first + after).ravel()
    last = (len(x) - 1) * around
    faces = np.concatenate(
        [np.stack([a, a + around, b], 1), np.stack([b, a + around, b + around], 1),
         np.stack([np.full(around, len(body)), j, after], 1),
         np.stack([np.full(around, len(body) + 1), last + after, last + j], 1)]
    )  # fmt: skip
    vertices = np.concatenate([body, [[-half - radius, 0, 0], [half + radius, 0, 0]]])
    return vertices, faces if volume(vertices, faces) > 0 else faces[:, ::-1]


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.einsum("tk,tk->", a, np.cross(b, c)) / 6)


def from_axis(points: np.ndarray, direction: np.ndarray, half: float) -> np.ndarray:
    """Distance of points from the middle segment of a capsule through the origin."""
    along = np.clip(points @ direction, -half, half)
    return np.linalg.norm(points - along[:, None] * direction, axis=1)


def test_winding_number_is_one_inside_a_capsule_and_zero_outside():
    vertices, faces = capsule(0.1, 0.2)
    assert volume(vertices, faces) == pytest.approx(np.pi * 0.01 * 0.4 + 4 / 3 * np.pi * 0.001, rel=0.01)
    points = np.random.default_rng(0).uniform(-0.35, 0.35, (400, 3))
    inside = from_axis(points, np.array([1.0, 0, 0]), 0.2) < 0.1
    numbers = penetration.winding_number(points, vertices[faces])
    clear = np.abs(from_axis(points, np.array([1.0, 0, 0]), 0.2) - 0.1) > 0.002
    np.testing.assert_allclose(numbers[clear], inside[clear], atol=1e-9)
    assert 10 < inside.sum() < 200


def test_crossed_capsules_penetrate_by_the_surface_within_the_other():
    one, faces = capsule(0.1, 0.3)
    other = one[:, [1, 0, 2]] * [1, -1, 1] * 0.7  # thinner, shorter, along y
    vertices = np.concatenate([one, other])
    both = np.concatenate([faces, faces + len(one)])
    label = np.repeat([0, 1], len(one))
    parts = penetration.cut_into_parts(vertices, both, label)
    inside = np.concatenate(
        [from_axis(one, np.array([0, 1.0, 0]), 0.21) < 0.07, from_axis(other, np.array([1.0, 0, 0]), 0.3) < 0.1]
    )
    flagged = penetration.penetrating(vertices, parts)
    assert (flagged != inside).mean() < 0.01  # but for those within a facet's sag of the other's skin
    share = metrics.self_penetration(np.stack([vertices, vertices + [1.0, 2, 3]]), parts)
    expected = 100 * parts.area[inside].sum()
    assert share == pytest.approx(expected, abs=0.5)
    assert 5 < expected < 40
    apart = np.concatenate([one, other + [0, 0, 0.18]])
    assert metrics.self_penetration(apart, parts) == 0
    friends = penetration.cut_into_parts(vertices, both, label, [(0, 1)])
    assert metrics.self_penetration(vertices, friends) == 0


def test_openings_are_closed():
    """One capsule cut in the middle: two closed parts of half its volume each, outside one another."""
    vertices, faces = capsule(0.1, 0.3)
    parts = penetration.cut_into_parts(vertices, faces, (vertices[:, 0] > 0).astype(int))
    every = np.concatenate([vertices, [vertices[rim].mean(0) for rim in parts.rims]])
    volumes = [volume(every, triangles) for triangles in parts.triangles]
    assert sum(volumes) == pytest.approx(volume(vertices, faces))
    assert volumes[0] == pytest.approx(volumes[1], rel=0.1)
    assert metrics.self_penetration(vertices, parts) == 0


def test_a_hand_in_the_belly_shows_and_a_straight_body_is_clean():
    body = assemble_body()
    middle = body.body.subset(torch.from_numpy(body.hierarchy.indices[0]))
    parts = metrics.smpl_surface_parts(middle.template, body.hierarchy.faces[0], middle.weights)
    pose = torch.zeros(2, 24, 3)
    pose[1, 16, 2] = -1.25  # the left arm hangs down
    pose[1, 18, 1] = -0.3
    pose[1, 16, 1] = -0.2
    pose[1, 18, 2] = -1.35  # and its forearm goes through the trunk
    vertices, _ = middle(torch.zeros(2, 10), axis_angle_to_matrix(pose))
    straight, bent = metrics.self_penetration(vertices.numpy(), parts)
    assert straight == 0
    arm = parts.label[penetration.penetrating(vertices[1].numpy(), parts)]
    assert bent > 2
    assert {4, 6} & set(arm.tolist())  # left forearm or hand
