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
from ..models.weights import LoadedModel, save_model
from ..synthesis.bank import MixedStream, load_bank
from .assemble import Assembly, assemble_body, held_out_batch, make_stream, mean_mesh
from .clip_stream import CLIP_FRAMES, Alternating, ClipStream, held_out_clips, make_clips
from .denoiser_task import DenoiserModule, DenoiserTask
from .loop import LoopConfig, Stream, run_loop
from .losses import MeshTopology
from .mesh_task import MeshTask
from .rank_fit import fit_ranking
from .regressor_task import RegressorTask
from .spread_task import SpreadTask
from .temporal_task import TemporalTask

STAGES = ("regressor", "temporal", "spread", "denoiser", "mesh")
NOISE = "70 % as the real detector was measured (detector_noise.npz), the others NoiseModel()"
MINUTES = {"regressor": 40.0, "temporal": 20.0, "spread": 3.0, "denoiser": 60.0, "mesh": 8.0}
"""Default budget of each stage; what the shipped weights had on two shared CPU cores is in their JSON."""


@dataclass(frozen=True)
class TrainOptions:
    """data: mocap; out: folder of states, curves and the model; minutes, steps, batch, rate (of learning): None takes
    the stage's; bank: rendered people as the detector saw them (``synthesis.bank``), bank_share of every batch; init:
    packed weights to begin with where the folder has no state yet; clips: sequences for the look around, None takes the
    file beside data.
    """

    data: Path
    out: Path
    preset: str = "default"
    stages: tuple[str, ...] = STAGES
    minutes: float | None = None
    steps: int | None = None
    batch: int | None = None
    device: str = "cpu"
    seed: int = 0
    bank: Path | None = None
    bank_share: float = 0.05
    init: Path | None = None
    rate: float | None = None
    clips: Path | None = None


def model_config(preset: str) -> HMDiffConfig:
    return PAPER if preset == "paper" else DEFAULT


def train(options: TrainOptions, say: Callable[[str], None] = print) -> Path:
    """Run the stages asked for, resuming each from options.out, and write the packed model. Returns its path.

    A stage needs those before it, trained now or earlier, in the folder.
    """
    parts = assemble_body()
    config = model_config(options.preset)
    torch.manual_seed(options.seed)
    model = HMDiff(config, parts.hierarchy, parts.maps).to(options.device)
    model.regressor.joint_map.copy_(torch.from_numpy(parts.maps.coarse_j14))
    if options.init is not None:
        begin_with(model, options.init)
    results: dict[str, dict[str, float]] = {}
    for stage in STAGES:
        if stage == "temporal" and (model.temporal is None or clip_file(options) is None):
            say("no look around: the preset has none, or there are no clips of motion beside the poses")
        elif stage in options.stages:
            say(f"stage {stage}")
            results[stage] = run_stage(stage, model, parts, options, say)
        else:
            _restore(stage, model, options)
        if stage == "temporal":
            model.basis.copy_(error_basis(model, training_stream(parts, options, heatmaps=False)))
    target = options.out / f"hmdiff_{options.preset}.safetensors"
    card = model_card(options, results)
    if options.preset == "default" and "mesh" in options.stages:
        say("what speaks for a hypothesis")
        card["ranking"] = ranking_weights(model, parts, options)
    save_model(target, model, card)
    say(f"wrote {target}")
    return target


