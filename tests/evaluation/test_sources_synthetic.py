"""Held-out mocap people as examples: the same ones whatever is asked, truth and simulated detections agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hmdiff.bodies.joint_maps import J14_OF_24
from hmdiff.detect.observation import LIMB_SLOTS
from hmdiff.evaluation import metrics
from hmdiff.evaluation.examples import Examples, join_examples
from hmdiff.evaluation.settings import mocap_bundle
from hmdiff.evaluation.sources.parts import silhouette
from hmdiff.evaluation.sources.synthetic import SEED_OF_PEOPLE, synthetic_examples
from hmdiff.training.assemble import Assembly, make_stream


@pytest.fixture(scope="module")
def bundle(fake_shared: Path) -> Path:
    return mocap_bundle(fake_shared)


@pytest.fixture(scope="module")
def examples(parts: Assembly, bundle: Path) -> Examples:
    return synthetic_examples(parts, bundle, 40)


def test_people_are_those_of_the_stream_whatever_the_limit(parts: Assembly, bundle: Path, examples: Examples):
    heard: list[tuple[int, int]] = []
    few = synthetic_examples(parts, bundle, 5, on_progress=lambda done, total: heard.append((done, total)))
    assert heard == [(5, 5)]
    np.testing.assert_array_equal(few.truth.vertices, examples.truth.vertices[:5])
    torch.testing.assert_close(few.inputs.grid, examples.inputs.grid[:5], atol=0, rtol=0)
    stream = make_stream(parts, bundle, "test", "cpu", heatmaps=True)
    generator = torch.Generator().manual_seed(SEED_OF_PEOPLE)
    stream.draw(32, generator)
    second = stream.draw(32, generator)
    np.testing.assert_array_equal(examples.landmarks_2d[32:], second.people.landmarks_2d[:8].numpy())
    with torch.no_grad():
        _, joints = parts.body(second.people.betas, second.people.rotations)
    expected = (joints - joints[:, :1])[:8, list(J14_OF_24)].numpy()
    np.testing.assert_allclose(examples.truth.joints[32:], expected, atol=1e-6)
    assert examples.clip.tolist() == list(range(40))
    assert (examples.frame == -1).all()


def test_everything_is_in_one_frame_and_unit(parts: Assembly, examples: Examples):
    points = examples.landmarks + examples.pelvis[:, None]
    flat = points[..., :2] / points[..., 2:] * examples.focal[:, None, None] + examples.principal[:, None]
    np.testing.assert_allclose(flat, examples.landmarks_2d, atol=1e-5)
    np.testing.assert_array_equal(examples.truth.landmarks, examples.landmarks[:, list(LIMB_SLOTS)])
    skin = np.einsum("kv,nvc->nkc", parts.maps.landmarks, examples.truth.vertices)
    assert np.abs(skin - examples.landmarks).max() < 0.03  # the same surface, read off 431 and off all vertices
    assert examples.hidden is not None
    assert not (examples.visible & examples.hidden).any()
    seen = np.isfinite(examples.world).all((1, 2))
    assert 0.5 < seen.mean() < 1
    assert np.isnan(examples.world[~seen]).all()


def test_masks_show_the_body_and_end_with_the_picture(parts: Assembly, examples: Examples):
    assert examples.mask is not None and examples.hidden is not None
    points = metrics.to_crop(examples.landmarks_2d, examples.crop)
    inside = np.stack([metrics.mask_distance(at, mask) == 0 for at, mask in zip(points, examples.mask, strict=True)])
    within = ((points > 0) & (points < 256)).all(-1)
    body = np.arange(33) >= 11
    assert inside[examples.visible & within & body].mean() > 0.95
    outside = ~examples.visible & ~examples.hidden & within
    assert outside.any()
    assert inside[outside & body].mean() < 0.2
    whole = np.flatnonzero((examples.visible | examples.hidden).all(1))[0]
    drawn = silhouette(
        parts,
        examples.truth.vertices[whole] + examples.pelvis[whole],
        1.0,
        np.zeros(2, np.float32),
        examples.crop[whole],
    )
    np.testing.assert_array_equal(drawn, examples.mask[whole])


def test_a_silhouette_is_every_face_filled(parts: Assembly, examples: Examples):
    """Against OpenCV's polygons, face by face."""
    import cv2

    vertices = (examples.truth.vertices[0] + examples.pelvis[0])[parts.hierarchy.indices[0]]
    flat = metrics.to_crop(vertices[:, :2] / vertices[:, 2:], examples.crop[0]) * 4
    canvas = np.zeros((1024, 1024), np.uint8)
    for face in parts.hierarchy.faces[0]:
        cv2.fillConvexPoly(canvas, np.round(flat[face] * 16 - 8).astype(np.int32), 1, shift=4)
    expected = canvas[4::8, 4::8] > 0
    found = silhouette(
        parts, examples.truth.vertices[0] + examples.pelvis[0], 1.0, np.zeros(2, np.float32), examples.crop[0]
    )
    assert (found != expected).sum() < 0.03 * expected.sum()
    assert expected.sum() > 500


def test_joining_and_cutting_are_inverse(examples: Examples):
    again = join_examples([examples[:7], examples[7:]])
    np.testing.assert_array_equal(again.world, examples.world)
    np.testing.assert_array_equal(again.truth.landmarks, examples.truth.landmarks)
    torch.testing.assert_close(again.inputs.landmarks, examples.inputs.landmarks, atol=0, rtol=0)
