"""A benchmark of people with exact meshes, whichever source they are from: plan, measure, result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from . import metrics
from .examples import Examples
from .figures import ALIGNMENT, OCCLUDED_BELOW, Ruler, occluded, truth_figures
from .measure import BATCH, PENETRATION_PEOPLE, Findings, Job, measure
from .methods import METHODS, Method, choose_methods, missing
from .over_time import OVER_TIME, joints_over_time
from .predict import LIMB_HIPS, LIMB_JOINTS
from .report import weights_facts
from .score import acceleration, finite, summary
from .settings import EvalSettings, OnProgress, Result
from .studio import Draws, Studio, open_studio
from .sweeps import Sweep, choose_sweeps
from .tables import method_block

METHODS_PEOPLE, SWEEP_PEOPLE = 120, 20
"""So many people where nothing else is asked for: all methods, and each point of a sweep. The usual methods see all."""
CLIP_METHODS = ("default", "no_dat", "regressor", "detector_3d", "mean_pose")


@dataclass(frozen=True, eq=False)
class Clips:
    """Consecutive frames. sequences: rows of each person in the order of time; keys (B,) as in Bench."""

    examples: Examples
    sequences: Sequence[NDArray[np.int64]]
    keys: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bench:
    """examples: independent people; keys (B,) choose each one's noise; facts and notes go into the result."""

    name: str
    examples: Examples
    keys: NDArray[np.int64]
    facts: Result = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    clips: Clips | None = None


MakeBench = Callable[[Studio, int | None], Bench]
"""Makes a benchmark of at most so many people."""


def people_wanted(settings: EvalSettings) -> int | None:
    """How many of the bench's people the run needs; None for all."""
    if settings.limit is not None:
        return settings.limit
    return None if settings.methods == ("default",) and not settings.sweeps else METHODS_PEOPLE


def run_people(settings: EvalSettings, make: MakeBench, on_progress: OnProgress) -> Result:
    """Errors: ``usage.method``, ``usage.sweep``, ``eval.no_data``, those of the weights and the device."""
    methods, sweeps = choose_methods(settings.methods), choose_sweeps(settings.sweeps)
    studio = open_studio(settings)
    ready, not_run = _split(methods, studio)
    points = {sweep.name: _split(_with_reference(sweep), studio) for sweep in sweeps}
    for sweep in sweeps:
        lacking = points[sweep.name][1]
        not_run |= {f"{sweep.name}: {one.name}": lacking[one.name] for one in sweep.points if one.name in lacking}
    on_progress("making the people", 0, 0)
    bench = make(studio, people_wanted(settings))
    people = bench.examples
    jobs = {one.name: Job(one, len(people)) for one in ready}
    swept = min(len(people), SWEEP_PEOPLE)
    for some, _ in points.values():
        jobs |= {one.name: Job(one, swept) for one in some if one.name not in jobs}
    started = time.perf_counter()
    found = measure(studio, people, bench.keys, list(jobs.values()), on_progress)
    ruler = Ruler.of(studio.base)
    few = people[slice(0, PENETRATION_PEOPLE)]
    return {
        "benchmark": bench.name,
        "command": command_of(bench.name, settings),
        "methods": {one.name: method_block(one, found, people, studio) for one in ready},
        "sweeps": {
            sweep.name: _sweep_block(sweep, points[sweep.name][0], found, people, studio) for sweep in sweeps
        },
        **({} if bench.clips is None else {"clips": _clip_blocks(studio, bench.clips, ready, on_progress)}),
        "truth": summary(truth_figures(ruler, few), few.clip, studio.seed),
        "not_run": not_run,
        "n_people": len(people),
        "n_occluded": int(occluded(people).sum()),
        **bench.facts,
        **run_facts(studio),
        "seconds_measuring": finite(time.perf_counter() - started, 1),
        "notes": [*NOTES, *bench.notes],
    }  # fmt: skip


def command_of(name: str, settings: EvalSettings) -> str:
    """What to type for these figures."""
    usual = EvalSettings()
    words = ["hmdiff eval", name]
    for option, value, default in (
        ("--methods", ",".join(settings.methods), "default"),
        ("--sweep", ",".join(settings.sweeps), ""),
        ("--limit", settings.limit, None),
        ("--weights", settings.weights, None),
        ("--preset", settings.preset, usual.preset),
        ("--hypotheses", settings.hypotheses, None),
        ("--steps", settings.steps, None),
        ("--seed", settings.seed, usual.seed),
    ):
        words += [] if value == default else [f"{option} {value}"]
    return " ".join(words)


