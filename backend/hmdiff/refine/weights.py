"""The score denoiser on disk: safetensors in halves of float, with a JSON of configuration and figures beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from hmdiff_wire.errors import HmdiffError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..models.weights import DATA
from .denoiser import ScoreConfig, ScoreDenoiser
from .pose_code import BetaRange

SCORE_FILE = DATA / "score_default.safetensors"
_EXACT = ("mean", "variance", "condition_mean", "condition_std")
"""Kept in float32: halves would cost the smallest variances."""


@dataclass(frozen=True)
class LoadedScore:
    """card: the JSON beside the weights."""

    model: ScoreDenoiser
    card: dict[str, Any]


def config_from_dict(data: dict[str, Any]) -> ScoreConfig:
    """Inverse of ``asdict``. Raises TypeError on unknown names."""
    betas = data.get("betas")
    limits = None if betas is None else BetaRange(tuple(betas["low"]), tuple(betas["high"]))
    return ScoreConfig(**{**data, "betas": limits})


def save_score(path: Path, model: ScoreDenoiser, card: dict[str, Any]) -> None:
    """Write weights and ``path.json``."""
    tensors = {
        name: value.detach().cpu().to(torch.float32 if name in _EXACT else torch.float16).contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(tensors, path)
    text = json.dumps({"config": asdict(model.config), **card}, indent=1)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def load_score(path: Path = SCORE_FILE, device: torch.device | str = "cpu") -> LoadedScore:
    """Errors: ``weights.missing``, ``weights.damaged``."""
    if not path.is_file():
        raise HmdiffError(
            "weights.missing", f"There are no weights for refinement at {path}.",
            "Train them (`python -m hmdiff.refine.train`), or refine with SMPLify, which needs none.",
        )  # fmt: skip
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        model = ScoreDenoiser(config_from_dict(card["config"]))
        model.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    except (KeyError, TypeError, ValueError, OSError, RuntimeError, SafetensorError) as error:
        raise HmdiffError(
            "weights.damaged", f"The weights at {path} cannot be used.",
            "Install HMDiff again, or train them again.", repr(error),
        ) from error  # fmt: skip
    return LoadedScore(model.to(device).eval().requires_grad_(False), card)
