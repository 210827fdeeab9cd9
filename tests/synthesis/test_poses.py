"""Drawing poses: mirroring, recombination, balance, and the collars."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hmdiff.bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.synthesis.poses import (
    MIRROR,
    TILTED,
    PosePool,
    apply_collar_correction,
    collar_correction,
    load_pose_pool,
    sample_rotations,
)
from hmdiff.training.assemble import Assembly
from hmdiff_wire.body import JOINT_NAMES
from hmdiff_wire.errors import HmdiffError

JOINT = {name: index for index, name in enumerate(JOINT_NAMES)}


def _pool(*poses: dict[str, list[float]], weight: list[float] | None = None) -> PosePool:
    table = torch.zeros(len(poses), 24, 3)
    for row, pose in enumerate(poses):
        for name, turn in pose.items():
            table[row, JOINT[name]] = torch.tensor(turn)
    return PosePool(table, torch.tensor(weight or [1.0] * len(poses)))


def _joints(stream: SyntheticStream, rotations: torch.Tensor) -> torch.Tensor:
    joints = stream.setup.coarse(torch.zeros(len(rotations), 10), rotations)[1]
    return joints - joints[:, :1]


def test_mirror_table_pairs_left_with_right():
    for index, name in enumerate(JOINT_NAMES):
        other = name.replace("left", "R").replace("right", "left").replace("R", "right")
        assert JOINT_NAMES[MIRROR[index]] == other


def test_a_mirrored_person_raises_the_other_arm_at_the_mirrored_place(upright: SyntheticStream):
    """Left arm raised forward, head turned, right knee bent: half of the draws show exactly the mirror image."""
    pose = {
        "left_shoulder": [0.2, -0.9, 0.6], "head": [0.0, 0.8, 0.0], "right_knee": [1.2, 0.0, 0.0],
        "pelvis": [0.0, 0.4, 0.0],
    }  # fmt: skip
    pool = _pool(pose)
    original = _joints(upright, axis_angle_to_matrix(pool.poses))[0]
    reflected = original[list(MIRROR)] * torch.tensor([-1.0, 1.0, 1.0])
    assert (original - reflected).norm(dim=-1).max() > 0.4
    draws = _joints(upright, sample_rotations(pool, 200, torch.Generator().manual_seed(0)))
    to_original = (draws - original).norm(dim=-1).mean(1)
    to_mirror = (draws - reflected).norm(dim=-1).mean(1)
    flipped = to_mirror < to_original
    assert 0.35 < flipped.float().mean() < 0.65
    # Jitter and the few who are leant over leave the median of a class alone.
    assert (draws[~flipped].median(0).values - original).norm(dim=-1).max() < 0.05
    assert (draws[flipped].median(0).values - reflected).norm(dim=-1).max() < 0.05
    left_wrist = draws[flipped][:, JOINT["left_wrist"]].median(0).values
    assert (left_wrist - original[JOINT["right_wrist"]] * torch.tensor([-1.0, 1.0, 1.0])).norm() < 0.05


def test_without_augmentation_poses_come_out_as_they_went_in(pool: PosePool):
    drawn = sample_rotations(pool, 40, torch.Generator().manual_seed(0), augment=False)
    known = axis_angle_to_matrix(pool.poses)
    distance = (drawn[:, None] - known[None]).abs().amax((2, 3, 4)).amin(1)
    assert distance.max() < 1e-6


def test_upper_bodies_are_recombined_with_other_legs(upright: SyntheticStream):
    pool = _pool(
        {"left_knee": [1.5, 0, 0], "right_knee": [1.5, 0, 0]}, {"left_elbow": [0, -1.5, 0], "right_elbow": [0, 1.5, 0]}
    )
    angle = matrix_to_axis_angle(sample_rotations(pool, 400, torch.Generator().manual_seed(2))).norm(dim=-1)
    knees = angle[:, [JOINT["left_knee"], JOINT["right_knee"]]].amin(1) > 0.9
    elbows = angle[:, [JOINT["left_elbow"], JOINT["right_elbow"]]].amin(1) > 0.9
    mixed = (knees == elbows).float().mean()
    assert 0.04 < mixed < 0.20


def test_some_have_one_limb_of_somebody_else():
    """Of two poses, one with both knees bent: a person with one bent knee has a leg of the other."""
    pool = _pool({"left_knee": [1.5, 0, 0], "right_knee": [1.5, 0, 0]}, {})
    angle = matrix_to_axis_angle(sample_rotations(pool, 2000, torch.Generator().manual_seed(2))).norm(dim=-1)
    bent = angle[:, [JOINT["left_knee"], JOINT["right_knee"]]] > 0.9
    one = bent.sum(1) == 1
    assert one.float().mean().item() == pytest.approx(1 / 6 / 4, abs=0.015), "1/6, half of them a leg, half of it bent"


def test_some_lean_over_as_far_as_lying():
    rotations = sample_rotations(_pool({}), 4000, torch.Generator().manual_seed(3))
    lean = torch.rad2deg(torch.acos(rotations[:, 0, 1, 1].clamp(-1, 1)))
    assert (lean > 20).float().mean().item() == pytest.approx(TILTED * 0.617, abs=0.02)
    assert 0.001 < (lean > 75).float().mean() < 0.02


def test_weights_decide_how_often_a_pose_is_drawn():
    pool = _pool({"left_knee": [1.0, 0, 0]}, {"right_knee": [1.0, 0, 0]}, weight=[0.9, 0.1])
    drawn = sample_rotations(pool, 1000, torch.Generator().manual_seed(0), augment=False)
    assert (drawn[:, JOINT["left_knee"], 2, 1] > 0.5).float().mean().item() == pytest.approx(0.9, abs=0.04)


def test_collar_correction_turns_collars_and_no_arm_bone(parts: Assembly, pool: PosePool):
    """Every bone below the shoulder keeps its world direction; the collar bone is turned by the constant."""
    turn = axis_angle_to_matrix(torch.tensor([[0.0, 0.0, -0.3], [0.1, 0.0, 0.25]]))
    before = axis_angle_to_matrix(pool.poses)
    after = apply_collar_correction(before, turn)
    assert torch.allclose(after @ after.transpose(-1, -2), torch.eye(3).expand_as(after), atol=1e-5)
    a, b = (parts.body.subset(torch.arange(3))(torch.zeros(len(before), 10), r)[1] for r in (before, after))
    for parent, child in (
        ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("left_wrist", "left_hand"),
        ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("neck", "head"), ("left_hip", "left_knee"),
    ):  # fmt: skip
        bone_a, bone_b = (j[:, JOINT[child]] - j[:, JOINT[parent]] for j in (a, b))
        assert torch.allclose(bone_a, bone_b, atol=1e-5), parent
    collar = a[:, JOINT["left_shoulder"]] - a[:, JOINT["left_collar"]]
    turned = b[:, JOINT["left_shoulder"]] - b[:, JOINT["left_collar"]]
    assert (torch.nn.functional.cosine_similarity(collar, turned) < 0.97).all()


def test_collar_correction_leaves_relaxed_arms_with_the_bodys_own_collars(parts: Assembly):
    """Hanging arms in mocap whose collars point up by 18 degrees: afterwards the collar lies as at rest."""
    hanging = _pool({"left_shoulder": [0, 0, -1.35], "right_shoulder": [0, 0, 1.35]})
    rest = parts.body.joint_template
    direction = torch.stack([rest[16] - rest[13], rest[17] - rest[14]])
    correction = collar_correction(hanging.poses, direction)
    mocap_rest = torch.tensor([[0.95, 0.31, 0.0], [-0.95, 0.31, 0.0]])
    moved = torch.einsum("sij,sj->si", correction, mocap_rest)
    assert torch.nn.functional.cosine_similarity(moved, direction).min() > 0.9999


def test_poses_without_a_hanging_arm_need_no_correction_and_give_no_nan(stream: SyntheticStream):
    correction = collar_correction(_pool({}).poses, torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]]))
    assert torch.equal(correction, torch.eye(3).expand(2, 3, 3))
    assert torch.isfinite(stream.setup.collar).all()


def test_a_seed_gives_the_same_poses(pool: PosePool):
    first, second = (sample_rotations(pool, 20, torch.Generator().manual_seed(9)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """12 poses in the bundle's format: 8 for training in two clusters of 6 and 2, 4 held out."""
    path = tmp_path / "mocap_cmu_poses.npz"
    np.savez(
        path,
        poses=np.arange(12 * 72).reshape(12, 24, 3).astype(np.float16) / 1000,
        pose_split=np.array([0] * 8 + [1] * 4),
        pose_cluster=np.array([0] * 6 + [1] * 2 + [0] * 4),
    )
    return path


