"""Train a variant of a finished model: its denoiser anew, on top of all its other parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from ..models.hmdiff import HMDiff
from ..models.variants import Variant, variant_file
from ..models.weights import load_model, save_model
from .assemble import Assembly
from .stages import TrainOptions, last_report, run_stage


def train_variant(
    variant: Variant, options: TrainOptions, base: Path | None, say: Callable[[str], None] = print
) -> Path:
    """Train (or go on training) one variant into options.out and return its packed weights.

    base: packed weights whose other parts it keeps; None takes those shipped. Files in options.out:
    ``denoiser_NAME.safetensors`` and ``.jsonl`` (state and curve), ``variant_NAME.safetensors`` and ``.json``.
    Variants trained from the same base with the same minutes, batch and seed had equal budgets. Errors: those of
    ``load_model``.
    """
    loaded = load_model(options.preset, options.device, base)
    parts = Assembly(loaded.body, loaded.hierarchy, loaded.maps)
    torch.manual_seed(options.seed)
    model = HMDiff(variant.change(loaded.model.config), parts.hierarchy, parts.maps).to(options.device)
    kept = loaded.model
    for mine, theirs in ((model.regressor, kept.regressor), (model.spread, kept.spread), (model.mlp, kept.mlp)):
        mine.load_state_dict(theirs.state_dict())
    if model.temporal is not None and kept.temporal is not None:
        model.temporal.load_state_dict(kept.temporal.state_dict())
    model.basis.copy_(kept.basis)
    name = f"denoiser_{variant.name}"
    say(f"variant {variant.name}: {variant.what}")
    run_stage("denoiser", model, parts, options, say, name)
    target = variant_file(options.out, variant.name)
    card = {
        "variant": variant.name,
        "data": loaded.card.get("data"),
        "training": {**loaded.card.get("training", {}), "denoiser": last_report(options.out, name)},
    }
    save_model(target, model, card)
    say(f"wrote {target}")
    return target
