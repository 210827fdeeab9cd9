"""Any list of methods over the same people, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from .examples import Examples
from .figures import Measured, Ruler, measure_outcome
from .methods import DETAILED, Method
from .score import Errors
from .settings import OnProgress
from .studio import Draws, Studio

BATCH = 32
PENETRATION_PEOPLE = 32
"""Self-penetration takes longer than everything else: for so many people only."""


@dataclass(frozen=True)
class Job:
    """A method on the first ``people``."""

    method: Method
    people: int


@dataclass
class Findings:
    """Of one method over its F people. figures: name -> (F,), joints, spread (F,14) mm; seconds: in all, by stage."""

    parts: list[Measured] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    people: int = 0

    @property
    def figures(self) -> Errors:
        """A figure that only some batches have is nan in the others."""
        names = {name: None for part in self.parts for name in part.figures}
        return {
            name: np.concatenate([part.figures.get(name, np.full(len(part.joints), np.nan)) for part in self.parts])
            for name in names
        }

    @property
    def joints(self) -> NDArray[np.float64]:
        return np.concatenate([part.joints for part in self.parts])

    @property
    def spread(self) -> NDArray[np.float64]:
        return np.concatenate([part.spread for part in self.parts])


def measure(
    studio: Studio, people: Examples, keys: NDArray[np.int64], jobs: Sequence[Job], on_progress: OnProgress
) -> dict[str, Findings]:
    """Name of method -> what was found. keys (B,) choose each person's noise. on_progress hears the method that is
    running, and how much of all work is done and to be done, in denoiser passes.
    """
    ruler = Ruler.of(studio.base)
    found = {job.method.name: Findings() for job in jobs}
    total = sum(_cost(studio, job) * min(job.people, len(people)) for job in jobs)
    done = 0.0
    for rows in _batches(max(job.people for job in jobs), len(people)):
        some, first = people[rows], rows.start
        draws = Draws(studio, some, torch.from_numpy(keys[rows]))
        for job in jobs:
            count = min(len(some), job.people - first)
            if count <= 0:
                continue
            on_progress(job.method.name, int(done), int(total))
            one = found[job.method.name]
            _measure_batch(ruler, draws, job.method, some, count, one, first < PENETRATION_PEOPLE)
            done += _cost(studio, job) * count
    on_progress(jobs[-1].method.name, int(total), int(total))
    return found


def _batches(wanted: int, there: int) -> Iterator[slice]:
    count = min(wanted, there)
    for first in range(0, count, BATCH):
        yield slice(first, min(first + BATCH, count))


def _cost(studio: Studio, job: Job) -> float:
    return job.method.cost(studio.sampler)


def _measure_batch(
    ruler: Ruler, draws: Draws, method: Method, people: Examples, count: int, into: Findings, penetration: bool
) -> None:
    detailed = method.name in DETAILED
    outcome = method.run(draws)
    measured = measure_outcome(ruler, outcome, people, detailed=detailed, penetration=penetration and detailed)
    figures = {name: values[:count] for name, values in measured.figures.items()}
    into.parts.append(Measured(figures, measured.joints[:count], measured.spread[:count]))
    into.people += count
    for stage, seconds in outcome.seconds.items():
        into.seconds[stage] = into.seconds.get(stage, 0.0) + seconds * count / len(people)
