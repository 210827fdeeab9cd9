from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import axis_angle_to_matrix, matrix_to_6d
from hmdiff.refine.curvature import levers
from hmdiff.refine.figure import Figure, Posed
from hmdiff.refine.losses import (
    CalibratedViews,
    Ground,
    Keypoints,
    acceleration_loss,
    calibrated_loss,
    consistency_loss,
    detect_contacts,
    floor_loss,
    geman_mcclure,
    neighbours,
    pose_prior_loss,
    project_points,
    reprojection_loss,
    slide_loss,
    smoothness_loss,
)
from hmdiff.refine.pose_code import PoseCode
from hmdiff.refine.pose_prior import load_pose_prior
from hmdiff.refine.problem import Problem
from hmdiff.refine.refiner import Refiner
from torch import Tensor

FOCAL = 900.0


def posed(figure: Figure, count: int = 3, seed: int = 0, rotations: Tensor | None = None) -> Posed:
    generator = torch.Generator().manual_seed(seed)
    if rotations is None:
        rotations = random_rotations(count, generator)
    count = len(rotations)
    betas = torch.randn(count, 10, generator=generator)
    transl = torch.tensor([0.2, -0.1, 4.0]).expand(count, 3)
    world, joints, points = figure.pose(figure.tables(betas), rotations)
    code = matrix_to_6d(rotations).flatten(1)
    return Posed(code, rotations, world, joints + transl[:, None], points + transl[:, None], betas, transl,
                 torch.full((count,), FOCAL))  # fmt: skip


def picture(body: Posed, shift: float = 0.0) -> Keypoints:
    count = len(body.code)
    seen = project_points(body.points, body.focal, torch.zeros(count, 2)) + shift
    ones = torch.ones(seen.shape[:2])
    return Keypoints(seen, ones, torch.full((count,), 500.0), torch.zeros(count, 2))


def test_figure_is_the_skinned_body(refiner: Refiner, loaded) -> None:
    generator = torch.Generator().manual_seed(5)
    rotations, betas = random_rotations(3, generator), torch.randn(3, 10, generator=generator)
    vertices, joints = loaded.body(betas, rotations)
    _, found, points = refiner.figure.pose(refiner.figure.tables(betas), rotations)
    torch.testing.assert_close(found, joints, rtol=0, atol=1e-6)
    expected = torch.from_numpy(loaded.maps.landmarks) @ vertices
    torch.testing.assert_close(points, expected, rtol=0, atol=2e-6)


def test_a_body_with_pose_corrections_is_skinned_in_full(loaded) -> None:
    corrected = replace(loaded.body, posedirs=0.01 * torch.randn(*loaded.body.template.shape, 207))
    matrix = torch.from_numpy(loaded.maps.landmarks)
    figure = Figure.of(corrected, matrix)
    rotations, betas = random_rotations(2, torch.Generator().manual_seed(6)), torch.zeros(2, 10)
    vertices, _ = corrected(betas, rotations)
    torch.testing.assert_close(figure.pose(figure.tables(betas), rotations)[2], matrix @ vertices, rtol=0, atol=1e-5)


def test_reprojection_is_nothing_at_the_truth_and_leads_back(refiner: Refiner) -> None:
    truth = posed(refiner.figure)
    seen = picture(truth)
    assert float(reprojection_loss(truth, seen).max()) < 1e-4
    code = truth.code + 0.05 * torch.randn(truth.code.shape, generator=torch.Generator().manual_seed(1))
    code.requires_grad_(True)
    problem = Problem(refiner.figure, PoseCode(), truth.betas, truth.transl, truth.focal, (), solve_transl=False)
    loss = reprojection_loss(problem.pose(code, ()), seen)
    (gradient,) = torch.autograd.grad(loss.sum(), code)
    assert bool(torch.isfinite(gradient).all())
    length = 1e-3 / gradient.norm(dim=1, keepdim=True)
    closer = reprojection_loss(problem.pose(code - length * gradient, ()), seen)
    assert bool((closer < loss).all())