def run_facts(studio: Studio) -> Result:
    sampler, dat = studio.settings_of_base()
    return {
        "joints": "14 (LSP order; the skeleton's own joints)",
        "alignment": f"{ALIGNMENT.name}; {metrics.PROCRUSTES_NAME}",
        "limbs": f"{LIMB_JOINTS}; {LIMB_HIPS.name}; people for whom the detector has 3D",
        "interval": "95 %, bootstrap over people (over clips for frames of clips)",
        "n_hypotheses": sampler.hypotheses,
        "steps": sampler.steps,
        "dat": dat.mode,
        "seed": studio.seed,
        "device": str(studio.device),
        "threads": torch.get_num_threads(),
        "weights": weights_facts(studio.file, studio.base),
        "variants": {name: weights_facts(file, studio.model(name)) for name, file in studio.variants.items()},
    }


NOTES = (
    "every method sees the same people and, where it draws, the same noise; differences are person by person",
    "best: the least error among the hypotheses, each figure choosing its own; the estimate is not one of them",
    "limbs: the 12 landmarks that the detector has in 3D too, of people for whom it has",
    "error_2d_px, samples_2d_px: COCO's 17 that are to be seen, px of a 256 px crop at 1.25 times the detected "
    "landmarks; bodies placed by the detected landmarks with the focal length that the networks were told",
    "percin, mindist_px: COCO's 17 that are hidden inside the picture; the mask is all people",
    f"occluded: fewer than {OCCLUDED_BELOW} of the 12 limb landmarks are to be seen, be it the person's own body that "
    "hides them",
    "F-scores: after Procrustes over the surface; edges: mean difference of their lengths, nothing aligned",
    f"self-penetration, the truth's too: on the first {PENETRATION_PEOPLE} people",
    "mean_pose: its torso is turned onto the true one, which favours it",
)


def _split(methods: Sequence[Method], studio: Studio) -> tuple[list[Method], dict[str, str]]:
    lacking = {one.name: why for one in methods if (why := missing(one, studio))}
    return [one for one in methods if one.name not in lacking], lacking


def _with_reference(sweep: Sweep) -> list[Method]:
    references = {point.reference: METHODS[point.reference] for point in sweep.points}
    return [*references.values(), *sweep.points]


def _sweep_block(
    sweep: Sweep, points: Sequence[Method], found: dict[str, Findings], people: Examples, studio: Studio
) -> Result:
    own = [one for one in points if one in sweep.points]
    return {
        "title": sweep.title,
        "table": sweep.table,
        "points": {one.name: method_block(one, found, people, studio, full=False) for one in own},
    }


def _clip_blocks(studio: Studio, clips: Clips, methods: Sequence[Method], on_progress: OnProgress) -> Result:
    """Every frame by itself, with one noise for all frames of a person: errors, and how much the result shakes; and the
    regressor when it looks at the frames around.
    """
    chosen = [one for one in methods if one.name in CLIP_METHODS]
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    people, done = clips.examples, 0
    joints: dict[str, list[NDArray[np.float32]]] = {one.name: [] for one in chosen}
    for first in range(0, len(people), BATCH):
        rows = slice(first, min(first + BATCH, len(people)))
        draws = Draws(studio, people[rows], torch.from_numpy(clips.keys[rows]))
        for method in chosen:
            on_progress(f"clips, {method.name}", done, len(people) * len(chosen))
            outcome = method.run(draws)
            joints[method.name].append(outcome.limbs if outcome.meshes is None else outcome.meshes.joints)
            done += len(draws.keys)
    for name, parts in joints.items():
        found[name] = _clip_errors(np.concatenate(parts), clips)
    over_time = joints_over_time(studio.base, people.inputs, people.frame, clips.sequences)
    if over_time is not None:
        found[OVER_TIME] = _clip_errors(over_time, clips)
    blocks = {name: summary(errors, people.clip, studio.seed) for name, errors in found.items()}
    return {**blocks, "n_frames": len(people), "n_sequences": len(clips.sequences)}


def _clip_errors(joints: NDArray[np.float32], clips: Clips) -> dict[str, NDArray[np.float64]]:
    """joints (B,14,3) or, of the detector, the 12 limbs."""
    limbs = joints.shape[1] == clips.examples.truth.landmarks.shape[1]
    truth = clips.examples.truth.landmarks if limbs else clips.examples.truth.joints
    alignment = LIMB_HIPS if limbs else ALIGNMENT
    known = np.isfinite(joints).all((1, 2))
    filled = np.where(known[:, None, None], joints, 0.0)
    motion = np.full(len(joints), np.nan)
    for rows in clips.sequences:
        frames = clips.examples.frame[rows]
        errors = acceleration(filled[rows], truth[rows], alignment, known[rows])
        # where a frame is missing between two, no second difference is taken
        jump = np.diff(frames, prepend=frames[0] - 1) != 1
        motion[rows] = np.where(jump | np.roll(jump, -1), np.nan, errors)
    return {
        "mpjpe_mm": np.where(known, metrics.mpjpe(filled, truth, alignment), np.nan),
        "pa_mpjpe_mm": np.where(known, metrics.pa_mpjpe(filled, truth), np.nan),
        "acceleration_mm": motion,
    }
