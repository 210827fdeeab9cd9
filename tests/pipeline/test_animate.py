"""Footage to take, through every real part."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hmdiff.evaluation.metrics.joints import pa_mpjpe
from hmdiff.video.animate import run
from hmdiff.video.encode import write_video
from hmdiff.video.frames import Frame
from hmdiff.video.options import RunOptions
from hmdiff_wire.take import read_take

QUICK_ALL = RunOptions(hypotheses=1, steps=1)


def test_the_clip_becomes_a_body_near_its_truth(short_take: Path, truth: Path):
    take = read_take(short_take)
    assert take.run_status == "complete" and take.n_people == 1 and take.n_frames == 12
    assert take.valid.all() and take.smoothed.all()
    with np.load(truth, allow_pickle=False) as data:
        joints, pixels = data["joints"][30:42], data["joints_2d"][30:42]
    assert pa_mpjpe(take.joints[0], joints).mean() < 90
    assert np.linalg.norm(take.joints_2d[0] - pixels, axis=-1).mean() < 20
    # Upright and facing the right way: the head is above the ankles, the left hip on the true side.
    assert (take.joints[0, :, 15, 1] < take.joints[0, :, 7, 1]).all()
    ours, true = (points[:, 1, 0] - points[:, 2, 0] for points in (take.joints_2d[0], pixels))
    assert (np.sign(ours) == np.sign(true)).mean() > 0.7


def test_hypotheses_are_samples_near_the_estimate(short_take: Path):
    take = read_take(short_take, raw=True)
    spread = np.linalg.norm(take.hypotheses_joints[0] - take.joints[0][:, None], axis=-1).mean()
    between = np.linalg.norm(take.hypotheses_joints[0][:, 0] - take.hypotheses_joints[0][:, 1], axis=-1).mean()
    assert 0.003 < spread < 0.4 and between > 0.003
    assert (take.read("vertex_std", 0).mean() > 1e-3) and np.isfinite(take.hypotheses_score).all()


def test_a_seed_gives_the_same_take_twice_and_another_seed_another(tmp_path: Path, clip: Path):
    takes = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run(clip, RunOptions(hypotheses=2, steps=2, frame_range=(30, 34), seed=seed), tmp_path / name)
        takes.append(read_take(tmp_path / name).hypotheses_pose)
    assert np.array_equal(takes[0], takes[1])
    assert not np.allclose(takes[0], takes[2])


def test_cancel_keeps_what_is_there(tmp_path: Path, clip: Path):
    options, read = RunOptions(hypotheses=1, steps=1), [0]

    def should_stop() -> bool:
        read[0] += 1
        return read[0] >= 16

    result = run(clip, options, tmp_path / "take", should_stop=should_stop)
    take = read_take(tmp_path / "take")
    assert result.status == "cancelled" and take.run_status == "cancelled"
    assert take.n_frames == 16 and take.valid.any()


def test_cancel_does_not_wait_for_a_batch_to_fill(tmp_path: Path, clip: Path):
    result = run(clip, RunOptions(hypotheses=1, steps=1), tmp_path / "take", should_stop=lambda: True)
    take = read_take(tmp_path / "take")
    assert (result.status, result.frames, take.run_status, take.n_frames) == ("cancelled", 1, "cancelled", 1)
    assert take.valid.all() and take.smoothed.all(), "what little there is, is finished"


def test_a_single_frame_keeps_the_body_that_was_fitted_to_it(tmp_path: Path, clip: Path):
    run(clip, RunOptions(hypotheses=1, steps=2, frame_range=(40, 41)), tmp_path / "take")
    smooth, raw = read_take(tmp_path / "take"), read_take(tmp_path / "take", raw=True)
    assert smooth.smoothed.all()
    for name in ("betas", "pose", "transl", "joints", "joints_2d"):
        np.testing.assert_array_equal(getattr(smooth, name), getattr(raw, name), err_msg=name)


def test_a_black_clip_is_nobody_and_no_crash(tmp_path: Path):
    black = np.zeros((120, 160, 3), np.uint8)
    write_video(tmp_path / "black.mp4", 160, 120, 25, (Frame(i, i / 25, black) for i in range(6)))
    result = run(tmp_path / "black.mp4", QUICK_ALL, tmp_path / "take")
    assert result.people == () and result.frames == 6


def test_people_given_by_hand_and_by_outside_keypoints(tmp_path: Path, clip: Path, truth: Path):
    from hmdiff.detect import Detector
    from hmdiff.detect.observation import COCO17_TO_BLAZEPOSE
    from hmdiff.video.source import open_source

    frames = list(open_source(clip, (30, 34)))
    detector = Detector()
    seen = [detector.video_step(frame.image_rgb, frame.time)[0] for frame in frames]
    box = tuple(float(value) for value in seen[0].box)
    by_hand = run(clip, RunOptions(hypotheses=1, steps=1, frame_range=(30, 34), boxes=(box,)), tmp_path / "boxes")
    assert len(by_hand.people) == 1 and by_hand.seen_frames == 4
    slots = list(COCO17_TO_BLAZEPOSE)
    rows = []
    for frame, person in zip(frames, seen, strict=True):
        points = np.concatenate([person.landmarks_2d[slots], person.confidence[slots, None]], 1)
        rows.append({"image_id": frame.index, "category_id": 1, "keypoints": points.ravel().tolist(), "score": 1.0})
    (tmp_path / "keypoints.json").write_text(json.dumps(rows), encoding="utf-8")
    options = RunOptions(hypotheses=1, steps=1, frame_range=(30, 34), keypoints=tmp_path / "keypoints.json")
    outside = run(clip, options, tmp_path / "outside")
    assert outside.seen_frames == 4
    with np.load(truth, allow_pickle=False) as data:
        assert pa_mpjpe(read_take(tmp_path / "outside").joints[0], data["joints"][30:34]).mean() < 120


@pytest.mark.parametrize("preset", ["preview", "quality"])
def test_presets_choose_steps_and_hypotheses(tmp_path: Path, clip: Path, preset: str):
    run(clip, RunOptions(preset=preset, frame_range=(30, 31)), tmp_path / "take")
    assert read_take(tmp_path / "take").n_hypotheses == {"preview": 1, "quality": 25}[preset]
