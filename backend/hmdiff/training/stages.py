"""The stages of training a model, and what ships at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from ..models.config import DEFAULT, PAPER, HMDiffConfig
from ..models.hmdiff import BASIS_RANK, HMDiff
from ..models.weights import save_model
from ..synthesis.batch import SyntheticStream
from .assemble import Assembly, assemble_body, held_out_batch, make_stream, mean_mesh
from .denoiser_task import DenoiserModule, DenoiserTask
from .loop import LoopConfig, run_loop
from .losses import MeshTopology
from .mesh_task import MeshTask
from .regressor_task import RegressorTask
from .spread_task import SpreadTask

STAGES = ("regressor", "spread", "denoiser", "mesh")
MINUTES = {"regressor": 40.0, "spread": 3.0, "denoiser": 60.0, "mesh": 8.0}
"""Default budget of each stage; what the shipped weights had on two shared CPU cores is in their JSON."""


@dataclass(frozen=True)
class TrainOptions:
    """data: mocap; out: folder of states, curves and the model; minutes, steps, batch: None takes the stage's."""

    data: Path
    out: Path
    preset: str = "default"
    stages: tuple[str, ...] = STAGES
    minutes: float | None = None
    steps: int | None = None
    batch: int | None = None
    device: str = "cpu"
    seed: int = 0


def model_config(preset: str) -> HMDiffConfig:
    return PAPER if preset == "paper" else DEFAULT


def train(options: TrainOptions, say: Callable[[str], None] = print) -> Path:
    """Run the stages asked for, resuming each from options.out, and write the packed model. Returns its path.

    A stage needs those before it, trained now or earlier, in the folder.
    """
    parts = assemble_body()
    config = model_config(options.preset)
    torch.manual_seed(options.seed)
    model = HMDiff(config, parts.hierarchy, parts.maps.coarse_j14).to(options.device)
    model.regressor.joint_map.copy_(torch.from_numpy(parts.maps.coarse_j14))
    results: dict[str, dict[str, float]] = {}
    for stage in STAGES:
        if stage in options.stages:
            say(f"stage {stage}")
            results[stage] = _run_stage(stage, model, parts, options, say)
        else:
            _restore(stage, model, options)
        if stage == "regressor":
            model.basis.copy_(error_basis(model, make_stream(parts, options.data, "train", options.device, False)))
    target = options.out / f"hmdiff_{options.preset}.safetensors"
    save_model(target, model, model_card(options, results))
    say(f"wrote {target}")
    return target


def _run_stage(
    stage: str, model: HMDiff, parts: Assembly, options: TrainOptions, say: Callable[[str], None]
) -> dict[str, float]:
    heatmaps = stage in ("denoiser", "mesh")
    stream = make_stream(parts, options.data, "train", options.device, heatmaps)
    held_out = make_stream(parts, options.data, "test", options.device, heatmaps)
    loop = LoopConfig(minutes=options.minutes or MINUTES[stage], seed=options.seed)
    if options.steps:
        loop = replace(loop, steps=options.steps)
    if stage == "regressor":
        model.regressor.mean_mesh.copy_(mean_mesh(stream))
        task: Any = RegressorTask(model.regressor, stream, held_out_batch(held_out, 1024))
    elif stage == "spread":
        task = SpreadTask(model, held_out_batch(held_out, 1024))
    elif stage == "denoiser":
        topology = MeshTopology(stream.faces, model.joint_map)
        task = DenoiserTask(model, topology, held_out_batch(held_out, 48), subset=72, full_every=8)
        loop = replace(loop, batch=96 if options.device == "cpu" else 512, learning_rate=6e-4)
    else:
        middle = torch.from_numpy(parts.hierarchy.indices[0])
        task = MeshTask(model, stream, middle, held_out_batch(held_out, 48))
        loop = replace(loop, batch=24 if options.device == "cpu" else 256, learning_rate=3e-4)
    if options.batch:
        loop = replace(loop, batch=options.batch)
    return run_loop(task, stream, options.out, loop, say)


def _restore(stage: str, model: HMDiff, options: TrainOptions) -> None:
    """Averaged weights of an earlier stage, from its state in the folder where there is one."""
    state = options.out / f"{stage}.safetensors"
    if not state.is_file():
        return
    module: nn.Module = {
        "regressor": model.regressor,
        "spread": model.spread,
        "denoiser": DenoiserModule(model),
        "mesh": model.mlp,
    }[stage]
    stored = load_file(state)
    module.load_state_dict({name[4:]: value for name, value in stored.items() if name.startswith("ema.")}, strict=False)


@torch.no_grad()
def error_basis(model: HMDiff, stream: SyntheticStream, count: int = 4096) -> torch.Tensor:
    """Principal directions of truth - m, scaled by their standard deviations: (1293,48). C_mesh of note A9."""
    device = stream.setup.device
    generator = torch.Generator(device=device).manual_seed(5)
    errors = []
    for _ in range(max(1, count // 512)):
        batch = stream.draw(512, generator)
        errors.append((batch.people.vertices - model.regressor(batch.inputs).mesh).flatten(1))
    error = torch.cat(errors)
    error = error - error.mean(0)
    _, values, vectors = torch.linalg.svd(error, full_matrices=False)
    return (vectors[:BASIS_RANK] * (values[:BASIS_RANK, None] / len(error) ** 0.5)).T.contiguous()


def model_card(options: TrainOptions, results: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Data, budgets and held-out figures, read back from the curves in the folder."""
    curves = {}
    for stage in STAGES:
        file = options.out / f"{stage}.jsonl"
        if file.is_file():
            last = json.loads(file.read_text(encoding="utf-8").splitlines()[-1])
            curves[stage] = {key: last[key] for key in ("step", "samples", "seconds", "held_out")}
    return {
        "data": {"mocap": options.data.name, "split": "train subjects only", "body": "free", "noise": "NoiseModel()"},
        "training": curves,
        "held_out_now": results,
        "licence": "CC BY 4.0",
    }
