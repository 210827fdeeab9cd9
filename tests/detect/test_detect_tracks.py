"""Tracks over frames: real footage, and a photo moved about where exact motion is wanted."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hmdiff.detect import LIMB_SLOTS, Detector


def frames(path: Path, first: int, last: int, step: int = 1):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for index, frame in enumerate(container.decode(stream)):
            if index > last:
                return
            if index >= first and (index - first) % step == 0:
                assert frame.pts is not None and stream.time_base is not None
                yield frame.to_ndarray(format="rgb24"), float(frame.pts * stream.time_base)


def shifted(image: np.ndarray, dx: float, dy: float = 0.0) -> np.ndarray:
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)


def test_a_second_person_walks_in_and_keeps_an_id(detector: Detector, samples: Path):
    tracker = detector.new_tracker()
    ids = []
    for image, time in frames(samples / "videos" / "sports2d_walk.mp4", 30, 110, 2):
        ids.append({one.track_id for one in tracker.step(image, time) if one.seen})
    assert ids[0] == {0} and ids[-1] == {0, 1}
    assert set().union(*ids) == {0, 1}
    assert sum(0 in seen for seen in ids) == len(ids)


def test_motion_gap_and_black_frames_keep_the_id(detector: Detector, photo):
    tracker = detector.new_tracker()
    image = photo("coco_000000000785.jpg")
    empty = np.full_like(image, 128)
    first = tracker.step(image, 0.0)
    assert [(one.track_id, one.status) for one in first] == [(0, "ok")]
    moved = tracker.step(shifted(image, -12), 0.04)
    delta = moved[0].landmarks_2d - first[0].landmarks_2d
    np.testing.assert_allclose(np.median(delta, axis=0), [-12, 0], atol=2.5)
    black = tracker.step(np.zeros_like(image), 0.08)
    assert [(one.track_id, one.status) for one in black] == [(0, "dark")]
    for k in range(4):
        missed = tracker.step(empty, 0.12 + 0.04 * k)
        assert [(one.track_id, one.status) for one in missed] == [(0, "missed")]
        assert missed[0].confidence.max() == 0 and not missed[0].seen
        np.testing.assert_array_equal(missed[0].box, moved[0].box)
    back = tracker.step(shifted(image, -40), 0.3)
    assert [(one.track_id, one.status) for one in back] == [(0, "ok")]


def test_a_track_ends_after_the_longest_gap(detector: Detector, photo):
    tracker = detector.new_tracker()
    image = photo("coco_000000000785.jpg")
    tracker.step(image, 0.0)
    assert tracker.step(np.full_like(image, 128), 0.9) != []
    assert tracker.step(np.full_like(image, 128), 1.5) == []
    assert [one.track_id for one in tracker.step(image, 3.0)] in ([], [1])


def test_two_tracks_do_not_collapse(detector: Detector, photo):
    tracker = detector.new_tracker()
    image = cv2.resize(photo("couple_walking.jpg"), (960, 639), interpolation=cv2.INTER_AREA)
    for k in range(6):
        found = tracker.step(shifted(image, 6 * k), k / 30)
        assert [one.track_id for one in found] == [0, 1]
        a, b = (one.landmarks_2d[list(LIMB_SLOTS)].mean(0) for one in found)
        assert abs(a[0] - b[0]) > 80


def test_people_given_by_hand_are_the_only_ones_followed(detector: Detector, photo):
    tracker = detector.new_tracker()
    image = cv2.resize(photo("couple_walking.jpg"), (960, 639), interpolation=cv2.INTER_AREA)
    woman = max(detector.photo(image), key=lambda one: one.box[0])
    ids = []
    for k in range(20):
        boxes = woman.box[None] if k == 0 else None
        found = tracker.step(shifted(image, 3 * k), 0.1 * k, boxes)
        ids.append([one.track_id for one in found])
        assert np.abs(found[0].landmarks_2d[[23, 24]].mean(0)[0] - 3 * k - woman.landmarks_2d[[23, 24]].mean(0)[0]) < 25
    assert ids == [[0]] * 20


def test_the_same_clip_twice_gives_the_same_result(detector: Detector, photo):
    image = photo("coco_000000349860.jpg")
    runs = []
    for _ in range(2):
        detector.reset()
        runs.append([detector.video_step(shifted(image, 5 * k), k / 25)[0].landmarks_2d for k in range(3)])
    np.testing.assert_array_equal(runs[0], runs[1])


@pytest.mark.parametrize(("camera", "limit"), [("cam01", 105.0), ("cam03", 110.0)])
def test_world_landmarks_against_three_dimensional_truth(detector: Detector, samples: Path, camera: str, limit: float):
    """PA-MPJPE of 12 limb joints, mm; whole clip: 86 and 91."""
    folder = samples / "videos" / "pose2sim_single"
    data = json.loads((folder / "truth_3d.json").read_text())
    order = [
        data["joint_names"].index(f"{side}_{part}")
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ]
    rotation, offset = np.array(data["cameras"][camera]["R"]), np.array(data["cameras"][camera]["t_mm"])
    tracker = detector.new_tracker()
    errors, depth = [], []
    for k, (image, time) in enumerate(frames(folder / f"{camera}.mp4", 10, 90, 4)):
        # in one camera's background stands a second person
        one = max(tracker.step(image, time), key=lambda o: float(o.box[3] - o.box[1]))
        truth = np.array(data["frames"][str(10 + 4 * k)])[order] @ rotation.T + offset
        world = one.landmarks_world[list(LIMB_SLOTS)] * 1000
        errors.append(aligned_error(world, truth))
        depth.append(np.corrcoef(one.landmarks_z[list(LIMB_SLOTS)], truth[:, 2])[0, 1])
    assert np.mean(errors) < limit
    assert np.mean(depth) > 0.8


def aligned_error(points: np.ndarray, truth: np.ndarray) -> float:
    a, b = points - points.mean(0), truth - truth.mean(0)
    u, s, vt = np.linalg.svd(a.T @ b)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (s * sign).sum() / (a**2).sum()
    return float(np.linalg.norm(scale * a @ (u * sign @ vt) - b, axis=1).mean())
