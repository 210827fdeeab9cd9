"""Errors in the picture, and where unseen joints lie beside a drawn mask."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hmdiff.evaluation import metrics


def test_keypoint_error_in_256_pixels_of_the_crop():
    truth = np.zeros((2, 3, 2))
    points = truth + [3.0, 4.0]
    points[0, 2] = 1e6
    visible = np.array([[True, True, False], [False, False, False]])
    errors = metrics.keypoint_error_2d(points, truth, visible, [512.0, 256.0])
    assert errors[0] == pytest.approx(2.5)
    assert np.isnan(errors[1])


def test_samples_count_each_by_its_own_error_and_not_by_their_mean():
    truth, visible = np.zeros((2, 3, 2)), np.ones((2, 3), bool)
    samples = np.stack([truth + [6.0, 0], truth - [6.0, 0], truth], 1)  # around the truth: their mean is exact
    np.testing.assert_allclose(metrics.sample_keypoint_error_2d(samples, truth, visible, [256.0, 512.0]), [4.0, 2.0])
    assert metrics.keypoint_error_2d(samples.mean(1), truth, visible, 256.0).max() == 0


def test_points_move_into_the_crop():
    crop = np.array([[100.0, 50.0, 64.0]])
    points = np.array([[[100.0, 50.0], [68.0, 18.0], [132.0, 50.0]]])
    assert metrics.to_crop(points, crop).tolist() == [[[128, 128], [0, 0], [256, 128]]]


def test_perc_in_and_min_dist_by_hand():
    """The right half of the crop is the person. Of four points of the one hidden joint two lie there (one 0.5 px off
    the edge, which still counts), one 10 px to the left, one 30 px beyond the crop's left edge."""
    mask = np.zeros((128, 128), bool)
    mask[:, 64:] = True
    hypotheses = np.full((4, 2, 2), 100.0)
    hypotheses[:, 1] = [[200, 40], [127.5, 99], [118, 7], [-30, 128]]
    share, distance = metrics.perc_in_and_min_dist(hypotheses, [False, True], mask)
    assert share == 50.0
    assert distance == pytest.approx((0 + 0 + 10 + 158) / 4)


def test_distance_to_a_drawn_disc():
    canvas = np.zeros((256, 256), np.uint8)
    cv2.circle(canvas, (128, 128), 50, 1, -1)
    points = np.random.default_rng(0).uniform(0, 256, (500, 2))
    exact = np.maximum(np.linalg.norm(points - 128.5, axis=1) - 50.5, 0)
    for mask in (canvas > 0, canvas[::2, ::2] > 0):
        found = metrics.mask_distance(points, mask)
        np.testing.assert_allclose(found, exact, atol=1.6 if len(mask) == 256 else 2.5)
        assert ((found == 0) == (exact < 1)).mean() > 0.98


def test_nothing_hidden_or_an_empty_mask_says_nothing():
    points = np.full((3, 2, 2), 40.0)
    assert np.isnan(metrics.perc_in_and_min_dist(points, [False, False], np.ones((8, 8), bool))).all()
    assert np.isnan(metrics.perc_in_and_min_dist(points, [True, False], np.zeros((8, 8), bool))).all()
