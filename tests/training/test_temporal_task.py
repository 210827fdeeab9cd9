"""The look around learns from clips, from sparse ones and from photos, and leaves the regressor alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import matrix_to_axis_angle
from hmdiff.models.hmdiff import BASIS_RANK, HMDiff
from hmdiff.models.regressor import Regressor
from hmdiff.models.spread import FullSpread
from hmdiff.models.temporal import TemporalConfig, TemporalFusion
from hmdiff.synthesis.batch import Batch, SyntheticStream, pick
from hmdiff.synthesis.clips import ClipPool
from hmdiff.synthesis.measured.tables import shipped_tables
from hmdiff.training.clip_stream import Alternating, ClipBatch, ClipStream
from hmdiff.training.spread_task import SpreadTask
from hmdiff.training.temporal_task import TemporalTask, shown_frames

FRAMES = 16


@pytest.fixture(scope="module")
def clips(stream: SyntheticStream) -> ClipStream:
    """Two people who turn from one random pose into another."""
    ends = matrix_to_axis_angle(random_rotations(4, torch.Generator().manual_seed(6)))
    share = torch.linspace(0, 1, 30)[:, None, None]
    poses = torch.cat([ends[k] * (1 - share) + ends[k + 1] * share for k in (0, 2)])
    start = torch.tensor([0, 30])
    pool = ClipPool(poses, torch.zeros(60, 3), start, torch.full((2,), 30), torch.ones(2))
    simulated = replace(stream, heatmaps=False, tables=shipped_tables())
    return ClipStream(simulated, pool, FRAMES)


@pytest.fixture(scope="module")
def clip_batch(clips: ClipStream) -> ClipBatch:
    with torch.no_grad():
        return clips.draw(6 * FRAMES, torch.Generator().manual_seed(0))


def _task(regressor: Regressor, clips: ClipStream, batch: ClipBatch) -> TemporalTask:
    fusion = TemporalFusion(TemporalConfig(width=16, heads=6), regressor.config.width)
    return TemporalTask(regressor, fusion, clips.setup.coarse_joints, batch)


def test_a_few_steps_lower_the_loss_and_touch_only_the_look_around(
    make_regressor: Callable[[], Regressor], clips: ClipStream, clip_batch: ClipBatch
):
    regressor = make_regressor()
    before = {name: value.clone() for name, value in regressor.state_dict().items()}
    task = _task(regressor, clips, clip_batch)
    optimizer = torch.optim.Adam(task.module.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        loss, terms = task.loss(clip_batch, torch.Generator().manual_seed(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(terms["vertex_mm"])
    assert losses[-1] < 0.9 * losses[0]
    assert all(torch.equal(value, before[name]) for name, value in regressor.state_dict().items())
    with torch.no_grad():
        report = task.validate(task.module)
    assert report["mpve_mm"] < report["before_mpve_mm"]
    assert {"pa_mpjpe_mm", "alone_pa_mpjpe_mm", "before_pa_mpjpe_mm"} <= report.keys()


def test_frames_come_whole_sparse_and_with_gaps():
    shown = shown_frames(4000, 30, torch.Generator().manual_seed(0), torch.device("cpu"))
    share = shown.float().mean(1)
    assert 0.15 < (share < 0.6).float().mean() < 0.25
    assert share[share > 0.6].mean() == pytest.approx(0.96, abs=0.01) and share.min() > 0


def test_some_of_a_batch_are_those_people(batch: Batch):
    some = pick(batch, torch.tensor([5, 1]))
    assert torch.equal(some.people.joints, batch.people.joints[[5, 1]])
    assert torch.equal(some.inputs.landmarks, batch.inputs.landmarks[[5, 1]]) and torch.equal(
        some.side, batch.side[[5, 1]]
    )


def test_the_spread_learns_from_pictures_and_clips_by_turns(
    make_model: Callable[..., HMDiff], stream: SyntheticStream, clips: ClipStream, batch: Batch
):
    model = make_model()
    meshes = stream.draw(96, torch.Generator().manual_seed(2)).people.vertices.flatten(1)
    _, values, vectors = torch.linalg.svd(meshes - meshes.mean(0), full_matrices=False)
    model.basis.copy_((vectors[:BASIS_RANK] * (values[:BASIS_RANK, None] / len(meshes) ** 0.5)).T)
    task = SpreadTask(model, batch)
    both = Alternating(stream, clips)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        batches = [both.draw(2 * FRAMES, generator) for _ in range(2)]
    assert [isinstance(one, ClipBatch) for one in batches] == [True, False]
    assert isinstance(model.spread, FullSpread)
    optimizer = torch.optim.Adam(model.spread.parameters(), lr=3e-3)
    first = [task.loss(one, generator)[0].item() for one in batches]
    for _ in range(20):
        for one in batches:
            loss, _ = task.loss(one, generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert all(task.loss(one, generator)[0].item() < before for one, before in zip(batches, first, strict=True))
