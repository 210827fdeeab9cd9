"""From the table to the noise model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...models.inputs import GRID
from .calibrate import PaError, calibrate_direction, calibrate_events, calibrate_time, calibrate_world, standardised
from .draw import logarithmic, middle_error
from .fit_errors import FEW, SHRINK, fit_bias, fit_direction, fit_inwards, fit_stretch, nearest_correlation
from .fit_masks import NAMES, fit_masks, unpack
from .gather import Table
from .logistic import fit_logistic
from .masks import FIELD
from .outcome import measured_outcome
from .prepare import Rows, prepare
from .scores import SCORES, fit_marginals, look_up, scores_of, tabulate
from .swaps import ALL, ARMS_ONLY, LEGS_ONLY
from .tables import REACH, TIMED, NoiseTables
from .timing import correlations, event_correlations, fit_course
from .variables import COUNT, PLACES, SLOTS
from .world import WHITE, WorldFit, fit_world

ROUNDS = 4


@dataclass(frozen=True)
class Fit:
    """The model and the figures met on the way."""

    tables: NoiseTables
    figures: dict[str, Any]


def fit(table: Table, pa_error: PaError, meta: dict[str, Any] | None = None, seed: int = 0) -> Fit:
    """Everything. pa_error: as in ``statistics``; seed: of the simulations that set up what cannot be read off."""
    generator = torch.Generator().manual_seed(seed)
    rows = prepare(table)
    inwards = fit_inwards(rows)
    bias = fit_bias(rows, inwards)
    rest = rows.error - middle_error(bias, inwards, rows.view, rows.classes, rows.lost, rows.beyond)
    world = fit_world(rows)
    values = rows.values.clone()
    values[:, PLACES["error"]] = rest.norm(dim=-1)
    values[:, PLACES["world"]] = world.size[:, None]
    values = tabulate(values)
    marginals = fit_marginals(values, rows.classes, rows.lost)
    scores = scores_of(values, rows.classes, rows.lost, marginals)
    cov_mean, cov_std = rows.cov.mean(0), rows.cov.std(0).clamp_min(1e-3)
    row = torch.cat([torch.ones(len(rows), 1), (rows.cov - cov_mean) / cov_std], 1)
    trend, left, residual = fit_trend(row, scores)
    marginals = standardised(marginals, *score_levels(row, rows, trend, left), torch.from_numpy(SCORES).float())
    matrix = fit_correlation(values, rows, row, trend, left, residual, marginals, generator)
    direction, agreement = fit_direction(rest[~rows.lost])
    mask_places = [PLACES[name].start for name in NAMES]
    masks = fit_masks(table, marginals, matrix[mask_places][:, mask_places], seed)
    time, courses = fit_time(table, rows, residual, rest / rest.norm(dim=-1, keepdim=True).clamp_min(1e-9), world)
    tables = NoiseTables(
        marginals=masks.marginals, cov_mean=cov_mean, cov_std=cov_std, trend=trend, left=left,
        mix=torch.linalg.cholesky(matrix), bias=bias, inwards=inwards, direction=direction, agreement=agreement,
        stretch=fit_stretch(rest[~rows.lost]),
        world_map=world.maps, world_mix=world.mixes, rates=_rates(table, rows, row, cov_mean, cov_std),
        pull=rows.pull.nanmean().nan_to_num(0.0), mask_axes=masks.axes, mask_table=masks.table, soft_table=masks.soft,
        time=time, fps=torch.tensor(table.fps if np.isfinite(table.fps) else 30.0), meta=meta or {},
    )  # fmt: skip
    seen = measured_outcome(table)
    tables = calibrate_direction(tables, seen, generator)
    tables = calibrate_events(tables, seen, generator)
    tables = calibrate_world(tables, seen, rows, pa_error, generator)
    tables = calibrate_time(tables, seen, table.readings.drawn, generator)
    trends = {name: [round(float(v), 3) for v in trend[place, 1:].mean(0)] for name, place in PLACES.items()}
    return Fit(tables, {"world_maps": world.figures, "residual_correlation_by_lag": courses, "trend": trends})


def fit_trend(row: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """row (M,8), scores (M,COUNT) with NaN -> trend (COUNT,8), left (COUNT,) and residuals of unit variance
    (M,COUNT)."""
    trend, residual = torch.zeros(COUNT, row.shape[1]), torch.full_like(scores, torch.nan)
    left = torch.ones(COUNT)
    unit = 5.0 * torch.eye(row.shape[1])
    unit[0, 0] = 0.1
    for k in range(COUNT):
        known = torch.isfinite(scores[:, k])
        if int(known.sum()) < 5 * row.shape[1]:
            residual[known, k] = scores[known, k]
            continue
        x, y = row[known], scores[known, k]
        trend[k] = torch.linalg.solve(x.T @ x + unit, x.T @ y)
        rest = y - x @ trend[k]
        left[k] = rest.std().clamp(0.2, 1.2)
        residual[known, k] = rest / left[k]
    return trend, left, residual


def score_levels(row: Tensor, rows: Rows, trend: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (COUNT,4,2) of the scores that will be drawn, by class and state: a landmark behind
    others belongs to people with much behind others, whose scores are higher throughout."""
    level = row @ trend.T
    mean, std = torch.zeros(COUNT, 4, 2), torch.ones(COUNT, 4, 2)
    slots = torch.tensor(SLOTS)
    kind = torch.where(slots >= 0, rows.classes[:, slots.clamp_min(0)], 0)
    for k in range(4):
        for state in range(2):
            member = ((kind == k) & (rows.lost == bool(state))[:, None]).float()
            count = member.sum(0)
            middle = (member * level).sum(0) / count.clamp_min(1)
            spread = (member * (level - middle) ** 2).sum(0) / count.clamp_min(1)
            trust = count / (count + FEW)
            mean[:, k, state] = trust * middle
            std[:, k, state] = (trust * spread + left**2).sqrt()
    return mean, std


