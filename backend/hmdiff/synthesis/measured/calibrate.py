"""Last steps of the fit, by drawing and looking: what the parts leave over when they are put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...detect.observation import LIMB_SLOTS
from .covariates import LEFT, RIGHT
from .outcome import Outcome, drawn_outcome
from .prepare import LOST, Rows
from .swaps import ALL, ARMS_ONLY, LEGS_ONLY, permutations, recognise
from .tables import TIMED, WORLD_MAPS, NoiseTables
from .timing import LAGS, correlations, course, fit_course
from .world import which_map

PaError = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float64]]
ROUNDS = 6
REPEATS = 4
_LIMBS = list(LIMB_SLOTS)
_FEWEST = 40
CHAINS = ((11, 13), (13, 15), (12, 14), (14, 16), (23, 25), (25, 27), (24, 26), (26, 28), (15, 19), (16, 20), (27, 31))
"""Neighbours along the limbs."""


def standardised(marginals: Tensor, mean: Tensor, std: Tensor, scores: Tensor) -> Tensor:
    """Tables (COUNT,4,2,KNOTS) for scores (KNOTS,) that in each class and state have another mean and std (COUNT,4,2)
    than 0 and 1, so that the same values come out."""
    table = marginals.numpy()
    asked = ((scores[None, None, None] - mean[..., None]) / std[..., None]).numpy()
    flat = [
        np.interp(x, scores.numpy(), q)
        for x, q in zip(asked.reshape(-1, len(scores)), table.reshape(-1, len(scores)), strict=True)
    ]
    return torch.from_numpy(np.stack(flat).reshape(table.shape)).float()


def calibrate_world(
    tables: NoiseTables, seen: Outcome, rows: Rows, pa_error: PaError, generator: torch.Generator
) -> NoiseTables:
    """Scale the residual of each world map so that the drawn 3D errs as much as the detector's over the 12 limb
    landmarks, midway between equal PA and equal plain error: people whose mean reading is wrong also scatter, which
    independent parts do not know. rows: those of seen, others after them."""
    which = which_map(rows.view, rows.event, rows.lost)[: len(seen)]
    view, wanted = rows.view[: len(seen)], _limb_errors(seen, pa_error)
    for _ in range(ROUNDS):
        drawn = drawn_outcome(seen, tables, generator)
        assert drawn.event is not None and drawn.lost is not None
        kind, got = which_map(view, drawn.event, drawn.lost), _limb_errors(drawn, pa_error)
        scale = torch.ones(len(WORLD_MAPS))
        for index in range(len(WORLD_MAPS)):
            mine, theirs = which == index, kind == index
            if int(mine.sum()) >= _FEWEST and int(theirs.sum()) >= _FEWEST:
                ratio = (wanted[mine].mean(0) / got[theirs].mean(0)).prod() ** 0.6
                scale[index] = float(ratio.clamp(0.6, 1.4))
        # mirror images of each other stay so
        scale[LEFT] = scale[RIGHT] = (scale[LEFT] * scale[RIGHT]).sqrt()
        tables = replace(tables, world_mix=tables.world_mix * scale[:, None, None])
    return tables


def _limb_errors(outcome: Outcome, pa_error: PaError) -> Tensor:
    """(M,2): PA and plain error."""
    world, truth = outcome.world[:, _LIMBS], outcome.landmarks[:, _LIMBS]
    pa = torch.from_numpy(pa_error(world.numpy(), truth.numpy()))
    return torch.stack([pa, 1000 * (world - truth).norm(dim=-1).mean(1)], 1)


def calibrate_direction(tables: NoiseTables, seen: Outcome, generator: torch.Generator) -> NoiseTables:
    """Scale how far neighbours along the limbs err the same way: they are seldom of one size."""
    wanted = chain_cosine(seen)
    for _ in range(ROUNDS):
        ratio = wanted / max(chain_cosine(drawn_outcome(seen, tables, generator)), 0.01)
        shares = (tables.agreement[1] * float(np.clip(ratio, 0.5, 1.5))).clamp(0, 1)
        tables = replace(tables, agreement=torch.stack([tables.agreement[0], shares]))
    return tables


def calibrate_events(tables: NoiseTables, seen: Outcome, generator: torch.Generator) -> NoiseTables:
    """Raise the rates of exchanged sides until as many are recognised: large errors hide some of those drawn."""
    wanted = event_shares(seen)
    for _ in range(ROUNDS // 2):
        got = event_shares(drawn_outcome(seen, tables, generator))
        rates = tables.rates.clone()
        rates[2:, 0] += (wanted.clamp_min(1e-4) / got.clamp_min(1e-4)).log().clamp(-0.5, 0.5)
        tables = replace(tables, rates=rates)
    return tables


def event_shares(seen: Outcome) -> Tensor:
    """(3,) of all, legs, arms, among the readings of which each could be told, lost ones left out."""
    event, clear = recognise(seen.seen, seen.truth, torch.ones(len(seen)), seen.classes)
    error = seen.seen.gather(1, permutations()[event][..., None].expand(-1, -1, 2)) - seen.truth
    visible = torch.where(seen.classes < 2, error.norm(dim=-1), torch.nan)
    clear = clear & ~(visible.nanmedian(1).values > LOST)[:, None]
    told = ((ALL, 0), (LEGS_ONLY, 2), (ARMS_ONLY, 1))
    return torch.stack([(event[clear[:, group]] == kind).float().mean() for kind, group in told]).nan_to_num(0.0)


def chain_cosine(seen: Outcome) -> float:
    """Mean cosine between the errors of neighbours along limbs, lost readings left out."""
    visible = torch.where(seen.classes < 2, seen.error.norm(dim=-1), torch.nan)
    error = seen.error[~(visible.nanmedian(1).values > LOST)]
    one, two = torch.tensor(CHAINS).T
    return float(torch.nn.functional.cosine_similarity(error[:, one], error[:, two], dim=-1).mean())


def calibrate_time(
    tables: NoiseTables, seen: Outcome, masks: NDArray[np.uint8], generator: torch.Generator
) -> NoiseTables:
    """Change the courses in time until what is drawn for the same clips stays as long as what was measured."""
    moving = np.flatnonzero(seen.clip >= 0)
    if not len(moving):
        return tables
    clips, bits = seen[moving], masks[moving]
    wanted = courses_of(clips)
    aims = {name: course(*map(float, tables.time[TIMED.index(name)]), lags=np.array(LAGS)) for name in wanted}
    for _ in range(ROUNDS):
        drawn = [courses_of(drawn_outcome(clips, tables, generator, bits)) for _ in range(REPEATS)]
        time = tables.time.clone()
        for name, target in wanted.items():
            got = np.mean([one[name] for one in drawn], 0)
            change = np.nan_to_num(target - got)
            aims[name] = (aims[name] + change).clip(0, 0.995)
            time[TIMED.index(name)] = torch.tensor(fit_course(np.where(np.isfinite(target), aims[name], np.nan)))
        tables = replace(tables, time=time)
    return tables


def courses_of(seen: Outcome) -> dict[str, NDArray[np.float64]]:
    """Correlations at LAGS of what a reading shows, by the name of what in TIMED governs it most."""
    event, _ = recognise(seen.seen, seen.truth, torch.ones(len(seen)), seen.classes)
    order = permutations()[event]
    error = seen.seen.gather(1, order[..., None].expand(-1, -1, 2)) - seen.truth
    length = error.norm(dim=-1, keepdim=True).clamp_min(1e-4)
    shown = {
        "error": length[..., 0].log(), "confidence": seen.confidence.gather(1, order),
        "peak": seen.peak.gather(1, order), "width": seen.width.clamp_min(0.3).log(),
        "offset": seen.offset.clamp_min(1e-2).log(), "world direction": (seen.world - seen.landmarks).flatten(1),
        "eaten": seen.mask[:, :1].clamp_min(2e-3).log(), "added": seen.mask[:, 1:].clamp_min(2e-3).log(),
    }  # fmt: skip
    found = {name: correlations(value - value.nanmean(0), seen.clip, seen.frame) for name, value in shown.items()}
    found["direction"] = correlations((error / length).flatten(1), seen.clip, seen.frame)
    return found
