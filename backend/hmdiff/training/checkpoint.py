"""Training state on disk: safetensors and JSON, never a pickle; written aside and renamed, so a kill loses nothing."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


@dataclass(frozen=True)
class Progress:
    """steps and samples seen, seconds spent, over all sessions."""

    steps: int = 0
    samples: int = 0
    seconds: float = 0.0


def save_state(
    path: Path, model: nn.Module, ema: dict[str, Tensor], optimizer: torch.optim.Optimizer, progress: Progress
) -> None:
    """Model, its moving average, Adam's moments and progress -> one safetensors file."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in ema.items()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{key}.{names[id(parameter)]}"] = torch.as_tensor(value)
    aside = path.with_suffix(".part")
    contiguous = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    save_file(contiguous, aside, metadata={"progress": json.dumps(asdict(progress))})
    os.replace(aside, path)


def load_state(path: Path, model: nn.Module, ema: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> Progress:
    """Continue where save_state stopped. Parameters the file lacks keep their fresh values."""
    with safe_open(path, framework="pt") as stored:
        keys = set(stored.keys())
        state = {key[6:]: stored.get_tensor(key) for key in keys if key.startswith("model.")}
        model.load_state_dict(state, strict=False)
        for name, value in ema.items():
            if f"ema.{name}" in keys:
                value.copy_(stored.get_tensor(f"ema.{name}"))
        for name, parameter in model.named_parameters():
            if f"adam.exp_avg.{name}" in keys:
                optimizer.state[parameter] = {
                    "step": stored.get_tensor(f"adam.step.{name}").reshape(()),
                    "exp_avg": stored.get_tensor(f"adam.exp_avg.{name}").to(parameter.device),
                    "exp_avg_sq": stored.get_tensor(f"adam.exp_avg_sq.{name}").to(parameter.device),
                }
        metadata: dict[str, Any] = stored.metadata() or {}
    return Progress(**json.loads(metadata.get("progress", "{}")))