def test_reprojection_counts_in_crops_and_confidence(refiner: Refiner) -> None:
    truth = posed(refiner.figure)
    shifted = picture(truth, shift=10.0)
    near = reprojection_loss(truth, shifted)
    assert float(near[0]) == pytest.approx(33 * 2 * 100 / (1 + 0.01), rel=1e-3)
    wide = replace(shifted, side=shifted.side * 2)
    assert float(reprojection_loss(truth, wide)[0]) == pytest.approx(33 * 2 * 25 / (1 + 0.0025), rel=1e-3)
    half = replace(shifted, confidence=shifted.confidence * 0.5)
    torch.testing.assert_close(reprojection_loss(truth, half), near / 4)
    lost = replace(shifted, confidence=shifted.confidence * 0, points=shifted.points * torch.nan)
    assert float(reprojection_loss(truth, lost).abs().max()) == 0


def test_an_outlier_pulls_less_than_an_inlier() -> None:
    error = torch.tensor([10.0, 500.0], requires_grad=True)
    value = geman_mcclure(error, 100.0)
    assert float(value[1].detach()) < 100.0**2
    (slope,) = torch.autograd.grad(value.sum(), error)
    assert float(slope[1]) < 0.2 * float(slope[0])


def test_neighbours_know_tracks_gaps_and_order() -> None:
    track = torch.tensor([0, 1, 0, 0, 1, 0])
    times = torch.tensor([0.1, 0.0, 0.0, 0.2, 0.1, 2.0])
    near = neighbours(track, times, max_gap=0.5)
    assert sorted(near.pairs.tolist()) == [[0, 3], [1, 4], [2, 0]]
    assert near.triples.tolist() == [[2, 0, 3]]
    views = neighbours(track * 0, times, max_gap=0.5, sequence=track)
    assert sorted(views.pairs.tolist()) == sorted(near.pairs.tolist())


def test_smoothness_is_the_published_sum(refiner: Refiner) -> None:
    body = posed(refiner.figure, 4)
    near = neighbours(torch.zeros(4, dtype=torch.long), torch.arange(4) / 30)
    expected = (body.code[1:] - body.code[:-1]).square().sum()
    torch.testing.assert_close(smoothness_loss(body, near).sum(), expected)
    still = posed(refiner.figure, rotations=body.rotations[:1].expand(4, -1, -1, -1))
    assert float(smoothness_loss(still, near).sum()) == 0


def test_even_motion_costs_no_acceleration(refiner: Refiner) -> None:
    body = posed(refiner.figure, 1)
    joints = body.joints + torch.arange(5)[:, None, None] * torch.tensor([0.1, 0.0, 0.02])
    near = neighbours(torch.zeros(5, dtype=torch.long), torch.arange(5) / 30)
    moving = replace(body, joints=joints, code=body.code.expand(5, -1))
    assert float(acceleration_loss(moving, near).abs().max()) < 1e-6
    jump = joints.clone()
    jump[2, 0, 0] += 0.01
    # 10 mm off in one frame: -1, 2, -1 in three second differences
    assert float(acceleration_loss(replace(moving, joints=jump), near).sum()) == pytest.approx(6.0, rel=1e-3)


def test_views_of_one_pose_agree_whatever_the_root(refiner: Refiner) -> None:
    rotations = random_rotations(1, torch.Generator().manual_seed(7)).repeat(3, 1, 1, 1)
    rotations[1, 0] = axis_angle_to_matrix(torch.tensor([0.0, 2.0, 0.0]))
    group = torch.zeros(3, dtype=torch.long)
    assert float(consistency_loss(posed(refiner.figure, rotations=rotations), group).max()) < 1e-4
    other = rotations.clone()
    other[2, 18] = other[2, 18] @ axis_angle_to_matrix(torch.tensor([0.3, 0.0, 0.0]))
    assert float(consistency_loss(posed(refiner.figure, rotations=other), group).min()) > 1.0
    apart = consistency_loss(posed(refiner.figure, rotations=other), torch.tensor([0, 0, 1]))
    assert float(apart.max()) < 1e-4


