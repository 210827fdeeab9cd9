"""Crops, anchors and decoding, without any network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hmdiff.detect.image import cut, is_dark
from hmdiff.detect.landmarks import refine
from hmdiff.detect.observation import BLAZEPOSE_NAMES, BODY25_TO_BLAZEPOSE, COCO17_TO_BLAZEPOSE, Crop
from hmdiff.detect.people import PersonCandidate, anchors, body_crop, circle_overlap, decode, search_squares, suppress


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5, np.pi])
def test_crop_maps_are_inverse_and_agree_with_the_affine(angle: float):
    crop = Crop(np.array([310.0, 205.0], np.float32), 180.0, angle)
    points = np.random.default_rng(0).uniform(0, 600, (50, 2)).astype(np.float32)
    np.testing.assert_allclose(crop.from_crop(crop.to_crop(points)), points, atol=1e-3)
    matrix = crop.affine(256)
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], crop.to_crop(points) * 256, atol=1e-2)


@pytest.mark.parametrize("size", [200.0, 900.0])
@pytest.mark.parametrize("angle", [0.0, 1.1, -np.pi / 2])
def test_cut_puts_a_dot_where_to_crop_says(size: float, angle: float):
    image = np.zeros((1000, 1200, 3), np.uint8)
    dot = np.array([640.0, 480.0])
    cv2.circle(image, (640, 480), 12, (255, 255, 255), -1, cv2.LINE_AA)
    crop = Crop(np.array([600.0, 500.0], np.float32), size, angle)
    raster = cut(image, crop, 256)[..., 0].astype(float)
    rows, columns = np.mgrid[0:256, 0:256] + 0.5
    found = np.array([(raster * columns).sum(), (raster * rows).sum()]) / raster.sum()
    # the disc's middle is the middle of pixel (640, 480)
    np.testing.assert_allclose(found, crop.to_crop(dot + 0.5) * 256, atol=0.35)


def test_cut_outside_the_image_is_black():
    image = np.full((60, 80, 3), 200, np.uint8)
    assert cut(image, Crop(np.array([900.0, 900.0], np.float32), 100.0), 64).max() == 0
    half = cut(image, Crop(np.array([80.0, 30.0], np.float32), 40.0), 64)
    assert half[:, 2:30].min() > 190 and half[:, 34:].max() == 0


def test_anchors_and_decoding_find_two_planted_people():
    grid = anchors()
    assert grid.shape == (2254, 2)
    raw, logits = np.zeros((2254, 12), np.float32), np.full(2254, -20.0, np.float32)
    for index, score in ((500, 3.0), (501, 2.0), (2200, 1.0)):
        logits[index] = score
        raw[index, 2:4] = 22.4
        raw[index, 6:8] = (0, -56.0)
    heads, points, scores = decode(raw, logits, 0.5)
    assert len(scores) == 3 and np.all(np.diff(scores) <= 0)
    np.testing.assert_allclose(heads[0], np.concatenate([grid[500] - 0.05, grid[500] + 0.05]), atol=1e-6)
    np.testing.assert_allclose(points[0, 1] - points[0, 0], [0, -0.25], atol=1e-6)
    people = [
        PersonCandidate(head, head * 224, body_crop(p[0] * 224, p[1] * 224), float(s))
        for head, p, s in zip(heads, points, scores, strict=True)
    ]
    kept = suppress(people)
    assert [round(p.score, 3) for p in kept] == [round(float(scores[0]), 3), round(float(scores[2]), 3)]


def test_body_crop_turns_the_spine_upright():
    crop = body_crop(np.array([100.0, 100.0]), np.array([160.0, 100.0]))
    assert crop.size == pytest.approx(150.0)
    head = crop.to_crop(np.array([160.0, 100.0], np.float32))
    np.testing.assert_allclose(head, [0.5, 0.5 - 60 / 150], atol=1e-5)


def test_circle_overlap():
    a = Crop(np.zeros(2, np.float32), 10.0)
    assert circle_overlap(a, a) == pytest.approx(1.0)
    assert circle_overlap(a, a.scaled(2.0)) == pytest.approx(0.25)
    assert circle_overlap(a, Crop(np.array([10.0, 0.0], np.float32), 10.0)) == 0.0
    half = circle_overlap(a, Crop(np.array([5.0, 0.0], np.float32), 10.0))
    assert half == pytest.approx(0.2430, abs=1e-3)


@pytest.mark.parametrize("size", [(1920, 1080), (480, 640), (3000, 300), (64, 64)])
def test_search_squares_cover_the_image(size: tuple[int, int]):
    levels = [search_squares(*size, level) for level in range(4)]
    assert [len(levels[0]), *np.diff([len(x) for x in levels])] >= [1, 0, 1, 3]
    for square in levels[2]:
        assert square.center[0] <= size[0] and square.center[1] <= size[1]
    assert len(levels[3]) < 40
    for level in (1, 2):
        tiles = [s for s in levels[level] if s.size < max(size)] or levels[0]
        corners = np.concatenate([s.corners() for s in tiles])
        assert (corners.min(0) <= 1e-3).all() and (corners.max(0) >= np.array(size) - 1e-2).all()


def test_refine_follows_a_sure_heatmap_only():
    rows, columns = np.mgrid[0:64, 0:64]
    blob = np.exp(-((columns - 31.0) ** 2 + (rows - 20.0) ** 2) / 4).astype(np.float32)
    maps = np.stack([blob, 0.3 * blob])
    start = np.array([[30.2 / 64, 20.6 / 64]] * 2, np.float32)
    moved = refine(start, maps)
    np.testing.assert_allclose(moved[0] * 64, [31.0, 20.0], atol=0.15)
    np.testing.assert_array_equal(moved[1], start[1])


def test_dark_means_nothing_to_see():
    assert is_dark(np.full((480, 640, 3), 4, np.uint8))
    dim = np.zeros((480, 640, 3), np.uint8)
    dim[100:400, 200:400] = 40
    assert not is_dark(dim)


def test_slot_maps_name_the_same_joints():
    assert [BLAZEPOSE_NAMES[s] for s in COCO17_TO_BLAZEPOSE[5:7]] == ["left_shoulder", "right_shoulder"]
    named = [BLAZEPOSE_NAMES[s] if s >= 0 else None for s in BODY25_TO_BLAZEPOSE]
    assert named[1] is None and named[8] is None and named[4] == "right_wrist" and named[14] == "left_ankle"
    assert sum(name is None for name in named) == 4
