"""People of the shipped rendered set, taken as if they were for training: truth and inputs must stay together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hmdiff.models.inputs import GRID, HEATMAP_SLOTS
from hmdiff.synthesis.bank import MixedStream, draw_from_bank, load_bank
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.synthesis.rasterise import draw_mask, splat_points
from hmdiff.synthesis.render.packed import BENCH_FILE, PackedPeople, read_packed, write_packed
from hmdiff_wire.errors import HmdiffError

TAKEN = 48


@pytest.fixture(scope="module")
def bank(tmp_path_factory, stream: SyntheticStream):
    whole = read_packed()
    rows = whole.found["row"][:TAKEN]
    people = {name: values[rows] for name, values in whole.people.items()}
    found = {name: values[:TAKEN] for name, values in whole.found.items()} | {"row": np.arange(TAKEN, dtype=np.int32)}
    commands = [command.replace("--split test", "--split train") for command in whole.card["commands"]]
    path = tmp_path_factory.mktemp("bank") / "bank.npz"
    write_packed(path, PackedPeople(people, found, whole.card | {"commands": commands}))
    return load_bank(path, stream.setup)


@pytest.fixture(scope="module")
def drawn(bank, stream: SyntheticStream):
    return draw_from_bank(bank, stream.setup, 256, 0.0, torch.Generator().manual_seed(2))


def test_people_kept_for_measuring_are_refused(stream: SyntheticStream):
    with pytest.raises(HmdiffError) as caught:
        load_bank(BENCH_FILE, stream.setup)
    assert caught.value.kind == "train.held_out" and "--split train" in caught.value.fix


def test_the_true_landmarks_lie_where_the_detector_saw_them_mirrored_or_not(bank, drawn):
    miss = (drawn.people.landmarks_2d - drawn.detections.landmarks_2d).norm(dim=-1) / drawn.side[:, None] * 256
    known = torch.isin(drawn.people.rotations[:, 16, 0, 1], bank.rotations[:, 16, 0, 1])
    assert 60 < int(known.sum()) < 196  # about half are mirrored
    for some in (known, ~known):
        assert miss[some].median() < 12


def test_a_turned_camera_sees_the_same_person_elsewhere(bank, drawn):
    row = (drawn.people.betas[:, None] - bank.betas[None]).abs().sum(-1).argmin(1)
    assert torch.allclose(drawn.people.pelvis.norm(dim=-1), bank.pelvis[row].norm(dim=-1), atol=1e-4)
    assert (drawn.people.pelvis[:, 1] - bank.pelvis[row, 1]).abs().median() > 0.05
    hips = drawn.people.landmarks[:, 23:25].mean(1, keepdim=True)
    said = drawn.detections.world[drawn.detections.has_world]
    truth = (drawn.people.landmarks - hips)[drawn.detections.has_world]
    assert torch.nn.functional.cosine_similarity(said[..., :2].flatten(1), truth[..., :2].flatten(1)).median() > 0.9


def test_heatmaps_and_mask_show_the_same_person(stream: SyntheticStream, drawn):
    cell = drawn.inputs.grid[:, :-1].flatten(2).argmax(-1)
    at = torch.stack([(cell % GRID + 0.5), torch.div(cell, GRID, rounding_mode="floor") + 0.5], -1) * 2 / GRID - 1
    landmarks = drawn.inputs.landmarks[:, list(HEATMAP_SLOTS), :2]
    assert (at - landmarks).norm(dim=-1).median() < 0.08
    whole = torch.tensor([-1e6, -1e6, 1e6, 1e6]).expand(len(cell), 4)
    body = draw_mask(splat_points(drawn.people.vertices_2d, stream.faces), drawn.centre, drawn.side, whole)
    mask = drawn.inputs.grid[:, -1]
    assert ((body * mask).sum((1, 2)) / torch.maximum(body, mask).sum((1, 2))).median() > 0.55


def test_a_wrong_focal_length_changes_what_is_told_and_not_the_person(bank, stream: SyntheticStream):
    right, wrong = (
        draw_from_bank(bank, stream.setup, 64, error, torch.Generator().manual_seed(3)) for error in (0.0, 0.3)
    )
    assert torch.equal(right.people.vertices, wrong.people.vertices)
    ratio = wrong.inputs.crop[:, 2] / right.inputs.crop[:, 2]
    assert 0.15 < ratio.log().std() < 0.5


def test_a_mixed_stream_takes_its_share_from_the_bank(bank, stream: SyntheticStream):
    batch = MixedStream(stream, bank, share=0.25).draw(40, torch.Generator().manual_seed(4))
    assert len(batch.inputs) == len(batch.people.vertices) == 40
    from_bank = torch.isin(batch.people.betas[:, 0], bank.betas[:, 0])
    assert from_bank[-10:].all() and not from_bank[:-10].any()
    masks_only = replace(stream, heatmaps=False)
    assert masks_only.draw(4, torch.Generator().manual_seed(5)).inputs.grid.shape[1] == 1
