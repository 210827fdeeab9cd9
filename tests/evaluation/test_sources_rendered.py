"""The rendered people that ship: truth and detections belong together, and a limit takes independent people."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hmdiff.detect.observation import LIMB_SLOTS
from hmdiff.evaluation import metrics
from hmdiff.evaluation.sources.rendered import RenderedSet, rendered_examples, rendered_set
from hmdiff.models.inputs import MARGIN
from hmdiff.models.observe import inputs_from_observations
from hmdiff.synthesis.render.packed import BENCH_FILE, read_packed
from hmdiff.training.assemble import Assembly

LIMBS = list(LIMB_SLOTS)


@pytest.fixture(scope="module")
def people(parts: Assembly) -> RenderedSet:
    return rendered_set(parts, 60, which="people")


def test_it_is_small_and_its_counts_add_up():
    assert BENCH_FILE.stat().st_size < 5_000_000
    packed = read_packed()
    single, hard = packed.people["single"], packed.people["hard"]
    found = np.isin(np.arange(len(single)), packed.found["row"])
    for name, part in (("single_pictures", single), ("clips", ~single)):
        counts = packed.card[name]
        assert (part & ~hard & found).sum() == counts["count_found"] > 400
        assert (part & ~hard & ~found).sum() == counts["count_missed"] > 0
        assert (part & hard).sum() == counts["hard_found"]
        drawn = sum(counts[f"{a}_{b}"] for a in ("count", "hard") for b in ("found", "missed"))
        assert drawn == counts["people_drawn"]
    assert "--split test --seed" in packed.card["commands"][0]


def test_truth_is_where_the_detector_and_the_silhouettes_are(people: RenderedSet):
    some = people.examples
    unit = 256 / some.crop[:, 2]
    away = np.linalg.norm(some.seen_2d - some.landmarks_2d, axis=-1) * unit[:, None]
    assert np.median(away[some.visible]) < 8
    assert some.hidden is not None and some.mask is not None and some.people_mask is not None
    assert np.median(away[some.hidden]) > np.median(away[some.visible])
    assert not (some.visible & some.hidden).any()
    assert (some.people_mask | ~some.mask).all()
    points = metrics.to_crop(some.landmarks_2d[:, LIMBS], some.crop)
    inside = [metrics.mask_distance(at, mask) == 0 for at, mask in zip(points, some.mask, strict=True)]
    within = ((points > 0) & (points < 256)).all(-1)
    assert np.array(inside)[some.visible[:, LIMBS] & within].mean() > 0.93
    # the truth's own skin, projected, covers what of the person is seen
    skin = some.truth.vertices[:, ::40] + some.pelvis[:, None]
    flat = skin[..., :2] / skin[..., 2:] * some.focal[:, None, None] + some.principal[:, None]
    cells = np.floor(metrics.to_crop(flat, some.crop) / 2).astype(int)
    for cell, mask in zip(cells, some.mask, strict=True):
        good = ((cell >= 0) & (cell < 128)).all(-1)
        rows, columns = np.nonzero(mask)
        if good.sum() > 100:
            low, high = cell[good].min(0), cell[good].max(0)
            assert columns.min() > low[0] - 25 and columns.max() < high[0] + 25
            assert rows.min() > low[1] - 25 and rows.max() < high[1] + 25


def test_examples_are_what_inference_sees(people: RenderedSet):
    some = people.examples
    chosen = [0, 17, 43]
    for row, seen in zip(chosen, people.observations(chosen), strict=True):
        middle = (float(some.principal[row, 0]), float(some.principal[row, 1]))
        live = inputs_from_observations([seen], [float(people.told_focal[row])], middle)
        torch.testing.assert_close(live.landmarks[0], some.inputs.landmarks[row])
        torch.testing.assert_close(live.grid[0], some.inputs.grid[row])
        torch.testing.assert_close(live.crop[0], some.inputs.crop[row], atol=1e-5, rtol=1e-4)
    assert (some.inputs.flags == 1).all()
    np.testing.assert_allclose(people.told_focal, np.linalg.norm(2 * some.principal, axis=1), rtol=1e-6)
    side = some.inputs.crop[:, 2].numpy() * people.told_focal
    np.testing.assert_allclose(side, some.crop[:, 2], rtol=1e-5)
    sure = some.confidence > 0.3
    for row in np.flatnonzero(sure.sum(1) >= 4):
        assert side[row] == pytest.approx(MARGIN * np.ptp(some.seen_2d[row, sure[row]], axis=0).max(), rel=1e-4)
    assert np.isfinite(some.world).all()


def test_a_limit_takes_independent_people_spread_over_all(parts: Assembly, people: RenderedSet):
    assert len(people) == 60
    assert len(np.unique(people.person)) == 60
    assert (np.diff(people.examples.clip) >= 0).all()
    assert (people.examples.frame == -1).all()
    packed = people.packed
    assert people.examples.clip.max() > 0.9 * packed.people["clip"][packed.people["single"]].max()
    both = rendered_examples(parts, 30)
    moving = both.frame >= 0
    assert 0 < moving.sum() < 15
    assert len(np.unique(both.clip[moving])) == moving.sum()
    assert not moving[: (~moving).sum()].any()  # people first, then clips
    again = rendered_examples(parts, 30)
    np.testing.assert_array_equal(both.seen_2d, again.seen_2d)


def test_clips_come_as_whole_sequences(parts: Assembly):
    clips = rendered_set(parts, 60, which="clips", true_focal=True)
    sequences = clips.sequences()
    assert sum(map(len, sequences)) == len(clips) <= 60
    assert len(sequences) >= 2
    for rows in sequences:
        assert (np.diff(clips.examples.frame[rows]) > 0).all()
        assert len(np.unique(clips.examples.clip[rows])) == 1
        pelvis = clips.examples.pelvis[rows]
        steps = np.diff(clips.examples.frame[rows])[:, None]
        assert np.abs(np.diff(pelvis, axis=0) / steps).max() < 0.25  # nobody jumps 25 cm between frames
    np.testing.assert_array_equal(clips.told_focal, clips.examples.focal)
    with pytest.raises(ValueError, match="which"):
        rendered_set(parts, which="videos")


def test_examples_can_be_cut(people: RenderedSet):
    rows = np.array([5, 2])
    some, first = people.examples[rows], people.examples[:3]
    assert (len(some), len(first)) == (2, 3)
    np.testing.assert_array_equal(some.truth.vertices[1], first.truth.vertices[2])
    torch.testing.assert_close(some.inputs.grid[1], first.inputs.grid[2])
    assert some.mask is not None and some.mask.shape == (2, 128, 128)
