"""Synthetic clips from a small bundle made here: one body, one camera and a smooth motion per clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.synthesis.clips import NEAREST, ClipPool, load_clip_pool, sample_clips
from hmdiff.synthesis.people import CameraRanges
from hmdiff_wire.errors import HmdiffError

FRAMES, CLIPS = 24, 6
LEG = 0.8


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """Two training walks and a short one, one of the test split: the arms swing, the pelvis moves 1.2 m a second."""
    lengths = np.array([60, 90, 10, 70])
    poses = np.zeros((lengths.sum(), 24, 3), np.float32)
    frame = np.concatenate([np.arange(n) for n in lengths])
    poses[:, 16, 1], poses[:, 17, 1] = np.sin(frame / 8), -np.sin(frame / 8)
    poses[:, 16, 2], poses[:, 17, 2] = -1.2, 1.2
    trans = np.stack([np.zeros(len(frame)), np.full(len(frame), 0.9), 0.04 * frame], 1).astype(np.float32)
    offsets = np.zeros((24, 3), np.float32)
    offsets[4, 1] = offsets[7, 1] = -LEG / 2
    path = tmp_path_factory.mktemp("mocap") / "mocap_cmu_clips.npz"
    np.savez(
        path, seq_poses=poses, seq_trans=trans, seq_len=lengths, rest_offsets=offsets, seq_split=np.array([0, 0, 0, 1]),
        seq_start=np.concatenate([[0], np.cumsum(lengths)[:-1]]),
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def motion(bundle: Path) -> ClipPool:
    return load_clip_pool(bundle, "train", FRAMES)


@pytest.fixture(scope="module")
def clip(stream: SyntheticStream, motion: ClipPool):
    return sample_clips(stream.setup, motion, CLIPS, FRAMES, torch.Generator().manual_seed(0))


def test_only_long_enough_sequences_of_the_split_are_drawn_from(bundle: Path, motion: ClipPool):
    assert motion.length.tolist() == [60, 90]
    assert load_clip_pool(bundle, "test", FRAMES).length.tolist() == [70]


def test_a_clip_is_one_body_moving_smoothly(clip):
    betas = clip.betas.view(CLIPS, FRAMES, 10)
    assert torch.equal(betas, betas[:, :1].expand_as(betas)) and betas[:, 0].std(0).min() > 0.1
    joints = (clip.joints + clip.pelvis[:, None]).view(CLIPS, FRAMES, 24, 3)
    steps = (joints[:, 1:] - joints[:, :-1]).norm(dim=-1)
    assert 0.005 < steps.mean() < 0.3
    jerk = (joints[:, 2:] - 2 * joints[:, 1:-1] + joints[:, :-2]).norm(dim=-1)
    assert jerk.max() < 0.05  # no jump anywhere


def test_without_a_turning_camera_the_pelvis_walks_as_far_as_its_legs(stream: SyntheticStream, motion: ClipPool):
    level = CameraRanges(nearest=6.0, farthest=9.0)
    people = sample_clips(stream.setup, motion, 40, FRAMES, torch.Generator().manual_seed(1), level)
    pelvis = people.pelvis.view(40, FRAMES, 3)
    walked = (pelvis[:, -1] - pelvis[:, 0]).norm(dim=-1)
    _, joints = stream.setup.body.rest(people.betas.view(40, FRAMES, 10)[:, 0])
    leg = (joints[:, 4] - joints[:, 1]).norm(dim=-1) + (joints[:, 7] - joints[:, 4]).norm(dim=-1)
    wanted = 0.04 * (FRAMES - 1) / LEG * leg
    still = (walked / wanted - 1).abs() < 0.01
    assert 0.4 < still.float().mean() < 0.95  # the others are seen by a camera that pans


def test_nobody_comes_too_near(stream: SyntheticStream, motion: ClipPool):
    close = CameraRanges(nearest=0.6, farthest=0.9)
    people = sample_clips(stream.setup, motion, 20, FRAMES, torch.Generator().manual_seed(2), close)
    assert people.pelvis[:, 2].min() > NEAREST - 1e-4


def test_the_same_seed_gives_the_same_clips(stream: SyntheticStream, motion: ClipPool, clip):
    again = sample_clips(stream.setup, motion, CLIPS, FRAMES, torch.Generator().manual_seed(0))
    assert torch.equal(again.vertices, clip.vertices) and torch.equal(again.pelvis, clip.pelvis)


def test_files_that_are_missing_or_something_else_are_named(tmp_path: Path):
    with pytest.raises(HmdiffError) as missing:
        load_clip_pool(tmp_path / "none.npz", "train", FRAMES)
    np.savez(tmp_path / "other.npz", poses=np.zeros(3))
    with pytest.raises(HmdiffError) as other:
        load_clip_pool(tmp_path / "other.npz", "train", FRAMES)
    assert (missing.value.kind, other.value.kind) == ("mocap.not_found", "mocap.unreadable")
