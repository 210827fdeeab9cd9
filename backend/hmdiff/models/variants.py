"""Models that differ from the default in one thing, for the paper's tables: what each is and where its weights lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hmdiff_wire.errors import HmdiffError

from ..diffusion.schedule import Prediction
from .config import SPEEDS, HMDiffConfig

PREFIX = "variant_"


@dataclass(frozen=True)
class Variant:
    """what: one sentence for people; change: the default's configuration -> the variant's. Only the denoiser and the
    features it attends to are trained anew; regressor, spread and MLP are the default's.
    """

    name: str
    what: str
    change: Callable[[HMDiffConfig], HMDiffConfig]


def _stacked(config: HMDiffConfig) -> HMDiffConfig:
    layers = config.denoiser.layers * SPEEDS["default"].steps
    return replace(config, process="direct", denoiser=replace(config.denoiser, layers=layers))


def _of_steps(steps: int) -> Callable[[HMDiffConfig], HMDiffConfig]:
    return lambda config: replace(config, schedule=replace(config.schedule, steps=steps))


def _of_layers(layers: int) -> Callable[[HMDiffConfig], HMDiffConfig]:
    return lambda config: replace(config, denoiser=replace(config.denoiser, layers=layers))


def _predicting(prediction: Prediction) -> Callable[[HMDiffConfig], HMDiffConfig]:
    return lambda config: replace(config, prediction=prediction)


VARIANTS = {
    one.name: one
    for one in (
        Variant("image", "the default itself, trained as long as the other variants", lambda config: config),
        Variant("pose", "features: U's heatmaps", lambda config: replace(config, features="pose")),
        Variant("both", "features: the picture's and U's heatmaps", lambda config: replace(config, features="both")),
        Variant("one_step", "Baseline A: one pass, no diffusion", lambda config: replace(config, process="direct")),
        Variant("stacked", "Baseline B: as many networks in a row as diffusion takes steps, no diffusion", _stacked),
        Variant("mask", "features: the mask alone, no heatmaps", lambda config: replace(config, features="mask")),
        Variant("epsilon", "g predicts the noise (the paper's target)", _predicting("epsilon")),
        Variant("v", "g predicts v", _predicting("v")),
        Variant("layers1", "g of one block", _of_layers(1)),
        Variant("layers4", "g of four blocks", _of_layers(4)),
        Variant("k50", "K = 50 diffusion steps in training", _of_steps(50)),
        Variant("k100", "K = 100 diffusion steps in training", _of_steps(100)),
        Variant("k400", "K = 400 diffusion steps in training", _of_steps(400)),
    )
}


def check_variant(name: str) -> Variant:
    """Errors: ``usage.variant``."""
    if name not in VARIANTS:
        known = "; ".join(f"{one.name} ({one.what})" for one in VARIANTS.values())
        raise HmdiffError("usage.variant", f"There is no variant called {name}.", f"Choose one of: {known}.")
    return VARIANTS[name]


def variant_file(folder: Path, name: str) -> Path:
    """Where a variant's packed weights lie in a folder."""
    return folder / f"{PREFIX}{name}.safetensors"


def find_variants(folder: Path) -> dict[str, Path]:
    """name -> packed weights of the variants that were trained into folder."""
    return {name: file for name in VARIANTS if (file := variant_file(folder, name)).is_file()}
