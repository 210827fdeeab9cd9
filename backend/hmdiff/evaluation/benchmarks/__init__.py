"""The benchmarks by name. Each is a module with ``run(settings, on_progress) -> Result``."""

from __future__ import annotations

import importlib

from hmdiff_wire.errors import HmdiffError

from ..settings import EvalSettings, OnProgress, Result

BENCHMARKS = {
    "synthetic": "people in poses of held-out mocap subjects, seen through the detector's noise model",
    "rendered": "rendered people of held-out subjects, clothes and backgrounds, as the real detector saw them",
    "samples": "real footage: two calibrated cameras with 3D truth, photos with 2D truth",
    "demo": "the clip that ships with the repository, rendered with exact truth",
}


def check_name(name: str) -> str:
    """Errors: ``eval.unknown``."""
    if name not in BENCHMARKS:
        known = "; ".join(f"{key} ({what})" for key, what in BENCHMARKS.items())
        raise HmdiffError("eval.unknown", f"There is no benchmark called {name}.", f"Choose one of: {known}.")
    return name


def run_benchmark(name: str, settings: EvalSettings, on_progress: OnProgress) -> Result:
    """Errors: ``eval.unknown``, ``eval.no_data`` and those of the run itself."""
    return importlib.import_module(f"{__name__}.{check_name(name)}").run(settings, on_progress)
