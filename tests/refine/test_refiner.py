"""Refinement through real parts: the shipped regressor's estimate, the shipped denoiser, the free body."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hmdiff.bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hmdiff.refine.guide import GuideOptions
from hmdiff.refine.losses import CalibratedViews
from hmdiff.refine.refiner import (
    DOUBT,
    DOUBTED,
    FAST,
    LITERAL,
    THOROUGH,
    Bodies,
    RefinedBodies,
    Refiner,
    Wishes,
    refine_bodies,
)
from torch import Tensor

PUBLISHED = GuideOptions(tau=50, dt=10, outer=4)
SHARP = FAST


def rows(bodies: Bodies, which: list[int]) -> Bodies:
    kept = {name: value[which] for name, value in vars(bodies).items() if isinstance(value, Tensor)}
    return replace(bodies, **kept)


def error_px(refiner: Refiner, bodies: Bodies, found: RefinedBodies | None) -> Tensor:
    """Median distance of the landmarks from the keypoints, px of a crop of 500, before or after."""
    pose, betas, transl = (bodies if found is None else found).pose, bodies.betas, bodies.transl
    if found is not None:
        betas, transl = found.betas, found.transl
    rotations = axis_angle_to_matrix(pose.reshape(-1, 24, 3))
    _, _, points = refiner.figure.pose(refiner.figure.tables(betas), rotations)
    points = points + transl[:, None]
    seen = bodies.focal[:, None, None] * points[..., :2] / points[..., 2:] + bodies.principal[:, None]
    return (500 * (seen - bodies.points).norm(dim=-1) / bodies.side[:, None]).median(1).values


@pytest.mark.parametrize(
    ("options", "loss_left", "px_left"), [(PUBLISHED, 0.7, 1.0), (SHARP, 0.5, 0.6)], ids=["gradient", "gauss_newton"]
)
def test_guidance_brings_the_body_onto_its_keypoints(
    refiner: Refiner, case, options: GuideOptions, loss_left: float, px_left: float
) -> None:
    found = refine_bodies(refiner, case.bodies, LITERAL, options)
    assert found.complete
    assert bool((found.loss <= found.first_loss).all())
    assert float(found.loss.sum()) < loss_left * float(found.first_loss.sum())
    before, after = error_px(refiner, case.bodies, None), error_px(refiner, case.bodies, found)
    assert float(after.mean()) < px_left * float(before.mean())
    torch.testing.assert_close(found.parts["reprojection"], found.loss, rtol=1e-4, atol=1e-5)


def test_gauss_newton_comes_further_in_the_same_steps(refiner: Refiner, case) -> None:
    plain = refine_bodies(refiner, case.bodies, replace(LITERAL, reprojection=0.01), PUBLISHED)
    sharp = refine_bodies(refiner, case.bodies, replace(LITERAL, reprojection=0.01), SHARP)
    assert float(sharp.loss.sum()) < 0.7 * float(plain.loss.sum())


def test_doubted_keypoints_are_followed_a_part_of_the_way(refiner: Refiner, case) -> None:
    whole = refine_bodies(refiner, case.bodies, replace(DOUBTED, share=1.0), DOUBT)
    part = refine_bodies(refiner, case.bodies, DOUBTED, DOUBT)
    assert bool((part.loss <= part.first_loss).all()) and part.loss.sum() < part.first_loss.sum()
    far, near = ((one.pose - case.bodies.pose).norm(dim=1) for one in (whole, part))
    assert bool((near < 0.5 * far).all()) and bool((near > 0).any())


@pytest.mark.parametrize("options", [PUBLISHED, SHARP], ids=["gradient", "gauss_newton"])
def test_batch_equals_singles(refiner: Refiner, case, options: GuideOptions) -> None:
    options = replace(options, outer=2)
    whole = refine_bodies(refiner, case.bodies, LITERAL, options)
    for row in range(3):
        alone = refine_bodies(refiner, rows(case.bodies, [row]), LITERAL, options)
        turned = axis_angle_to_matrix(alone.pose.view(24, 3)) - axis_angle_to_matrix(whole.pose[row].view(24, 3))
        assert float(turned.abs().max()) < 2e-3
        torch.testing.assert_close(alone.transl[0], whole.transl[row], rtol=0, atol=2e-3)


def test_hypotheses_are_rows(refiner: Refiner, case) -> None:
    one = rows(case.bodies, [0, 0, 0])
    noise = 0.15 * torch.randn(one.pose.shape, generator=torch.Generator().manual_seed(0))
    noise[0], noise[:, :3] = 0, 0
    found = refine_bodies(refiner, replace(one, pose=one.pose + noise), options=SHARP)
    assert bool((found.loss <= found.first_loss).all())
    assert float((found.pose[0] - found.pose[1]).abs().max()) > 0.02


def test_without_features_it_works_too(refiner: Refiner, case) -> None:
    found = refine_bodies(refiner, replace(case.bodies, condition=None), LITERAL, SHARP)
    assert float(found.loss.sum()) < 0.5 * float(found.first_loss.sum())


def test_a_dragged_wrist_moves_the_arm_and_not_the_legs(refiner: Refiner, case) -> None:
    fitted = refine_bodies(refiner, case.bodies, replace(LITERAL, reprojection=0.01), SHARP)
    bodies = replace(case.bodies, pose=fitted.pose, transl=fitted.transl)
    points = bodies.points.clone()
    away = 0.12 * bodies.side
    points[:, [15, 17, 19, 21], 0] += away[:, None]
    edited = replace(bodies, points=points)
    scale = torch.full((*points.shape[:2], 1), 0.06)
    scale[:, [15, 17, 19, 21]] = 1.0
    found = refine_bodies(refiner, edited, Wishes(reprojection=0.01, scale=scale), SHARP)
    moved = 1000 * (found.joints - fitted.joints).norm(dim=-1)
    assert float(moved[:, 20].mean()) > 40
    assert float(moved[:, [4, 5, 7, 8]].mean()) < 0.35 * float(moved[:, 20].mean())


def test_outliers_do_not_pull_the_body_apart(refiner: Refiner, case) -> None:
    """A fifth of the keypoints thrown by 30 % of the box: the joints stay near what the good ones give."""
    generator = torch.Generator().manual_seed(1)
    bad = torch.rand(case.bodies.confidence.shape, generator=generator) < 0.2
    angle = 6.28 * torch.rand(bad.shape, generator=generator)
    throw = torch.stack([angle.cos(), angle.sin()], -1) * 0.3 * case.bodies.side[:, None, None]
    thrown = replace(case.bodies, points=torch.where(bad[..., None], case.bodies.points + throw, case.bodies.points))
    wishes = Wishes(reprojection=0.003, scale=0.05)
    good, found = (refine_bodies(refiner, bodies, wishes, SHARP) for bodies in (case.bodies, thrown))
    rooted = [each.joints - each.joints[:, :1] for each in (good, found)]
    assert 1000 * float((rooted[0] - rooted[1]).norm(dim=-1).mean()) < 30


def jittery_track(case, frames: int = 7) -> Bodies:
    one = rows(case.bodies, [0] * frames)
    noise = 0.06 * torch.randn(frames, 72, generator=torch.Generator().manual_seed(2))
    noise[3] = 0  # the frame that the artist has put right
    return replace(
        one, pose=one.pose + noise, track=torch.zeros(frames, dtype=torch.long), times=torch.arange(frames) / 30,
        condition=None,  # as a take is refined
    )  # fmt: skip


@pytest.mark.parametrize("wishes", [Wishes(smoothness=30.0), Wishes(acceleration=0.05)], ids=["codes", "joints"])
def test_a_track_is_calmed_and_locked_frames_are_exact(refiner: Refiner, case, wishes: Wishes) -> None:
    track = jittery_track(case)
    locked = torch.zeros(7, dtype=torch.bool)
    locked[3] = True
    wishes = replace(wishes, reprojection=0.001, locked=locked, place_first=False)
    found = refine_bodies(refiner, track, wishes, THOROUGH)
    assert torch.equal(found.pose[3], track.pose[3]) and torch.equal(found.transl[3], track.transl[3])
    rotations = axis_angle_to_matrix(track.pose.view(-1, 24, 3))
    _, before, _ = refiner.figure.pose(refiner.figure.tables(track.betas), rotations)
    before = before + track.transl[:, None]
    torch.testing.assert_close(found.joints[3], before[3], rtol=0, atol=1e-4)

    def shake(joints: Tensor) -> float:
        joints = joints - joints[:, :1]  # where the body stands follows the keypoints of each frame
        return float((joints[2:] - 2 * joints[1:-1] + joints[:-2]).norm(dim=-1).mean())

    assert shake(found.joints) < 0.75 * shake(before)
    assert float(found.loss.sum()) < float(found.first_loss.sum())


def test_feet_need_up_and_time(refiner: Refiner, case) -> None:
    with pytest.raises(ValueError, match="tracks"):
        refine_bodies(refiner, case.bodies, Wishes(acceleration=1.0))
    with pytest.raises(ValueError, match="up"):
        refine_bodies(refiner, jittery_track(case), Wishes(slide=1.0))
    up = torch.tensor([0.0, -1.0, 0.0])
    found = refine_bodies(refiner, jittery_track(case), Wishes(slide=0.1, floor=0.1, up=up), SHARP)
    assert float(found.loss.sum()) < float(found.first_loss.sum())


def test_views_are_brought_together(refiner: Refiner, case) -> None:
    """The same person from two sides, each with its own errors."""
    two = rows(case.bodies, [0, 0])
    noise = 0.15 * torch.randn(2, 72, generator=torch.Generator().manual_seed(3))
    noise[:, :3] = 0
    two = replace(two, pose=two.pose + noise)
    group = torch.zeros(2, dtype=torch.long)
    wishes = Wishes(reprojection=0.0, consistency=0.005, group=group)
    found = refine_bodies(refiner, two, wishes, replace(SHARP, tau=100))

    def apart(pose: Tensor) -> float:
        local = axis_angle_to_matrix(pose.view(2, 24, 3))[:, 1:]
        return float((local[0] - local[1]).norm())

    assert apart(found.pose) < 0.5 * apart(two.pose)


def test_a_second_calibrated_camera_fixes_the_depth(refiner: Refiner, case) -> None:
    people = case.truth.people
    turn = axis_angle_to_matrix(torch.tensor([0.0, 1.3, 0.0]))
    centre = people.pelvis
    _, joints, points = refiner.figure.pose(refiner.figure.tables(people.betas), people.rotations)
    points = points - joints[:, :1] + centre[:, None]
    shift = centre - centre @ turn.T
    other = points @ turn.T + shift[:, None]
    focal, side = case.bodies.focal, case.bodies.side
    seen = torch.stack([case.bodies.points, focal[:, None, None] * other[..., :2] / other[..., 2:]], 1)
    count = len(focal)
    views = CalibratedViews(
        torch.stack([torch.eye(3), turn]).expand(count, 2, 3, 3),
        torch.stack([torch.zeros(count, 3), shift], 1), focal[:, None].expand(count, 2), torch.zeros(count, 2, 2),
        seen, torch.ones(count, 2, 33), side[:, None].expand(count, 2),
    )  # fmt: skip
    options = replace(SHARP, outer=6)
    single = refine_bodies(refiner, case.bodies, replace(LITERAL, reprojection=0.01), options)
    both = refine_bodies(
        refiner, case.bodies, Wishes(reprojection=0.0, calibrated=0.01, views=views, scale=0.06), options
    )
    truth = people.joints + centre[:, None]

    def miss(found: RefinedBodies) -> float:
        rooted = found.joints - found.joints[:, :1] - (truth - truth[:, :1])
        return 1000 * float(rooted.norm(dim=-1).mean())

    assert miss(both) < 0.75 * miss(single)


def test_the_focal_length_can_be_solved_for(refiner: Refiner, case) -> None:
    wrong = replace(case.bodies, focal=case.bodies.focal * 1.3)
    found = refine_bodies(refiner, wrong, replace(LITERAL, solve_focal=True), replace(SHARP, outer=8))
    assert float(found.focal.max() - found.focal.min()) < 1e-3  # one film, one length
    assert abs(float(found.focal[0]) - float(wrong.focal[0])) > 1.0


def test_smplify_in_the_same_harness(case) -> None:
    from hmdiff.refine.refiner import make_refiner

    fitter = make_refiner(method="smplify")
    locked = torch.zeros(len(case.bodies), dtype=torch.bool)
    locked[1] = True
    heard: list[float] = []
    found = refine_bodies(fitter, case.bodies, replace(LITERAL, locked=locked), on_progress=heard.append)
    before, after = error_px(fitter, case.bodies, None), error_px(fitter, case.bodies, found)
    free = ~locked
    assert float(after[free].mean()) < 0.6 * float(before[free].mean())
    assert torch.equal(found.pose[1], case.bodies.pose[1]) and torch.equal(found.betas[1], case.bodies.betas[1])
    assert float((found.betas[0] - case.bodies.betas[0]).abs().max()) > 1e-3
    assert heard[-1] == 1.0 and heard == sorted(heard)
    stopped = refine_bodies(fitter, case.bodies, should_stop=lambda: True)
    assert not stopped.complete
    torch.testing.assert_close(
        matrix_to_axis_angle(axis_angle_to_matrix(stopped.pose.view(-1, 24, 3))),
        matrix_to_axis_angle(axis_angle_to_matrix(case.bodies.pose.view(-1, 24, 3))), rtol=0, atol=1e-4,
    )  # fmt: skip


def test_one_edited_frame_answers_quickly(refiner: Refiner, case) -> None:
    """Counted in work, not in seconds: the fast preset is at most thirty looks at the body."""
    assert FAST.outer * -(-FAST.tau // FAST.dt) <= 30
    found = refine_bodies(refiner, rows(case.bodies, [2]), options=FAST)
    assert int(found.steps.max()) <= 30 and float(found.loss) < float(found.first_loss)
