"""What every benchmark is told, and where the data beside the checkout lies."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError

REPO = Path(__file__).resolve().parents[3]
SHARED_VARIABLE = "HMDIFF_SHARED"

OnProgress = Callable[[str, int, int], None]
"""Hears (what is being measured, done, total)."""
Result = dict[str, Any]
"""JSON-ready; see ``report``."""


@dataclass(frozen=True)
class EvalSettings:
    """preset, hypotheses, steps, seed, device as in ``RunOptions``; limit: only so many examples (people, frames per
    video, photos); shared: the folder with ``data`` and ``samples``; methods: names, or ``default`` or ``all``;
    sweeps: names; weights: a folder of trained weights to measure instead of those shipped.
    """

    preset: str = "default"
    hypotheses: int | None = None
    steps: int | None = None
    seed: int = 0
    device: str = "auto"
    limit: int | None = None
    shared: Path = REPO.parent / "shared"
    methods: tuple[str, ...] = ("default",)
    sweeps: tuple[str, ...] = ()
    weights: Path | None = None


def shared_folder() -> Path:
    """``HMDIFF_SHARED`` where it is set, else the folder ``shared`` beside the checkout."""
    named = os.environ.get(SHARED_VARIABLE)
    return Path(named) if named else REPO.parent / "shared"


def must_have(path: Path, what: str) -> Path:
    """path, if it exists. Errors: ``eval.no_data``."""
    if not path.exists():
        raise HmdiffError(
            "eval.no_data", f"This benchmark needs {what}, which is not at {path}.",
            f"Put the folder `shared` beside the checkout, or name it in the environment variable {SHARED_VARIABLE}.",
        )  # fmt: skip
    return path


def mocap_bundle(shared: Path) -> Path:
    """Errors: ``eval.no_data``."""
    return must_have(shared / "data" / "mocap_cmu_poses.npz", "the motion capture poses")


def footage_only(settings: EvalSettings, name: str) -> None:
    """Refuse what only people with exact meshes can answer. Errors: ``usage``."""
    if settings.methods != ("default",) or settings.sweeps or settings.weights:
        raise HmdiffError(
            "usage", f"{name} runs the whole program on footage; --methods, --sweep and --weights are not for it.",
            "Leave them out, or measure `rendered` or `synthetic`.",
        )  # fmt: skip
