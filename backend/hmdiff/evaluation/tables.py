"""What was found as a result: means with intervals, person by person against a reference, by joint, by visibility."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bodies.joint_maps import J14_NAMES
from ..models.evidence import J14_SLOTS
from . import metrics
from .examples import Examples
from .figures import HAS_SLOT, occluded
from .measure import Findings
from .methods import Method
from .score import Errors, difference, finite, summary
from .settings import Result
from .studio import Studio

MAIN = ("mpve_mm", "mpjpe_mm", "pa_mpjpe_mm", "pa_mpve_mm", "limbs_pa_mpjpe_mm", "error_2d_px")
SWEPT = (*MAIN, "best_mpjpe_mm", "best_pa_mpjpe_mm", "energy_mm", "coverage_50", "coverage_90", "active_steps")
COMPARED = (*MAIN, "limbs_mpjpe_mm", "best_mpve_mm", "best_mpjpe_mm", "best_pa_mpjpe_mm", "samples_2d_px", "energy_mm")


def method_block(
    method: Method, found: Mapping[str, Findings], people: Examples, studio: Studio, *, full: bool = True
) -> Result:
    """One method's entry. full: all figures, and also by joint and by visibility."""
    mine = found[method.name]
    figures, count = mine.figures, mine.people
    if not full:
        figures = {name: values for name, values in figures.items() if name in SWEPT}
    some = people[slice(0, count)]
    block: Result = {
        "what": method.what,
        **({"table": method.table} if method.table else {}),
        "n_people": count,
        **summary(figures, some.clip, studio.seed),
        "measured_on": _measured_on(figures, count),
    }  # fmt: skip
    if method.recipe is not None:
        block["settings"] = settings_of(method, studio)
        if block["settings"]["hypotheses"] > 1:
            block["calibrated"] = _calibrated(block["settings"]["hypotheses"])
    if mine.seconds:
        block["ms_per_person"] = {stage: finite(1000 * value / count, 2) for stage, value in mine.seconds.items()}
    reference = found.get(method.reference)
    if reference is not None and reference is not mine:
        block["against"] = method.reference
        block["difference"] = _difference(figures, reference.figures, some.clip, count, studio.seed)
    if full:
        block["visible"], block["occluded"] = _by_visibility(figures, some, studio.seed)
        if np.isfinite(mine.joints).any():
            block["per_joint_mm"] = _per_joint(mine.joints, some)
        if np.isfinite(mine.spread).any():
            block["per_joint_spread_mm"] = _per_joint(mine.spread, some)
    return block


def _measured_on(figures: Errors, count: int) -> dict[str, int]:
    """How many people have a figure that not all have."""
    known = {name: int((~np.isnan(values)).sum()) for name, values in figures.items()}
    return {name: number for name, number in known.items() if number < count}


def settings_of(method: Method, studio: Studio) -> Result:
    assert method.recipe is not None
    sampler, dat = studio.settings(method.recipe)
    weights = method.recipe.weights or "base"
    if studio.model(method.recipe.weights).model.config.process == "direct":
        return {"weights": weights, "steps": 1, "hypotheses": 1, "dat": "none"}
    return {
        "weights": weights,
        "steps": sampler.steps,
        "hypotheses": sampler.hypotheses,
        "init": sampler.init,
        "dat": dat.mode,
        **({"r": dat.threshold if dat.activation else 0.0} if dat.mode != "none" else {}),
    }


def _calibrated(n: int) -> Result:
    """What ``coverage`` would be were the hypotheses an honest distribution."""
    return {f"coverage_{100 * level:.0f}": finite(metrics.nominal_coverage(n, level)) for level in metrics.REGIONS}


def _difference(mine: Errors, other: Errors, groups: NDArray[Any], count: int, seed: int) -> Result:
    """On the people both were measured on, which are the first ones."""
    chosen = {name: mine[name] for name in COMPARED if name in mine}
    return difference(chosen, {name: values[:count] for name, values in other.items()}, groups, seed)


def _by_visibility(figures: Errors, people: Examples, seed: int) -> tuple[Result, Result]:
    hidden = occluded(people)
    blocks = []
    for rows in (~hidden, hidden):
        chosen = {name: figures[name][rows] for name in MAIN if name in figures}
        blocks.append({"n_people": int(rows.sum()), **(summary(chosen, people.clip[rows], seed) if rows.any() else {})})
    return blocks[0], blocks[1]


def _per_joint(joints: NDArray[np.float64], people: Examples) -> Result:
    """Mean of each joint's figure, of all and where its landmark is to be seen or not (neck and head have none)."""
    seen = people.visible[:, np.array(J14_SLOTS)]
    picks = {"all": np.ones_like(seen), "visible": seen & HAS_SLOT, "not_visible": ~seen & HAS_SLOT}
    return {
        name: {joint: finite(value, 1) for joint, value in metrics.joint_table(joints, J14_NAMES, rows).items()}
        for name, rows in picks.items()
    }
