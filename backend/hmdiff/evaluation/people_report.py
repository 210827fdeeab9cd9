"""The result of a benchmark of people as Markdown: what to read first comes first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .settings import Result

NAMES = {
    "mpve_mm": "MPVE", "mpjpe_mm": "MPJPE", "pa_mpjpe_mm": "PA-MPJPE", "pa_mpve_mm": "PA-MPVPE",
    "limbs_mpjpe_mm": "MPJPE, 12 limbs", "limbs_pa_mpjpe_mm": "PA, 12 limbs", "error_2d_px": "2DKP px",
    "best_mpve_mm": "best MPVE", "best_mpjpe_mm": "best MPJPE", "best_pa_mpjpe_mm": "best PA",
    "samples_2d_px": "2DKP of samples px", "spread_visible_mm": "spread, visible", "spread_hidden_mm": "spread, hidden",
    "coverage_50": "50 % covers", "coverage_90": "90 % covers", "crps_mm": "CRPS", "energy_mm": "energy score",
    "percin": "PercIn %", "mindist_px": "MinDist px", "f_5": "F@5", "f_15": "F@15", "edge_mm": "edges",
    "penetration_percent": "self-penetration %", "acceleration_mm": "Accel. mm/frame²",
    "active_steps": "steps with DAT",
    "rank_correlation": "rank correlation", "over_oracle_mm": "above the best", "under_random_mm": "below a random one",
}  # fmt: skip
"""Lengths are in mm unless the name says otherwise."""
ERRORS = ("mpve_mm", "mpjpe_mm", "pa_mpjpe_mm", "pa_mpve_mm", "limbs_mpjpe_mm", "limbs_pa_mpjpe_mm", "error_2d_px")
COMPARED = ("mpve_mm", "mpjpe_mm", "pa_mpjpe_mm", "best_mpjpe_mm", "energy_mm")
HYPOTHESES = (
    "best_mpve_mm", "best_mpjpe_mm", "best_pa_mpjpe_mm", "samples_2d_px", "spread_visible_mm", "spread_hidden_mm",
    "coverage_50", "coverage_90", "crps_mm", "energy_mm", "percin", "mindist_px",
)  # fmt: skip
SURFACE = ("f_5", "f_15", "edge_mm", "penetration_percent")
RANKING = ("rank_correlation", "over_oracle_mm", "under_random_mm")
BRIEF = ("mpve_mm", "mpjpe_mm", "pa_mpjpe_mm", "best_mpjpe_mm", "energy_mm", "active_steps")
FACTS = (
    "n_people", "n_occluded", "people_who_count", "people_missed", "missed_share", "false_detections",
    "n_hypotheses", "steps", "dat", "joints", "alignment", "limbs", "interval", "seed", "device", "threads",
    "seconds_measuring",
)  # fmt: skip


def people_markdown(result: Result) -> str:
    methods: dict[str, Result] = result["methods"]
    lines = [f"## {result['command']}", "", "Lengths in mm; 95 % intervals in brackets.", ""]
    lines += table(methods, ERRORS)
    lines += _titled("Person by person against another method (below zero: better than it)", differences(methods))
    lines += _titled("Hypotheses", table(methods, HYPOTHESES))
    calibrated = next((one["calibrated"] for one in methods.values() if "calibrated" in one), None)
    if calibrated:
        lines += ["", "- an honest distribution would cover " + " and ".join(f"{v:.3f}" for v in calibrated.values())]
    lines += _titled("Choosing one without the truth", _ranking(methods))
    lines += _titled("Surface", table(methods | {"the truth itself": result["truth"]}, SURFACE))
    lines += _titled("People who are visible, and occluded ones", _by_visibility(methods))
    lines += _titled("By joint (MPJPE, hips aligned)", _by_joint(methods))
    if "clips" in result:
        clips = {name: block for name, block in result["clips"].items() if isinstance(block, dict)}
        lines += _titled("Clips, every frame by itself", table(clips, ("mpjpe_mm", "pa_mpjpe_mm", "acceleration_mm")))
    for name, sweep in result["sweeps"].items():
        lines += _titled(f"Sweep {name}: {sweep['title']}", table(sweep["points"], BRIEF, times=True))
        lines += ["", *differences(sweep["points"])]
    lines += _titled("Time, ms a person", _times(methods))
    lines += ["", *(f"- {name}: {result[name]}" for name in FACTS if result.get(name) is not None)]
    lines += [f"- not run: {name} ({why})" for name, why in result["not_run"].items()]
    lines += [f"- {name}: {block['what']}" for name, block in methods.items()]
    return "\n".join([*lines, *(f"- {note}" for note in result["notes"])])


def table(blocks: Mapping[str, Result], figures: Sequence[str], *, times: bool = False) -> list[str]:
    """A row per block that has one of the figures, a column per figure that a block has."""
    rows = {name: block for name, block in blocks.items() if any(block.get(key) is not None for key in figures)}
    columns = [key for key in figures if any(block.get(key) is not None for block in rows.values())]
    if not columns:
        return []
    head = ["", *(NAMES[key] for key in columns), *(["ms"] if times else [])]
    body = []
    for name, block in rows.items():
        spent = [_number(sum(block.get("ms_per_person", {}).values()) or None, 0)] if times else []
        body.append([name, *(cell(block, key) for key in columns), *spent])
    return grid(head, body)


def differences(blocks: Mapping[str, Result]) -> list[str]:
    """What each block has more than its reference, and how often it has the smaller vertex error."""
    rows = []
    for name, block in blocks.items():
        more = block.get("difference")
        if more is None or all(more.get(key) is None for key in (*COMPARED, "limbs_pa_mpjpe_mm")):
            continue
        share = more["lower_share"].get("mpve_mm")
        values = [cell(more, key, signed=True) for key in (*COMPARED, "limbs_pa_mpjpe_mm")]
        rows.append([name, block["against"], *values, "-" if share is None else f"{100 * share:.0f} %"])
    names = [NAMES[key] for key in (*COMPARED, "limbs_pa_mpjpe_mm")]
    return grid(["", "minus", *names, "better MPVE"], rows) if rows else []


def cell(block: Mapping[str, Any], key: str, *, signed: bool = False) -> str:
    """``62.1 (60.3 to 64.0)``."""
    value, interval = block.get(key), block["ci95"].get(key)
    if value is None:
        return "-"
    digits = 3 if key.startswith(("coverage", "f_", "rank")) else 2 if signed or key.startswith("penetration") else 1
    sign = "+" if signed else ""
    text = f"{value:{sign}.{digits}f}"
    return text if not interval else f"{text} ({interval[0]:{sign}.{digits}f} to {interval[1]:{sign}.{digits}f})"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _titled(title: str, lines: list[str]) -> list[str]:
    return ["", f"### {title}", "", *lines] if lines else []


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _ranking(methods: Mapping[str, Result]) -> list[str]:
    lines = table(methods, RANKING)
    block = methods.get("top_ranked", {})
    share = block.get("difference", {}).get("lower_share", {}).get("mpve_mm")
    if lines and share is not None:
        lines += ["", f"- the top-ranked hypothesis has a smaller MPVE than the mean in {100 * share:.0f} % of people"]
    return lines


def _by_visibility(methods: Mapping[str, Result]) -> list[str]:
    rows = {
        f"{name}, {which} ({block[which]['n_people']})": block[which]
        for name, block in methods.items()
        for which in ("visible", "occluded")
        if block.get(which, {}).get("n_people")
    }
    return table(rows, ("mpve_mm", "mpjpe_mm", "pa_mpjpe_mm", "limbs_pa_mpjpe_mm", "error_2d_px"))


def _by_joint(methods: Mapping[str, Result]) -> list[str]:
    block = methods.get("default")
    if block is None or "per_joint_mm" not in block:
        return []
    kinds = block["per_joint_mm"]
    rows = [[joint.replace("_", " "), *(_number(kinds[kind][joint]) for kind in kinds)] for joint in kinds["all"]]
    return grid(["", *(kind.replace("_", " ") for kind in kinds)], rows)


def _times(methods: Mapping[str, Result]) -> list[str]:
    timed = {name: block["ms_per_person"] for name, block in methods.items() if block.get("ms_per_person")}
    stages = list(dict.fromkeys(stage for times in timed.values() for stage in times))
    rows = [[name, *(_number(times.get(stage)) for stage in stages)] for name, times in timed.items()]
    return grid(["", *stages], rows) if rows else []
