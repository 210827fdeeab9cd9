"""The models of one run, and what they draw for one batch of people."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from hmdiff_wire.errors import HmdiffError
from torch import Tensor

from ..diffusion.dat import DATConfig
from ..models.config import SamplerConfig
from ..models.hmdiff import MeshSamples
from ..models.ranking import rank_scores
from ..models.variants import find_variants
from ..models.weights import LoadedModel, load_model, pick_device, weights_path
from ..video.estimate import speed
from ..video.warm import Shelf
from .examples import Examples
from .predict import Array
from .settings import EvalSettings

LINEAR = "linear"
"""The base model with a denoiser that adds nothing to the linear estimate under it."""
KEPT_DRAWS = 2


@dataclass(frozen=True)
class Recipe:
    """weights: the base model (""), LINEAR or a trained variant; sampler, dat: what differs from the run's settings."""

    weights: str = ""
    sampler: Mapping[str, Any] = field(default_factory=dict)
    dat: Mapping[str, Any] = field(default_factory=dict)

    def key(self) -> tuple[str, tuple[tuple[str, Any], ...], tuple[tuple[str, Any], ...]]:
        return self.weights, tuple(sorted(self.sampler.items())), tuple(sorted(self.dat.items()))


@dataclass(frozen=True, eq=False)
class Studio:
    """base: the weights that are measured, from ``file``; variants: files of trained variants; sampler: the run's."""

    base: LoadedModel
    file: Path
    variants: dict[str, Path]
    sampler: SamplerConfig
    seed: int
    device: torch.device
    _models: dict[str, LoadedModel] = field(default_factory=dict)

    def model(self, weights: str) -> LoadedModel:
        """The base model, or another by name, read when it is first asked for."""
        if not weights:
            return self.base
        if weights not in self._models:
            made = _without_network(self.base) if weights == LINEAR else None
            self._models[weights] = made or load_model(device=self.device, path=self.variants[weights])
        return self._models[weights]

    def settings_of_base(self) -> tuple[SamplerConfig, DATConfig]:
        return self.settings(Recipe())

    def settings(self, recipe: Recipe) -> tuple[SamplerConfig, DATConfig]:
        config = self.model(recipe.weights).model.config
        return replace(self.sampler, **recipe.sampler), replace(config.dat, **recipe.dat)


def open_studio(settings: EvalSettings) -> Studio:
    """The weights in settings.weights where that folder has them, else those shipped. Errors: those of the weights and
    the device.
    """
    preset = "paper" if settings.preset == "paper" else "default"
    shipped = weights_path(preset)
    own = settings.weights / shipped.name if settings.weights else shipped
    file = own if own.is_file() else shipped
    variants = find_variants(settings.weights) if settings.weights else {}
    if settings.weights and not own.is_file() and not variants:
        raise HmdiffError(
            "weights.missing", f"There are no trained weights in {settings.weights}.",
            "Name the folder that `hmdiff train` was given as --out, or leave --weights out.",
        )  # fmt: skip
    device = pick_device(settings.device)
    base = load_model(preset, device, file)
    sampler = base.model.config.sampler if preset == "paper" else speed(settings.preset)
    wanted = {"hypotheses": settings.hypotheses, "steps": settings.steps}
    sampler = replace(sampler, **{name: value for name, value in wanted.items() if value is not None})
    return Studio(base, file, variants, sampler, settings.seed, device)


class Draws:
    """One batch: the people, their noise (by key), and what was drawn lately, so that methods share it."""

    def __init__(self, studio: Studio, people: Examples, keys: Tensor) -> None:
        self.studio, self.people, self.keys = studio, people, keys
        self._inputs = people.inputs.to(studio.device)
        self._drawn = Shelf(KEPT_DRAWS)

    def samples(self, recipe: Recipe) -> tuple[MeshSamples, dict[str, float]]:
        """Algorithm 1 by a recipe, and the seconds of its stages (``SAMPLE_STAGES``)."""
        return self._drawn.get(recipe.key(), lambda: self._draw(recipe))

    def ranking(self, samples: MeshSamples) -> tuple[Array, float]:
        """(B,N) scores of the hypotheses, higher is better, and the seconds that took."""
        started = time.perf_counter()
        scores = rank_scores(self.studio.base, self._inputs, samples).cpu().numpy()
        return scores, time.perf_counter() - started

    def _draw(self, recipe: Recipe) -> tuple[MeshSamples, dict[str, float]]:
        studio = self.studio
        model = studio.model(recipe.weights).model
        sampler, dat = studio.settings(recipe)
        seconds: dict[str, float] = {}
        last = time.perf_counter()

        def on_stage(name: str) -> None:
            nonlocal last
            if studio.device.type == "cuda":
                torch.cuda.synchronize()
            now = time.perf_counter()
            seconds[name], last = now - last, now

        return model.sample(self._inputs, self.keys, studio.seed, sampler, dat, on_stage), seconds


def _without_network(loaded: LoadedModel) -> LoadedModel:
    model = copy.deepcopy(loaded.model)
    torch.nn.init.zeros_(model.denoiser.exit.weight)
    torch.nn.init.zeros_(model.denoiser.exit.bias)
    return replace(loaded, model=model)
