"""Trained models on disk: safetensors in halves of float, with a JSON of configuration, data and accuracy beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hmdiff_wire.errors import HmdiffError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..bodies.hierarchy import Hierarchy, load_hierarchy
from ..bodies.joint_maps import JointMaps, load_joint_maps
from ..bodies.model import FREE_BODY, BodyModel, load_free_body
from .config import HMDiffConfig, config_from_dict, config_to_dict
from .hmdiff import HMDiff

DATA = FREE_BODY.parent


@dataclass(frozen=True)
class LoadedModel:
    """A model with the body it was trained on. card: the JSON beside the weights."""

    model: HMDiff
    body: BodyModel
    hierarchy: Hierarchy
    maps: JointMaps
    card: dict[str, Any]


def weights_path(preset: str) -> Path:
    """Where the shipped weights of a preset are."""
    return DATA / f"hmdiff_{preset}.safetensors"


def save_model(path: Path, model: HMDiff, card: dict[str, Any]) -> None:
    """Write weights (float16 where that is exact enough) and ``path.json`` with config and card."""
    tensors = {
        name: value.detach().cpu().to(torch.float16 if value.is_floating_point() else value.dtype).contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(tensors, path)
    text = json.dumps({"config": config_to_dict(model.config), **card}, indent=1)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def load_model(preset: str = "default", device: torch.device | str = "cpu", path: Path | None = None) -> LoadedModel:
    """Load the shipped (or given) weights. Errors: ``weights.missing``, ``weights.damaged``."""
    path = path or weights_path(preset)
    if not path.is_file():
        raise HmdiffError(
            "weights.missing", f"There are no weights for the preset `{preset}` at {path}.",
            f"Train them (`hmdiff train --preset {preset}`) and copy the packed file and its .json there, "
            "or use --preset default.",
        )  # fmt: skip
    body = load_free_body()
    hierarchy = load_hierarchy(body.data)
    maps = load_joint_maps(body, hierarchy)
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        config: HMDiffConfig = config_from_dict(card["config"])
        model = HMDiff(config, hierarchy, maps)
        stored = load_file(path)
        wanted = model.state_dict()
        model.load_state_dict({name: stored[name].to(wanted[name].dtype) for name in wanted})
    except (KeyError, TypeError, ValueError, OSError, RuntimeError, SafetensorError) as error:
        raise HmdiffError(
            "weights.damaged", f"The weights at {path} cannot be used.",
            "Install HMDiff again, or train them again.", repr(error),
        ) from error  # fmt: skip
    return LoadedModel(model.to(device).eval(), body, hierarchy, maps, card)


def pick_device(name: str = "auto") -> torch.device:
    """``auto`` takes CUDA where there is one, else the CPU; ``mps`` only by name. Errors: ``device.missing``."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there and kind != "mps"))
    if not available.get(name, False):
        raise HmdiffError("device.missing", f"This computer has no {name} device for PyTorch.", "Use --device cpu.")
    return torch.device(name)
