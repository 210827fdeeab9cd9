"""The real networks on real photos."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hmdiff.detect import COCO17_TO_BLAZEPOSE, LIMB_SLOTS, Detector, frame_status
from hmdiff_wire.errors import HmdiffError

SLOTS = list(COCO17_TO_BLAZEPOSE)


def error_of(observation, keypoints: np.ndarray) -> float:
    """Mean 2D error over labelled keypoints, as a part of their extent."""
    known = keypoints[:, 2] > 0
    size = np.ptp(keypoints[known, :2], axis=0).max()
    return float(np.linalg.norm(observation.landmarks_2d[SLOTS] - keypoints[:, :2], axis=1)[known].mean() / size)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("coco_000000000785.jpg", 0.035),
        ("coco_000000009483.jpg", 0.03),
        ("coco_000000349860.jpg", 0.07),
        ("coco_000000397133.jpg", 0.05),
    ],
)
def test_single_person_photos(detector: Detector, photo, truth, name: str, limit: float):
    image = photo(name)
    keypoints, boxes = truth(name)
    found = detector.photo(image)
    errors = [error_of(one, keypoints[0]) for one in found]
    best = found[int(np.argmin(errors))]
    assert min(errors) < limit
    assert best.quality > 0.6
    assert best.status == ("truncated" if name == "coco_000000009483.jpg" else "ok")
    assert error_of(detector.photo(image, boxes[:1])[0], keypoints[0]) < limit + 0.02


def test_four_people_at_a_table(detector: Detector, photo, truth):
    name = "coco_000000000790.jpg"
    keypoints, _ = truth(name)
    found = detector.photo(photo(name))
    assert len(found) == 4
    assert [one.track_id for one in found] == [0, 1, 2, 3]
    owners = [int(np.argmin([error_of(one, k) for one in found])) for k in keypoints]
    assert sorted(owners) == [0, 1, 2, 3]
    assert max(error_of(found[o], k) for o, k in zip(owners, keypoints, strict=True)) < 0.2


def test_two_people_side_by_side_with_masks_of_their_own(detector: Detector, photo):
    found = detector.photo(photo("couple_walking.jpg"))
    assert len(found) == 2
    left, right = sorted(found, key=lambda one: one.box[0])
    for one, other in ((left, right), (right, left)):
        assert one.mask is not None and other.mask is not None and one.heatmaps is not None
        assert one.mask.shape == (256, 256) and one.heatmaps.shape == (39, 64, 64)
        assert 0 <= one.heatmaps.min() and one.heatmaps.max() <= 1
        torso = one.landmarks_2d[[11, 12, 23, 24]].mean(0)
        column, row = (one.crop.to_crop(torso) * 256).astype(int)
        assert one.mask[row, column] > 0.9
        column, row = (other.crop.to_crop(torso) * 256).astype(int)
        assert not (0 <= column < 256 and 0 <= row < 256) or other.mask[row, column] < 0.1


def test_world_landmarks_are_in_camera_axes(detector: Detector, photo):
    """Facing the camera: nose nearer than ears; y points down; the person's left is on the image's right."""
    for one in detector.photo(photo("couple_walking.jpg")):
        world = one.landmarks_world
        assert world[0, 2] < world[[7, 8], 2].mean() - 0.05
        assert world[[11, 12], 1].max() < -0.3 and world[[27, 28], 1].min() > 0.4
        assert world[11, 0] > world[12, 0]
        assert one.landmarks_z[0] < one.landmarks_z[[7, 8]].mean()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_gives_turned_landmarks(detector: Detector, photo, turns: int):
    image = photo("coco_000000000785.jpg")
    upright = detector.photo(image)[0]
    turned = detector.photo(np.ascontiguousarray(np.rot90(image, turns)))
    assert turned
    points, world = turned[0].landmarks_2d, turned[0].landmarks_world
    for turn in reversed(range(turns)):
        # undo one quarter turn against the clock
        points = np.stack([image.shape[1 - turn % 2] - points[:, 1], points[:, 0]], -1)
        world = np.stack([-world[:, 1], world[:, 0], world[:, 2]], -1)
    size = np.ptp(upright.landmarks_2d, axis=0).max()
    limbs = list(LIMB_SLOTS)
    assert np.linalg.norm(points - upright.landmarks_2d, axis=1)[limbs].mean() / size < 0.04
    assert np.linalg.norm(world - upright.landmarks_world, axis=1)[limbs].mean() < 0.08


def test_nobody_and_black_frames(detector: Detector):
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.integers(0, 255, (360, 480, 3), np.uint8), (0, 0), 6)
    assert detector.photo(noise) == []
    assert frame_status(noise, []) == "no_person"
    black = np.zeros((360, 480, 3), np.uint8)
    assert detector.photo(black) == [] and frame_status(black, []) == "dark"
    given = detector.photo(black, [[10, 10, 200, 300], [50, 50, 100, 100]])
    assert [one.status for one in given] == ["dark", "dark"]
    assert all(one.confidence.max() == 0 and not one.seen for one in given)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (17, 23)])
def test_odd_sizes_do_not_crash(detector: Detector, shape: tuple[int, int]):
    assert detector.photo(np.full((*shape, 3), 90, np.uint8)) == []


def test_tiny_and_truncated_people_are_marked(detector: Detector, photo, truth):
    image = photo("coco_000000000785.jpg")
    _, boxes = truth("coco_000000000785.jpg")
    canvas = np.full_like(image, 235)
    small = cv2.resize(image, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA)
    canvas[200 : 200 + small.shape[0], 300 : 300 + small.shape[1]] = small
    box = boxes[0] * 0.1 + [300, 200, 300, 200]
    assert detector.photo(canvas, [box])[0].status in ("tiny", "missed")
    cut_off = np.ascontiguousarray(image[:240])
    found = detector.photo(cut_off)
    assert found and found[0].status == "truncated"
    whole = detector.photo(image)[0]
    assert whole.status == "ok"
    outside = found[0].landmarks_2d[:, 1] > 240
    assert outside.sum() >= 8 and found[0].confidence[outside].max() == 0
    assert found[0].box[3] > 225


def test_a_box_by_hand_is_read_where_the_person_detector_is_blind(detector: Detector, photo, truth):
    name = "coco_000000000790.jpg"
    image = photo(name)
    keypoints, boxes = truth(name)
    assert len(detector.people.detect(image, 0)) < 4
    found = detector.photo(image, boxes)
    assert [one.track_id for one in found] == [0, 1, 2, 3]
    assert sum(error_of(o, k) < 0.15 for o, k in zip(found, keypoints, strict=True)) == 4


@pytest.mark.parametrize("box", [[1, 2, 3], [5, 5, 5, 50], [700, 10, 900, 50], [np.nan, 0, 10, 10]])
def test_bad_boxes_are_refused(detector: Detector, box):
    with pytest.raises(HmdiffError) as caught:
        detector.photo(np.zeros((480, 640, 3), np.uint8), [box])
    assert caught.value.kind == "input.bad_box" and caught.value.fix


def test_bad_images_are_refused(detector: Detector):
    for image in (np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3), np.float32)):
        with pytest.raises(HmdiffError, match="8-bit"):
            detector.photo(image)  # type: ignore[arg-type]
