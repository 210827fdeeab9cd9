"""`hmdiff synth measure`: rendered folders in, the noise model and its figures out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...detect.assets import POSE_DETECTION, POSE_LANDMARK
from ..render.shards import write_arrays
from .calibrate import PaError
from .conditions import conditions, population
from .fit import fit
from .gather import Table, gather
from .outcome import Outcome, drawn_outcome, measured_outcome
from .sight import Sight
from .statistics import statistics
from .tables import NoiseTables, load_tables, save_tables

SINGLES, CLIPS = 600, 20
"""People and clips of a reference."""


@dataclass(frozen=True)
class MeasureOptions:
    """folders: to fit on; check: others, to compare with; reference: a file for the truth of some people."""

    folders: tuple[Path, ...]
    out: Path
    check: tuple[Path, ...] = ()
    reference: Path | None = None
    seed: int = 0


def measure(options: MeasureOptions, sight: Sight, pa_error: PaError) -> dict[str, Any]:
    """Fit, write the file, read it again, draw from it for the same people, and return all figures.

    Errors: ``render.not_detected``, ``render.damaged``.
    """
    table = gather(options.folders, sight)
    renders = [_card(folder) for folder in options.folders]
    meta = {
        "detector": [POSE_DETECTION, POSE_LANDMARK],
        "seed": options.seed,
        "renders": renders,
        "pictures": table.pictures,
        "people": len(table.everybody.size),
        "found": len(table.readings.size),
    }
    fitted = fit(table, pa_error, meta, options.seed)
    save_tables(options.out, fitted.tables)
    tables = load_tables(options.out)
    figures = {
        **meta,
        "bytes": options.out.stat().st_size,
        "fit": fitted.figures,
        "train": _both(table, tables, pa_error),
    }
    if options.check:
        figures["check"] = _both(gather(options.check, sight), tables, pa_error)
        figures["check"]["renders"] = [_card(folder) for folder in options.check]
    if options.reference:
        figures["reference"] = _reference(table, options.reference, pa_error)
    return figures


def _both(table: Table, tables: NoiseTables, pa_error: PaError) -> dict[str, Any]:
    seen = measured_outcome(table)
    drawn = drawn_outcome(seen, tables, torch.Generator().manual_seed(1), table.readings.drawn)
    return {
        "population": population(table),
        "measured": statistics(seen, pa_error) | conditions(seen),
        "drawn": statistics(drawn, pa_error) | conditions(drawn),
    }


def _card(folder: Path) -> dict[str, Any]:
    path = folder / "render.json"
    return {"folder": folder.name, **(json.loads(path.read_text("utf-8")) if path.is_file() else {})}


def _reference(table: Table, path: Path, pa_error: PaError) -> dict[str, Any]:
    """The truth of some people and clips into a small file, and what the detector made of just these."""
    seen = measured_outcome(table)
    singles = np.flatnonzero(seen.clip < 0)
    singles = (
        singles[np.linspace(0, len(singles) - 1, min(SINGLES, len(singles))).round().astype(int)]
        if len(singles)
        else singles
    )
    names, counts = np.unique(seen.clip[seen.clip >= 0], return_counts=True)
    names = names[counts >= 12]
    chosen = names[np.linspace(0, len(names) - 1, min(CLIPS, len(names))).round().astype(int)] if len(names) else names
    moving = np.flatnonzero(np.isin(seen.clip, chosen))
    part = seen[np.concatenate([singles, moving])]
    write_arrays(
        path,
        {
            "landmarks": part.landmarks.half().numpy(),
            "position": part.position.numpy(),
            "classes": part.classes.to(torch.uint8).numpy(),
            "beyond": part.beyond.half().numpy(),
            "inside": torch.isfinite(part.confidence).numpy(),
            "clip": np.unique(part.clip, return_inverse=True)[1].astype(np.int16) - (part.clip.min() < 0),
            "frame": np.where(part.clip < 0, -1, part.frame).astype(np.int16),
        },
    )
    parts = {"singles": singles, "clips": moving}
    return {name: statistics(seen[rows], pa_error) if len(rows) else None for name, rows in parts.items()}


def read_reference(arrays: dict[str, np.ndarray]) -> Outcome:
    """The truth in a file of ``_reference`` as an Outcome whose readings are the truth itself."""
    landmarks = torch.from_numpy(arrays["landmarks"].astype(np.float32))
    position = torch.from_numpy(arrays["position"])
    placed = landmarks + position[:, None]
    points = placed[..., :2] / placed[..., 2:].clamp_min(0.1)
    points = points / (points.amax(1) - points.amin(1)).amax(1)[:, None, None]
    count = len(points)
    confidence = torch.where(torch.from_numpy(arrays["inside"]), 1.0, torch.nan)
    return Outcome(
        points, points, landmarks, landmarks, position, torch.from_numpy(arrays["classes"].astype(np.int64)),
        torch.from_numpy(arrays["beyond"].astype(np.float32)), confidence, torch.ones(count, 33), torch.ones(count, 15),
        torch.zeros(count, 15), torch.full((count, 2), torch.nan), arrays["clip"].astype(np.int64),
        arrays["frame"].astype(np.int64),
    )  # fmt: skip


def summary(figures: dict[str, Any]) -> str:
    """A few lines for people: measured and drawn side by side."""
    rows = [("", "measured", "drawn")]
    seen, drawn = figures["train"]["measured"], figures["train"]["drawn"]
    for name, pick in _SHOWN.items():
        rows.append((name, _text(_dig(seen, pick)), _text(_dig(drawn, pick))))
    return "\n".join(f"{a:44}{b:>12}{c:>12}" for a, b, c in rows)


_SHOWN: dict[str, Sequence[str | int]] = {
    "median 2D error, seen": ("by_class", "seen", "error", 2),
    "median 2D error, hidden by self": ("by_class", "hidden by self", "error", 2),
    "median 2D error, hidden by others": ("by_class", "hidden by others", "error", 2),
    "median 2D error, outside": ("by_class", "outside", "error", 2),
    "log error and confidence, correlation": ("log_error_and_confidence",),
    "neighbours' errors, correlation": ("neighbours", "size"),
    "lost readings, share": ("lost",),
    "sides exchanged throughout, share": ("swaps", "all", "all"),
    "legs exchanged, share": ("swaps", "legs", "all"),
    "3D PA, mean mm": ("world", "pa_mean_mm"),
    "3D error, mean mm": ("world", "mpjpe_mean_mm"),
    "mask IoU, median": ("mask", "iou", 2),
    "error after one frame, correlation": ("time", "error", 0),
}


def _dig(values: Any, path: Sequence[str | int]) -> Any:
    for key in path:
        values = None if values is None else values[key]
    return values


def _text(value: Any) -> str:
    return "-" if value is None else f"{value:g}"
