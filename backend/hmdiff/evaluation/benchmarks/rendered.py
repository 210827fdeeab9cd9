"""Rendered people of held-out subjects, shapes, clothes and backgrounds, as the real detector saw them."""

from __future__ import annotations

import time

import numpy as np

from ...models.observe import inputs_from_observations
from ..people import Bench, Clips, run_people
from ..score import finite
from ..settings import EvalSettings, OnProgress, Result
from ..sources.rendered import RenderedSet, rendered_set
from ..studio import Studio

CLIP_FRAMES = 160
"""So many frames of clips where not all people are measured."""


def run(settings: EvalSettings, on_progress: OnProgress) -> Result:
    """Errors: ``eval.no_data``, ``eval.damaged`` and those of ``run_people``."""

    def make(studio: Studio, wanted: int | None) -> Bench:
        found = rendered_set(studio.base, wanted, which="people")
        frames = None if wanted is None else min(CLIP_FRAMES, max(wanted, 1))
        moving = rendered_set(studio.base, frames, which="clips")
        single = found.counts["single_pictures"]
        counted = single["count_found"] + single["count_missed"]
        return Bench(
            "rendered", found.examples, np.arange(len(found)),
            facts={
                "people_who_count": counted,
                "people_missed": single["count_missed"],
                "missed_share": finite(single["count_missed"] / counted),
                "false_detections": single["false_detections"],
                "counts_if": found.packed.card.get("counts_if"),
                "ms_of_inputs_per_person": _time_of_inputs(found),
            },
            notes=(
                "people the detector missed are in no figure but people_missed, which is of the whole benchmark",
                "detector_3d is the real detector's; the focal length told is the picture's diagonal, as without "
                "--focal",
            ),
            clips=Clips(moving.examples, moving.sequences(), moving.person),
        )  # fmt: skip

    return run_people(settings, make, on_progress)


def _time_of_inputs(found: RenderedSet, count: int = 16) -> float | None:
    """From what the detector says to what the networks see, ms."""
    seen = found.observations(range(min(count, len(found))))
    focal = found.told_focal[: len(seen)].tolist()
    started = time.perf_counter()
    inputs_from_observations(seen, focal, (0.0, 0.0))
    return finite(1000 * (time.perf_counter() - started) / len(seen), 2)
