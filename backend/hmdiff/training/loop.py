"""One loop for every stage: a time or step budget, a moving average of the weights, curves, resume."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from ..models.hmdiff import fast_bfloat16
from ..synthesis.batch import Batch
from ..synthesis.people import SynthesisSetup
from .checkpoint import Progress, load_state, save_state


class Stream(Protocol):
    """Endless people with what a detector says of them."""

    @property
    def setup(self) -> SynthesisSetup: ...

    @property
    def faces(self) -> Tensor: ...

    def draw(self, count: int, generator: torch.Generator) -> Batch: ...


class Task(Protocol):
    """A stage of training."""

    name: str
    module: nn.Module

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]: ...

    def validate(self, module: nn.Module) -> dict[str, float]: ...


@dataclass(frozen=True)
class LoopConfig:
    """minutes: wall-clock budget of this session (or steps, whichever ends first); the learning rate falls over it."""

    minutes: float
    steps: int = 10_000_000
    batch: int = 512
    learning_rate: float = 1e-3
    final_fraction: float = 0.02
    warmup: int = 300
    ema: float = 0.999
    clip: float = 1.0
    bfloat16: bool = True
    save_every_s: float = 120.0
    validate_every_s: float = 600.0
    seed: int = 0


def run_loop(
    task: Task, stream: Stream, folder: Path, config: LoopConfig, say: Callable[[str], None] = print
) -> dict[str, float]:
    """Train until the budget ends; returns the last validation. State and curve live in folder, and runs continue them.

    Files: ``{task}.safetensors`` (state), ``{task}.jsonl`` (curve).
    """
    folder.mkdir(parents=True, exist_ok=True)
    module, device = task.module, stream.setup.device
    # without the instructions for it, bfloat16 is thirty times slower (measured)
    lower = config.bfloat16 and fast_bfloat16(device)
    trained = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=1e-4, betas=(0.9, 0.99))
    ema = {name: value.detach().clone() for name, value in module.state_dict().items()}
    state_file, curve = folder / f"{task.name}.safetensors", folder / f"{task.name}.jsonl"
    progress = load_state(state_file, module, ema, optimizer) if state_file.is_file() else Progress()
    generator = torch.Generator(device=device).manual_seed(config.seed + progress.steps)
    say(f"{task.name}: {sum(p.numel() for p in trained) / 1e6:.2f} M parameters, resuming at step {progress.steps}")
    began, saved, validated, done = time.monotonic(), time.monotonic(), time.monotonic(), 0
    running: dict[str, float] = {}
    while done < config.steps and (spent := time.monotonic() - began) < config.minutes * 60:
        fraction = max(spent / (config.minutes * 60), done / config.steps)
        rate = config.learning_rate * min(1.0, (done + 1) / config.warmup) * _cosine(fraction, config.final_fraction)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.no_grad():
            batch = stream.draw(config.batch, generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=lower):
            loss, terms = task.loss(batch, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, config.clip)
        optimizer.step()
        done += 1
        _average(ema, module, min(config.ema, (1 + progress.steps + done) / (10 + progress.steps + done)))
        running = {key: 0.98 * running.get(key, value) + 0.02 * value for key, value in terms.items()}
        now = time.monotonic()
        if now - saved > config.save_every_s:
            saved = now
            _save(state_file, module, ema, optimizer, progress, done, config.batch, now - began)
        if now - validated > config.validate_every_s:
            validated = now
            _report(task, module, ema, curve, progress, done, config.batch, now - began, running, rate, say)
    now = time.monotonic()
    _save(state_file, module, ema, optimizer, progress, done, config.batch, now - began)
    result = _report(task, module, ema, curve, progress, done, config.batch, now - began, running, 0.0, say)
    module.load_state_dict(ema)
    return result


def _cosine(fraction: float, final: float) -> float:
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))


@torch.no_grad()
def _average(ema: dict[str, Tensor], module: nn.Module, decay: float) -> None:
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            ema[name].lerp_(value, 1 - decay)
        else:
            ema[name].copy_(value)


def _save(
    path: Path, module: nn.Module, ema: dict[str, Tensor], optimizer: torch.optim.Optimizer,
    progress: Progress, done: int, batch: int, seconds: float,
) -> None:  # fmt: skip
    total = Progress(progress.steps + done, progress.samples + done * batch, progress.seconds + seconds)
    save_state(path, module, ema, optimizer, total)


def _report(
    task: Task, module: nn.Module, ema: dict[str, Tensor], curve: Path, progress: Progress, done: int, batch: int,
    seconds: float, running: dict[str, float], rate: float, say: Callable[[str], None],
) -> dict[str, float]:  # fmt: skip
    raw = {name: value.detach().clone() for name, value in module.state_dict().items()}
    module.load_state_dict(ema)
    module.eval()
    with torch.no_grad():
        result = task.validate(module)
    module.train()
    module.load_state_dict(raw)
    row = {
        "step": progress.steps + done, "samples": progress.samples + done * batch,
        "seconds": round(progress.seconds + seconds, 1), "rate": rate,
        "train": {k: round(v, 5) for k, v in running.items()}, "held_out": {k: round(v, 3) for k, v in result.items()},
    }  # fmt: skip
    with curve.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")
    speed = done * batch / max(seconds, 1)
    say(f"{task.name} step {row['step']} ({row['samples'] / 1e6:.2f} M, {speed:.0f}/s) {result} {row['train']}")
    return result
