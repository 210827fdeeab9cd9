"""A tracker that is written down and read again does what it would have done."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hmdiff.detect import Detector, ExternalDetector, KeypointFile


def shifted(image: np.ndarray, dx: int) -> np.ndarray:
    return np.roll(image, dx, axis=1)


def test_the_same_bits_after_any_frame(detector: Detector, photo):
    image = photo("couple_walking.jpg")[::2, ::2]
    grey = np.full_like(image, 128)
    clip = [image, shifted(image, 8), grey, np.zeros_like(image), shifted(image, 24), shifted(image, 32)]
    whole = detector.new_tracker()
    expected = [whole.step(picture, k / 10) for k, picture in enumerate(clip)]
    assert {one.track_id for one in expected[-1]} == {0, 1} and expected[2][0].status == "missed"
    follower = detector.new_tracker()
    for k, picture in enumerate(clip):
        found = follower.step(picture, k / 10)
        assert [(one.track_id, one.status) for one in found] == [(one.track_id, one.status) for one in expected[k]]
        for one, other in zip(found, expected[k], strict=True):
            np.testing.assert_array_equal(one.landmarks_2d, other.landmarks_2d)
            np.testing.assert_array_equal(one.box, other.box)
        state = json.loads(json.dumps(follower.state(), allow_nan=False))
        follower = detector.new_tracker()
        follower.restore(state)


@pytest.mark.parametrize("state", [{}, {"tracks": 3}, {"tracks": [{}]}, {"tracks": [], "last_search": [1]}])
def test_a_state_that_is_none_is_refused_and_changes_nothing(detector: Detector, state: dict):
    tracker = detector.new_tracker()
    before = tracker.state()
    with pytest.raises((KeyError, TypeError, ValueError)):
        tracker.restore(state)
    assert tracker.state() == before


def test_outside_keypoints_keep_their_ids():
    person = np.column_stack([np.linspace(100, 200, 17), np.linspace(50, 300, 17), np.full(17, 0.9)])
    other = person + np.array([300, 0, 0])
    frames = {0: [person, other], 1: [other], 2: [other, person]}
    source = ExternalDetector(KeypointFile("coco17", frames, {}))
    source.video_step(0, 0.0, 640, 480)
    source.video_step(1, 0.1, 640, 480)
    state = json.loads(json.dumps(source.state(), allow_nan=False))
    again = ExternalDetector(KeypointFile("coco17", frames, {}))
    again.restore(state)
    ours, theirs = again.video_step(2, 0.2, 640, 480), source.video_step(2, 0.2, 640, 480)
    assert [one.track_id for one in ours] == [one.track_id for one in theirs] == [0, 1]
    np.testing.assert_array_equal(ours[0].landmarks_2d, theirs[0].landmarks_2d)
