"""Held-out mocap subjects as synthetic people: exact meshes, and a simulated detector in front of them."""

from __future__ import annotations

import numpy as np

from ..people import Bench, run_people
from ..settings import EvalSettings, OnProgress, Result, mocap_bundle
from ..sources.synthetic import synthetic_examples
from ..studio import Studio

N_PEOPLE = 512


def run(settings: EvalSettings, on_progress: OnProgress) -> Result:
    """Errors: ``eval.no_data`` and those of ``run_people``."""
    bundle = mocap_bundle(settings.shared)

    def make(studio: Studio, wanted: int | None) -> Bench:
        examples = synthetic_examples(
            studio.base, bundle, wanted or N_PEOPLE,
            on_progress=lambda done, total: on_progress("making the people", done, total),
        )  # fmt: skip
        notes = (
            "there is no picture: the detections are the noise model's, detector_3d included",
            "pictures are on the plane z = 1; people stand alone, so what hides a landmark is the person's own body",
        )
        return Bench("synthetic", examples, np.arange(len(examples)), notes=notes)

    return run_people(settings, make, on_progress)