def correlation(values: Tensor) -> tuple[Tensor, Tensor]:
    """values (M,K) with NaN -> (K,K) over the pairs that are known, and their number."""
    known = torch.isfinite(values).double()
    value = torch.where(torch.isfinite(values), values - values.nanmean(0), 0).double()
    power = ((value**2).T @ known) * (known.T @ value**2)
    return (value.T @ value) / power.sqrt().clamp_min(1e-9), known.T @ known


def fit_correlation(
    values: Tensor, rows: Rows, row: Tensor, trend: Tensor, left: Tensor, residual: Tensor, marginals: Tensor,
    generator: torch.Generator,
) -> Tensor:  # fmt: skip
    """(COUNT,COUNT) of the normal scores, such that the values that come out correlate as those measured do. The
    scores' own correlations are too weak for that: large errors come together more often than normal scores know how
    to."""
    wanted, met = correlation(values)
    trust = met / (met + FEW) * (1 - SHRINK)
    start = correlation(residual)[0] * trust
    start.fill_diagonal_(1.0)
    matrix = nearest_correlation(start)
    for _ in range(ROUNDS):
        white = torch.randn(len(row), COUNT, generator=generator) @ torch.linalg.cholesky(matrix).float().T
        drawn = look_up(
            (row @ trend.T + left * white).clamp(-REACH, REACH), rows.classes, rows.lost, marginals, logarithmic("cpu")
        )
        drawn = torch.where(torch.isfinite(values), tabulate(drawn), torch.nan)
        matrix = (matrix + 0.8 * trust * (wanted - correlation(drawn)[0])).clamp(-0.98, 0.98)
        matrix.fill_diagonal_(1.0)
        matrix = nearest_correlation(matrix)
    return matrix.float()


def _rates(table: Table, rows: Rows, row: Tensor, cov_mean: Tensor, cov_std: Tensor) -> Tensor:
    """(5,8); exchanged sides are judged where they could be seen."""
    cov = (torch.from_numpy(table.everybody.cov) - cov_mean) / cov_std
    everybody = torch.cat([torch.ones(len(cov), 1), cov], 1)
    weights = [fit_logistic(everybody, torch.from_numpy(~table.everybody.found)), fit_logistic(row, rows.lost)]
    for event, judged in ((ALL, 0), (LEGS_ONLY, 2), (ARMS_ONLY, 1)):
        chosen = rows.clear[:, judged] & ~rows.lost
        weights.append(fit_logistic(row[chosen], rows.event[chosen] == event))
    return torch.stack(weights)


def fit_time(table: Table, rows: Rows, residual: Tensor, way: Tensor, world: WorldFit) -> tuple[Tensor, dict[str, Any]]:
    """(len(TIMED),4) and the correlations by lag. From readings that are not mirrored."""
    own = (~rows.mirrored).numpy()
    people = rows.person.numpy()[own]
    clip, frame = table.everybody.clip[people], table.everybody.frame[people]
    time, figures = torch.zeros(len(TIMED), 4), {}
    hidden: dict[str, NDArray[np.bool_]] = {"lost": rows.lost.numpy()[own], "swap": (rows.event != 0).numpy()[own]}
    for k, name in enumerate(TIMED):
        if name in PLACES:
            known = correlations(residual[own, PLACES[name]], clip, frame)
        elif name == "direction":
            known = correlations(way[own].reshape(-1, 66), clip, frame)
        elif name == "world direction":
            known = correlations(world.white[own, -WHITE:], clip, frame)
        elif name == "field":
            known = _mask_correlations(table, clip, frame)
        elif name == "missed":
            known = event_correlations(~table.everybody.found, table.everybody.clip, table.everybody.frame)
        else:
            known = event_correlations(hidden[name], clip, frame)
        time[k] = torch.tensor(fit_course(known))
        figures[name] = [None if np.isnan(v) else round(float(v), 3) for v in known]
    return time, figures


def _mask_correlations(table: Table, clip: NDArray[np.int64], frame: NDArray[np.int64]) -> NDArray[np.float64]:
    """Correlation by lag of where masks are wrong, over pieces of the crop as large as the wave's."""
    read = table.readings
    moving = np.flatnonzero(clip >= 0)
    wrong = torch.zeros(len(clip), FIELD * FIELD)
    if len(moving):
        off = unpack(read.read[moving]) - unpack(read.drawn[moving])
        wrong[torch.from_numpy(moving)] = torch.nn.functional.avg_pool2d(off[:, None], GRID // FIELD).flatten(1)
    return correlations(wrong - wrong.mean(0), clip, frame)
