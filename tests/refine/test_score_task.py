"""The denoiser's training stage in the loop of all stages: it learns, it goes on, and it tells how good it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hmdiff.models.weights import LoadedModel
from hmdiff.refine.condition import ConditionMaps
from hmdiff.refine.denoiser import ScoreConfig, ScoreDenoiser
from hmdiff.refine.train import ScoreOptions, train_score
from hmdiff.refine.weights import load_score
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.training.loop import LoopConfig, run_loop
from hmdiff.training.score_task import ScorePool, ScoreReader, ScoreTask

CONFIG = ScoreConfig(hidden=48, blocks=2, time_inner=16)


@pytest.fixture(scope="module")
def reader(loaded: LoadedModel) -> ScoreReader:
    maps = ConditionMaps.of(torch.from_numpy(loaded.maps.coarse_joints), torch.from_numpy(loaded.maps.coarse_landmarks))
    return ScoreReader(loaded.model.regressor, maps, CONFIG.code)


def make_task(loaded: LoadedModel, stream: SyntheticStream, reader: ScoreReader) -> tuple[ScoreTask, ScorePool]:
    torch.manual_seed(0)
    pool = ScorePool(stream, reader, torch.Generator().manual_seed(0), first=120, fresh=8, capacity=150)
    model = ScoreDenoiser(CONFIG)
    everybody = pool.all()
    model.measure(everybody.code, everybody.condition)
    held_out = reader.read(stream.draw(24, torch.Generator().manual_seed(9)))
    return ScoreTask(model, reader, loaded.body, held_out), pool


def test_stage_learns_and_resumes(loaded: LoadedModel, stream, reader: ScoreReader, tmp_path: Path) -> None:
    said: list[str] = []
    loop = LoopConfig(minutes=5, steps=60, batch=48, warmup=10, bfloat16=False, ema=0.9)
    task, pool = make_task(loaded, stream, reader)
    before = task.validate(task.module)
    after = run_loop(task, pool, tmp_path, loop, said.append)
    assert after["eps_300"] < before["eps_300"] and after["pa_mpjpe_mm"] < before["pa_mpjpe_mm"]
    assert {"eps_10", "eps_50", "eps_700", "pa_mpjpe_unconditional_mm"} <= set(after)
    weights = {name: value.clone() for name, value in task.module.state_dict().items()}

    again, pool = make_task(loaded, stream, reader)
    went_on = run_loop(again, pool, tmp_path, LoopConfig(minutes=5, steps=1, batch=8, bfloat16=False), said.append)
    assert "resuming at step 60" in said[-2]
    assert went_on["eps_300"] == pytest.approx(after["eps_300"], rel=0.05)
    for name, value in again.module.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0.02)


def test_regressor_is_frozen_and_batches_are_read(loaded: LoadedModel, stream, reader: ScoreReader) -> None:
    task, _ = make_task(loaded, stream, reader)
    loss, terms = task.loss(stream.draw(16, torch.Generator().manual_seed(1)), torch.Generator().manual_seed(2))
    loss.backward()
    assert all(p.grad is None for p in reader.regressor.parameters())
    assert sum(float(p.grad.abs().sum()) for p in task.module.parameters() if p.grad is not None) > 0
    assert set(terms) == {"eps", "eps_low"}


def test_pool_grows_then_replaces_the_oldest(stream, reader: ScoreReader) -> None:
    pool = ScorePool(stream, reader, torch.Generator().manual_seed(0), first=20, fresh=8, capacity=30)
    first = pool.all().code[0].clone()
    generator = torch.Generator().manual_seed(3)
    assert len(pool.draw(5, generator).code) == 5 and pool.filled == 28
    pool.draw(5, generator)
    assert pool.filled == 30 and not torch.equal(pool.all().code[0], first)


@pytest.mark.parametrize("with_betas", [False, True])
def test_command_trains_on_mocap(shared_dir: Path, tmp_path: Path, with_betas: bool) -> None:
    options = ScoreOptions(
        data=shared_dir / "data" / "mocap_cmu_poses.npz", out=tmp_path, minutes=0.02, batch=64, people=300, fresh=4,
        with_betas=with_betas,
    )  # fmt: skip
    score = load_score(train_score(options, lambda line: None))
    assert score.model.config.code.size == (154 if with_betas else 144)
    assert score.card["data"]["split"] == "train subjects only" and "pa_mpjpe_mm" in score.card["held_out"]
