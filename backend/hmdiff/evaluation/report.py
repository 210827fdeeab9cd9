"""A benchmark's result as JSON and as Markdown tables."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .. import __version__
from ..models.weights import LoadedModel, weights_path
from ..video.estimate import Estimator
from .people_report import people_markdown
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
        "weights": weights_facts(weights_path(config.preset), loaded),
        "seconds_per_frame": finite(seconds_per_frame, 4),
        "hmdiff": __version__,
    }


def weights_facts(file: Path, loaded: LoadedModel) -> Result:
    """Which weights, and what their card says of how they were made."""
    card = {key: value for key, value in loaded.card.items() if key != "config"}
    return {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()[:16], **card}


def write_json(path: Path, result: Result) -> None:
    """Write a result; numbers JSON cannot hold are a ValueError, since a result has none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def markdown(result: Result) -> str:
    """The whole of a result for people to read: tables, then the facts and notes."""
    if "methods" in result:
        return people_markdown(result)
    lines = [f"## hmdiff eval {result['benchmark']}", "", *_table(result), *_groups(result)]
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
