"""Real footage: the 3D truth lands on the people in the pictures, and labelled people are matched with found ones."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hmdiff.detect import Detector
from hmdiff.detect.observation import LIMB_SLOTS
from hmdiff.evaluation import metrics
from hmdiff.evaluation.benchmarks import photos, samples
from hmdiff.evaluation.benchmarks.pose2sim import CAMERAS, read_camera_truth
from hmdiff.evaluation.footage import ClipRun, limbs_of_detector
from hmdiff.evaluation.predict import LIMB_HIPS
from hmdiff.video.source import open_source
from hmdiff_wire.take import Take


@pytest.mark.parametrize("camera", CAMERAS)
def test_pose2sim_truth_lies_on_the_person(shared_dir: Path, camera: str):
    """In camera axes the truth projects to where the detector sees the limbs, and has the detector's 3D shape."""
    folder = shared_dir / "samples" / "videos" / "pose2sim_single"
    truth = read_camera_truth(folder / "truth_3d.json", camera)
    detector = Detector()
    for frame in open_source(folder / f"{camera}.mp4", (40, 41)):
        seen = max(detector.photo(frame.image_rgb), key=lambda one: one.box[3] - one.box[1])
        at = int(np.flatnonzero(truth.frames == frame.index)[0])
        joints = truth.joints[at]
        away = np.linalg.norm(truth.project(joints) - seen.landmarks_2d[list(LIMB_SLOTS)], axis=1)
        person = seen.box[3] - seen.box[1]
        # The truth is good to 4 cm, a fortieth of a person; wrong axes, frame or camera are off by far more.
        assert np.median(away) < 0.035 * person, away
        assert 1.5 < joints[:, 2].min() < joints[:, 2].max() < 8
        shape = metrics.pa_mpjpe(limbs_of_detector([seen])[0], joints)
        turned = metrics.mpjpe(limbs_of_detector([seen])[0], joints, LIMB_HIPS)
        assert shape < 120
        assert turned < 200  # not upside down, mirrored or seen from behind


@pytest.mark.parametrize("camera", CAMERAS)
def test_reprojection_is_in_px_of_a_crop_of_256_and_the_lens_costs_next_to_nothing(shared_dir: Path, camera: str):
    truth = read_camera_truth(shared_dir / "samples" / "videos" / "pose2sim_single" / "truth_3d.json", camera)
    through_lens = truth.project(truth.joints)
    side = 1.25 * (through_lens.max(1) - through_lens.min(1)).max(-1)
    clip = samples._Clip(cast(ClipRun, None), np.arange(len(side)), truth.joints, through_lens, side, 0)
    flat_camera = SimpleNamespace(focal=[truth.focal], center=tuple(truth.matrix[:2, 2]))
    found = samples.projected(cast(Take, flat_camera), truth.joints.astype(np.float32))
    assert (samples.pixel_errors(found, clip)["error_2d_px"] < 0.5).all()
    aside = through_lens + (side * 10 / 256)[:, None, None] * [0.6, 0.8]
    assert samples.pixel_errors(aside, clip)["error_2d_px"] == pytest.approx(10.0)


def labelled(shift: float, known: int = 17) -> photos.Labelled:
    points = np.random.default_rng(1).uniform(0, 100, (17, 2)) + shift
    return photos.Labelled(points, np.arange(17) < known, 100.0)


def test_photo_errors_are_percent_of_the_box():
    truth = labelled(0.0, known=8)
    moved = truth.keypoints + [3.0, 4.0]
    moved[8:] = 1e4  # what is not labelled is not judged
    assert photos.error_percent(moved, truth) == pytest.approx(5.0)


def test_people_are_matched_in_any_order_and_strangers_dropped():
    people = [labelled(0.0), labelled(300.0), labelled(600.0)]
    found = np.stack([people[1].keypoints + 4, people[0].keypoints - 2, people[0].keypoints + 5000])
    assert photos.match(people, found) == [(0, 1), (1, 0)]
    assert photos.match([], found) == []
    assert photos.match(people, found[:0]) == []


def test_labels_are_read(shared_dir: Path):
    truth = shared_dir / "samples" / "truth"
    assert len(photos.read_people(truth / "coco_000000000790.json")) == 4
    (skier,) = photos.read_people(truth / "coco_000000000785.json")
    assert skier.side == pytest.approx(346.7)
    assert skier.known.sum() == 17