def test_bundle_is_split_by_subject_and_balanced_by_cluster(bundle: Path):
    train, test = load_pose_pool(bundle), load_pose_pool(bundle.parent, "test")
    assert len(train) == 8 and len(test) == 4
    assert not set(train.poses[:, 0, 0].tolist()) & set(test.poses[:, 0, 0].tolist())
    assert train.weight.sum().item() == pytest.approx(1)
    assert train.weight[0].item() == pytest.approx(0.5 / 8 + 0.5 / 12)
    assert train.weight[7].item() == pytest.approx(0.5 / 8 + 0.5 / 4)


def test_missing_or_broken_mocap_is_a_sentence(tmp_path: Path, bundle: Path):
    with pytest.raises(HmdiffError) as caught:
        load_pose_pool(tmp_path / "nothing.npz")
    assert caught.value.kind == "mocap.not_found" and "--data" in caught.value.fix
    bundle.write_bytes(b"not a zip")
    with pytest.raises(HmdiffError) as caught:
        load_pose_pool(bundle)
    assert caught.value.kind == "mocap.unreadable"
    np.savez(bundle, poses=np.zeros((2, 24, 3)))
    with pytest.raises(HmdiffError) as caught:
        load_pose_pool(bundle)
    assert caught.value.kind == "mocap.unreadable"


def test_pool_moves_as_one(pool: PosePool):
    assert replace(pool).to("cpu").poses.device.type == "cpu" and len(pool.to("cpu")) == len(pool)