def test_calibrated_views_see_the_same_body(refiner: Refiner) -> None:
    body = posed(refiner.figure, 2)
    turn = axis_angle_to_matrix(torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.2, 0.0]]))
    # the second camera walks round the person at 4 m
    shift = torch.stack([torch.zeros(3), torch.tensor([0.0, 0.0, 4.0]) - turn[1] @ torch.tensor([0.0, 0.0, 4.0])])
    placed = torch.einsum("vij,bkj->bvki", turn, body.points) + shift[:, None]
    seen = placed[..., :2] / placed[..., 2:] * FOCAL
    views = CalibratedViews(
        turn.expand(2, 2, 3, 3), shift.expand(2, 2, 3), torch.full((2, 2), FOCAL), torch.zeros(2, 2, 2), seen,
        torch.ones(2, 2, 33), torch.full((2, 2), 500.0),
    )  # fmt: skip
    assert float(calibrated_loss(body, views).max()) < 1e-3
    deeper = replace(body, points=body.points + torch.tensor([0.0, 0.0, 0.1]))
    alone = replace(views, confidence=views.confidence * torch.tensor([1.0, 0.0])[:, None])
    assert float(calibrated_loss(deeper, views).min()) > 3 * float(calibrated_loss(deeper, alone).max())


def test_standing_feet_may_not_slide_and_nothing_is_under_the_floor(refiner: Refiner) -> None:
    body = posed(refiner.figure, rotations=torch.eye(3).expand(1, 24, 3, 3))
    up = torch.tensor([0.0, 1.0, 0.0])
    still = replace(body, joints=body.joints.expand(4, -1, -1).clone(), code=body.code.expand(4, -1))
    times = torch.arange(4) / 30
    near = neighbours(torch.zeros(4, dtype=torch.long), times)
    contact, level = detect_contacts(still.joints, near, times, up)
    assert bool((contact == 1).all())
    ground = Ground(up, level[None], torch.zeros(4, dtype=torch.long), contact)
    assert float(slide_loss(still, ground, near).sum()) == 0
    standing = float(floor_loss(still, ground).max())
    sliding = replace(still, joints=still.joints + torch.arange(4)[:, None, None] * torch.tensor([0.005, 0.0, 0.0]))
    assert float(slide_loss(sliding, ground, near).sum()) == pytest.approx(3 * 4 * 0.25, rel=1e-3)
    sunk = replace(still, joints=still.joints - torch.tensor([0.0, 0.05, 0.0]))
    assert float(floor_loss(sunk, ground).min()) > standing + 25.0
    running = replace(still, joints=still.joints + torch.arange(4)[:, None, None] * torch.tensor([0.1, 0.0, 0.0]))
    assert float(detect_contacts(running.joints, near, times, up)[0].sum()) == 0


def test_prior_prefers_people() -> None:
    prior = load_pose_prior()
    straight = torch.eye(3).expand(1, 24, 3, 3).clone()
    relaxed = straight.clone()
    relaxed[0, 16] = axis_angle_to_matrix(torch.tensor([0.0, 0.0, -1.2]))
    relaxed[0, 17] = axis_angle_to_matrix(torch.tensor([0.0, 0.0, 1.2]))
    broken = relaxed.clone()
    broken[0, 4] = axis_angle_to_matrix(torch.tensor([-1.8, 0.0, 0.0]))  # a knee bent forwards
    assert float(prior(relaxed)) < float(prior(broken)) - 20
    rotations = broken.clone().requires_grad_(True)
    prior(rotations).sum().backward()
    assert rotations.grad is not None and bool((rotations.grad[0, 4] != 0).any())
    dummy = Posed(torch.zeros(1, 144), relaxed, *(torch.zeros(1),) * 6)
    torch.testing.assert_close(pose_prior_loss(dummy, prior), prior(relaxed))


def test_levers_are_the_derivative(refiner: Refiner) -> None:
    body = posed(refiner.figure, 2)
    problem = Problem(refiner.figure, PoseCode(), body.betas, body.transl, body.focal, ())
    found = levers(problem, body)
    for name in ("points", "joints"):
        exact = torch.autograd.functional.jacobian(
            lambda code, name=name: getattr(problem.pose(code, (body.transl,)), name).sum(0), body.code
        )
        torch.testing.assert_close(getattr(found, name)[..., :144], exact.permute(2, 0, 1, 3), rtol=0, atol=1e-5)
        torch.testing.assert_close(getattr(found, name)[0, 0, :, 144:], torch.eye(3))
