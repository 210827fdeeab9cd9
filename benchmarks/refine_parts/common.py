"""What all parts share: HMDiff's estimates of the benchmarks' people, and tables on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from hmdiff.evaluation.refined import Starts, errors, make_starts
from hmdiff.evaluation.report import weights_facts
from hmdiff.evaluation.settings import EvalSettings, mocap_bundle, shared_folder
from hmdiff.evaluation.sources.rendered import rendered_set
from hmdiff.evaluation.sources.synthetic import synthetic_examples
from hmdiff.evaluation.studio import Studio, open_studio
from hmdiff.refine.refiner import Bodies, Refiner, make_refiner
from torch import Tensor


@dataclass(frozen=True)
class Setting:
    people: int

    @cached_property
    def studio(self) -> Studio:
        return open_studio(EvalSettings(shared=shared_folder()))

    @cached_property
    def score(self) -> Refiner:
        return make_refiner()

    @cached_property
    def smplify(self) -> Refiner:
        return make_refiner(method="smplify")

    @cached_property
    def starts(self) -> dict[str, Starts]:
        """``synthetic`` and ``rendered``."""
        studio = self.studio
        rendered = rendered_set(studio.base, self.people, which="people").examples
        synthetic = synthetic_examples(studio.base, mocap_bundle(shared_folder()), self.people)
        return {
            name: make_starts(studio, people, np.arange(len(people)))
            for name, people in (("synthetic", synthetic), ("rendered", rendered))
        }

    def facts(self) -> dict[str, Any]:
        score = self.score.denoiser
        return {
            "people": self.people, "threads": torch.get_num_threads(),
            "weights": weights_facts(self.studio.file, self.studio.base),
            "score_parameters": 0 if score is None else sum(one.numel() for one in score.parameters()),
        }  # fmt: skip

    def pa(self, pose: Tensor, betas: Tensor, truth: np.ndarray) -> np.ndarray:
        return errors(self.studio.base, pose, betas, truth)["pa"]


def open_setting(people: int) -> Setting:
    return Setting(people)


def some(bodies: Bodies, rows: Sequence[int] | Tensor | slice) -> Bodies:
    """Some of the rows."""
    at = rows if isinstance(rows, slice | Tensor) else torch.tensor(list(rows), dtype=torch.long)
    return replace(bodies, **{name: one[at] for name, one in vars(bodies).items() if isinstance(one, Tensor)})


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("| --- " + "| ---: " * (len(head) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(f"{one:.1f}" if isinstance(one, float) else str(one) for one in row) + " |", flush=True)


def change(after: np.ndarray, before: np.ndarray) -> float:
    """Of the means, percent."""
    return float(100 * (after.mean() / before.mean() - 1))
