"""A benchmark's result as JSON and as Markdown tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .. import __version__
from ..models.weights import weights_path
from ..video.estimate import Estimator
from .score import finite
from .settings import Result

COLUMNS = {
    "mpve_mm": "MPVE mm",
    "mpjpe_mm": "MPJPE mm",
    "pa_mpjpe_mm": "PA-MPJPE mm",
    "pa_mpve_mm": "PA-MPVE mm",
    "acceleration_mm": "Accel. mm/frame²",
    "error_2d_px": "2D px",
    "error_2d_percent": "2D % of box",
    "iou": "IoU",
}
GROUP_FACTS = (
    "n_frames", "n_missed", "n_photos", "people_labelled", "people_found", "people_matched",
    "joints", "alignment", "note",
)  # fmt: skip
FACTS = ("n_frames", "n_hypotheses", "joints", "alignment", "interval", "seed", "seconds_per_frame")


def run_facts(estimator: Estimator, seconds_per_frame: float) -> Result:
    """What was run: sampler, weights and speed."""
    loaded, sampler = estimator.loaded, estimator.sampler
    config = loaded.model.config
    return {
        "n_hypotheses": sampler.hypotheses,
        "steps": sampler.steps,
        "dat": config.dat.mode,
        "seed": estimator.seed,
        "device": str(estimator.device),
        "weights": {
            "file": weights_path(config.preset).name,
            **{key: value for key, value in loaded.card.items() if key != "config"},
        },
        "seconds_per_frame": finite(seconds_per_frame, 4),
        "hmdiff": __version__,
    }


def write_json(path: Path, result: Result) -> None:
    """Write a result; numbers JSON cannot hold are a ValueError, since a result has none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def markdown(result: Result) -> str:
    """One table per group of methods that were scored on the same joints, then the facts and notes."""
    lines = [f"## hmdiff eval {result['benchmark']}", "", *_table(result), *_groups(result)]
    if isinstance(result.get("distribution"), dict):
        lines += ["", "### distribution", "", *_distribution(result["distribution"])]
    lines += ["", *(f"- {name}: {result[name]}" for name in FACTS if result.get(name) is not None)]
    lines += [f"- {note}" for note in result.get("notes", [])]
    return "\n".join(lines)


def _groups(result: Result) -> list[str]:
    lines: list[str] = []
    for name, group in result.items():
        if isinstance(group, dict) and not _is_block(group):
            if any(_is_block(value) for value in group.values()):
                lines += ["", f"### {name}", "", *_table(group), ""]
                lines += [f"- {key}: {group[key]}" for key in GROUP_FACTS if key in group]
            lines += _groups(group)
    return lines


def _is_block(value: Any) -> bool:
    return isinstance(value, dict) and "ci95" in value


def _table(group: Result) -> list[str]:
    blocks = {name: block for name, block in group.items() if _is_block(block)}
    columns = [key for key in COLUMNS if any(key in block for block in blocks.values())]
    if not columns:
        return []
    rows = [["", *(COLUMNS[key] for key in columns)], ["---", *("---:" for _ in columns)]]
    for name, block in blocks.items():
        label = f"{name} ({block['joints']})" if "joints" in block else name
        rows.append([label, *(_cell(block, key) for key in columns)])
    return ["| " + " | ".join(row) + " |" for row in rows]


def _cell(block: Result, key: str) -> str:
    value, interval = block.get(key), block["ci95"].get(key)
    if value is None:
        return "-"
    digits = 3 if key == "iou" else 1
    text = f"{value:.{digits}f}"
    return text if not interval else f"{text} ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"


def _distribution(values: Result) -> list[str]:
    if values["coverage"] is None:
        return ["One hypothesis is no distribution."]
    lines = [
        f"- coverage {level}: {one['measured']:.3f} (a calibrated set: {one['calibrated']:.3f})"
        for level, one in values["coverage"].items()
    ]
    for key, what in (("spread_mm", "spread of the hypotheses"), ("error_of_mean_mm", "error of their mean")):
        parts = [f"{value:.1f} mm where {name}" for name, value in values[key].items() if value is not None]
        lines.append(f"- {what}: {', '.join(parts)}")
    return [*lines, f"- energy score: {values['energy_score_mm']:.1f} mm per joint"]