def run_stage(
    stage: str, model: HMDiff, parts: Assembly, options: TrainOptions, say: Callable[[str], None], name: str = ""
) -> dict[str, float]:
    """Train one stage of a model whose earlier stages are in place, and return what it says of held-out people.

    name: of a denoiser's files in options.out, where several are trained there.
    """
    heatmaps = stage in ("denoiser", "mesh")
    stream = training_stream(parts, options, heatmaps)
    held_out = make_stream(parts, options.data, "test", options.device, heatmaps)
    loop = LoopConfig(minutes=options.minutes or MINUTES[stage], seed=options.seed)
    if options.steps:
        loop = replace(loop, steps=options.steps)
    if stage == "regressor":
        if options.init is None:
            model.regressor.mean_mesh.copy_(mean_mesh(stream))
        else:
            loop = replace(loop, warmup=40)
        task: Any = RegressorTask(model.regressor, stream, held_out_batch(held_out, 1024))
    elif stage == "temporal":
        file = clip_file(options)
        assert model.temporal is not None and file is not None
        stream = make_clips(parts, options.data, file, "train", options.device)
        watched = held_out_clips(make_clips(parts, options.data, file, "test", options.device))
        task = TemporalTask(model.regressor, model.temporal, stream.setup.coarse_joints, watched)
        loop = replace(loop, batch=CLIP_FRAMES * 10, warmup=40)
    elif stage == "spread":
        if model.temporal is not None and (clips := training_clips(parts, options)) is not None:
            stream = Alternating(stream, clips)
        loop = replace(loop, warmup=40)
        task = SpreadTask(model, held_out_batch(held_out, 1024))
    elif stage == "denoiser":
        topology = MeshTopology(stream.faces, model.joint_map)
        task = DenoiserTask(model, topology, held_out_batch(held_out, 48), subset=72, full_every=8, name=name or stage)
        loop = replace(loop, batch=96 if options.device == "cpu" else 512, learning_rate=6e-4)
    else:
        middle = torch.from_numpy(parts.hierarchy.indices[0])
        task = MeshTask(model, stream, middle, held_out_batch(held_out, 48))
        loop = replace(loop, batch=24 if options.device == "cpu" else 256, learning_rate=3e-4)
    if options.batch:
        loop = replace(loop, batch=options.batch)
    if options.rate:
        loop = replace(loop, learning_rate=options.rate)
    if options.steps:  # a short run that only warms up would learn at half the rate it was given
        loop = replace(loop, warmup=min(loop.warmup, max(1, options.steps // 8)))
    return run_loop(task, stream, options.out, loop, say)


def begin_with(model: HMDiff, packed: Path) -> None:
    """Take over the packed weights that fit. Residual blocks that the file lacks begin as the identity."""
    stored, own = load_file(packed), model.state_dict()
    fitting = {name: value for name, value in stored.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict(fitting, strict=False)
    for name, weight in model.regressor.named_parameters():
        if name.endswith("down.weight") and f"regressor.{name}" not in fitting:
            nn.init.zeros_(weight)


def training_stream(parts: Assembly, options: TrainOptions, heatmaps: bool) -> Stream:
    """Simulated people, mixed with those of the bank where there is one."""
    simulated = make_stream(parts, options.data, "train", options.device, heatmaps)
    if options.bank is None:
        return simulated
    return MixedStream(simulated, load_bank(options.bank, simulated.setup, heatmaps), options.bank_share)


def clip_file(options: TrainOptions) -> Path | None:
    """Where there is one."""
    beside = options.data if options.data.is_dir() else options.data.parent
    file = options.clips or beside / "mocap_cmu_clips.npz"
    return file if file.is_file() else None


def training_clips(parts: Assembly, options: TrainOptions) -> ClipStream | None:
    """Moving people of the training subjects, where there are clips."""
    file = clip_file(options)
    return None if file is None else make_clips(parts, options.data, file, "train", options.device)


@torch.no_grad()
def ranking_weights(model: HMDiff, parts: Assembly, options: TrainOptions, batches: int = 12) -> dict[str, float]:
    """Fitted on training people that the networks did not see in this order."""
    stream = training_stream(parts, options, heatmaps=True)
    generator = torch.Generator(device=options.device).manual_seed(options.seed + 99)
    loaded = LoadedModel(model.eval(), parts.body, parts.hierarchy, parts.maps, {})
    return fit_ranking(loaded, (stream.draw(32, generator) for _ in range(batches)))


def _restore(stage: str, model: HMDiff, options: TrainOptions) -> None:
    """Averaged weights of an earlier stage, from its state in the folder where there is one."""
    state = options.out / f"{stage}.safetensors"
    if not state.is_file():
        return
    module: nn.Module = {
        "regressor": model.regressor,
        "temporal": model.temporal or nn.Identity(),
        "spread": model.spread,
        "denoiser": DenoiserModule(model),
        "mesh": model.mlp,
    }[stage]
    stored = load_file(state)
    module.load_state_dict({name[4:]: value for name, value in stored.items() if name.startswith("ema.")}, strict=False)


@torch.no_grad()
def error_basis(model: HMDiff, stream: Stream, count: int = 4096) -> torch.Tensor:
    """Principal directions of truth - m, scaled by their standard deviations: (1293,48). C_mesh of note A9."""
    device = stream.setup.device
    generator = torch.Generator(device=device).manual_seed(5)
    errors = []
    for _ in range(max(1, count // 512)):
        batch = stream.draw(512, generator)
        errors.append((batch.people.vertices - model.regress(batch.inputs).mesh).flatten(1))
    error = torch.cat(errors)
    error = error - error.mean(0)
    _, values, vectors = torch.linalg.svd(error, full_matrices=False)
    return (vectors[:BASIS_RANK] * (values[:BASIS_RANK, None] / len(error) ** 0.5)).T.contiguous()


def model_card(options: TrainOptions, results: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Data, budgets and held-out figures, read back from the curves in the folder."""
    curves = {stage: found for stage in STAGES if (found := last_report(options.out, stage))}
    return {
        "data": {"mocap": options.data.name, "split": "train subjects only", "body": "free", "noise": NOISE},
        "bank": None if options.bank is None else {"file": options.bank.name, "share": options.bank_share},
        "training": curves,
        "held_out_now": results,
        "licence": "CC BY 4.0",
    }


def last_report(folder: Path, name: str) -> dict[str, Any] | None:
    """The end of a stage's curve in the folder: steps, samples, seconds and held-out figures; None without one."""
    file = folder / f"{name}.jsonl"
    if not file.is_file():
        return None
    last = json.loads(file.read_text(encoding="utf-8").splitlines()[-1])
    return {key: last[key] for key in ("step", "samples", "seconds", "held_out")}
