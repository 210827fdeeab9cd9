"""A variant trains its denoiser alone, goes on where it stopped, and is packed so that it can be measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hmdiff import cli
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import matrix_to_axis_angle
from hmdiff.models.config import DEFAULT
from hmdiff.models.hmdiff import HMDiff
from hmdiff.models.weights import load_model
from hmdiff.synthesis.batch import Batch, SyntheticStream
from hmdiff.training.denoiser_task import DenoiserTask
from hmdiff.training.losses import MeshTopology


@pytest.mark.parametrize("full_every", [1, 1000])
def test_a_direct_model_is_asked_for_the_mesh_itself(
    make_model: Callable[..., HMDiff], batch: Batch, stream: SyntheticStream, monkeypatch, full_every: int
):
    model = make_model(replace(DEFAULT, process="direct"))
    task = DenoiserTask(model, MeshTopology(stream.faces, model.joint_map), batch, subset=40, full_every=full_every)
    truth = batch.people.vertices

    def losses() -> float:
        task.turn = 0
        return task.loss(batch, torch.Generator().manual_seed(0))[0].item()

    wrong = losses()
    # Of a body no bigger than its normals allow: the truth still costs what L_n cannot do without.

    def perfect(noisy, k, context, around, subset):
        return truth[: len(noisy)] if subset is None else truth[: len(noisy), subset]

    monkeypatch.setattr(model.denoiser, "forward", perfect)
    assert losses() < 0.1 * wrong


@pytest.mark.parametrize("config", [replace(DEFAULT, process="direct"), replace(DEFAULT, features="both")])
def test_gradients_reach_the_variant_and_not_the_regressor(
    make_model: Callable[..., HMDiff], batch: Batch, stream: SyntheticStream, config
):
    model = make_model(config)
    torch.nn.init.normal_(model.denoiser.exit.weight, std=0.1)
    task = DenoiserTask(model, MeshTopology(stream.faces, model.joint_map), batch, subset=40, full_every=1000)
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = task.loss(batch, torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(loss)
    assert model.features.patch.weight.grad is not None and model.features.patch.weight.grad.any()
    assert all(p.grad is None for p in model.regressor.parameters())


def test_the_command_trains_resumes_and_packs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    poses = matrix_to_axis_angle(random_rotations(40, torch.Generator().manual_seed(0))).numpy()
    data = tmp_path / "mocap_cmu_poses.npz"
    np.savez(data, poses=poses.astype(np.float16), pose_split=np.arange(40) % 2, pose_cluster=np.arange(40) // 8)
    out = tmp_path / "variants"
    words = ["train", "--variant", "one_step", "--data", str(data), "--out", str(out), "--steps", "2", "--batch", "4",
             "--device", "cpu"]  # fmt: skip
    assert cli.main(words) == 0
    assert cli.main(words) == 0
    assert "resuming at step 2" in capsys.readouterr().out
    packed = load_model(path=out / "variant_one_step.safetensors")
    shipped = load_model()
    assert packed.model.config.process == "direct"
    assert packed.card["variant"] == "one_step" and packed.card["training"]["denoiser"]["step"] == 4
    for part in ("regressor", "temporal", "spread", "mlp"):
        mine, theirs = (getattr(one.model, part).state_dict() for one in (packed, shipped))
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert torch.equal(packed.model.basis, shipped.model.basis)
    assert packed.model.denoiser.exit.weight.any()
    assert [json.loads(row)["step"] for row in (out / "denoiser_one_step.jsonl").read_text().splitlines()] == [2, 4]
