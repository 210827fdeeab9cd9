"""The measured noise in pictures, from the figures alone: measured with full lines, drawn from the tables dashed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError

from ...detect.observation import BLAZEPOSE_NAMES
from .conditions import CONFIDENCES, ERRORS, LEVELS, REGION_NAMES, SHARES, SIZES
from .covariates import CLASSES, VIEWS

_COLOURS = ("#2868b8", "#d9822b", "#3a9a5b", "#b8405e", "#7a57b0", "#7d6b53")
_SOLID, _DASHED = "-", "--"


def draw_plots(figures: dict[str, Any], folder: Path) -> list[Path]:
    """Writes detector_noise.png and detector_noise_correlation.png. Errors: ``install.incomplete``."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise HmdiffError(
            "install.incomplete", "The Python package matplotlib is not installed.", "Install hmdiff with [train]."
        ) from error
    seen, drawn, people = (figures["train"][name] for name in ("measured", "drawn", "population"))
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 100})
    figure, axes = plt.subplots(3, 3, figsize=(15, 12))
    panels = (_confidence, _classes, _landmarks, _depth, _swaps, _misses, _width, _masks, _time)
    for axis, panel in zip(axes.flat, panels, strict=True):
        panel(axis, seen, drawn, people)
    figure.suptitle(
        "The detector on rendered people: measured (full) and drawn from the shipped tables (dashed, hollow)"
    )
    figure.tight_layout()
    paths = [folder / "detector_noise.png", folder / "detector_noise_correlation.png"]
    figure.savefig(paths[0])
    plt.close(figure)
    figure, axes = plt.subplots(1, 2, figsize=(12, 5.6))
    for axis, one, name in zip(axes, (seen, drawn), ("measured", "drawn"), strict=True):
        image = axis.imshow(np.array(one["error_correlation"]), vmin=0, vmax=1, cmap="viridis")
        axis.set_title(f"correlation of the landmarks' log errors, {name}")
        axis.set_xticks(range(0, 33, 2), BLAZEPOSE_NAMES[::2], rotation=90, fontsize=6)
        axis.set_yticks(range(0, 33, 2), BLAZEPOSE_NAMES[::2], fontsize=6)
        figure.colorbar(image, ax=axis, shrink=0.8)
    figure.tight_layout()
    figure.savefig(paths[1])
    plt.close(figure)
    return paths


def _line(axis: Any, x: Any, values: Any, colour: str, style: str, label: str | None = None) -> None:
    y = np.array([np.nan if v is None else v for v in values], float)
    axis.plot(x, y, style, color=colour, label=label, marker="o" if style == _SOLID else None, ms=3)


def _logarithmic(axis: Any, which: str) -> None:
    """Where there is anything to show: an empty axis has no logarithm."""
    if axis.has_data() and np.isfinite(axis.dataLim.get_points()).all():
        (axis.set_xscale if which == "x" else axis.set_yscale)("log")


def _legend(axis: Any) -> None:
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=7)


def _confidence(axis: Any, seen: Any, drawn: Any, people: Any) -> None:
    place = np.arange(len(CONFIDENCES) - 1)
    for name, colour in zip(REGION_NAMES, _COLOURS, strict=True):
        _line(axis, place, seen["error_by_confidence"][name], colour, _SOLID, name)
        _line(axis, place, drawn["error_by_confidence"][name], colour, _DASHED)
    labels = [f"{a:g}-{min(b, 1):g}" for a, b in zip(CONFIDENCES[:-1], CONFIDENCES[1:], strict=True)]
    axis.set_xticks(place, labels, rotation=30)
    axis.set(xlabel="confidence", ylabel="median 2D error / person's size", title="error against confidence")
    _logarithmic(axis, "y")
    _legend(axis)


def _classes(axis: Any, seen: Any, drawn: Any, people: Any) -> None:
    for name, colour in zip(CLASSES, _COLOURS, strict=False):
        for one, style in ((seen, _SOLID), (drawn, _DASHED)):
            if one["error_quantiles"][name]:
                axis.plot(
                    one["error_quantiles"][name], LEVELS, style, color=colour, label=name if style == _SOLID else None
                )
    axis.set(xlabel="2D error / person's size", ylabel="share below", title="error by what hides it")
    _logarithmic(axis, "x")
    _legend(axis)


def _landmarks(axis: Any, seen: Any, drawn: Any, people: Any) -> None:
    place = np.arange(33)
    for name, colour in zip(CLASSES[:2], _COLOURS, strict=False):
        for one, face in ((seen, colour), (drawn, "none")):
            y = [np.nan if v is None else v for v in one["error_by_landmark"][name]]
            axis.scatter(place, y, s=18, facecolors=face, edgecolors=colour, label=name if face == colour else None)
    axis.set_xticks(place[::2], BLAZEPOSE_NAMES[::2], rotation=90, fontsize=6)
    axis.set(ylabel="median 2D error", title="by landmark")
    _logarithmic(axis, "y")
    _legend(axis)


def _bars(axis: Any, names: Any, groups: list[tuple[str, list[Any], list[Any]]]) -> None:
    width = 0.8 / len(groups)
    for k, (label, one, two) in enumerate(groups):
        x = np.arange(len(names)) + (k - (len(groups) - 1) / 2) * width
        axis.bar(x, [v or 0 for v in one], width * 0.9, color=_COLOURS[k], label=label)
        axis.scatter(
            x, [np.nan if v is None else v for v in two], s=26, facecolors="white", edgecolors="black", zorder=3
        )
    axis.set_xticks(range(len(names)), names)


def _depth(axis: Any, seen: Any, drawn: Any, people: Any) -> None:
    names = [*VIEWS, *CLASSES]
    pick = [{**one["depth_by_view_mm"], **one["depth_by_class_mm"]} for one in (seen, drawn)]
    _bars(axis, names, [("depth", [pick[0][n] for n in names], [pick[1][n] for n in names])])
    axis.set_xticklabels([n.replace("hidden ", "") for n in names], rotation=30)
    axis.set(ylabel="median error along the depth, mm", title="3D depth by view, and by what hides the landmark")


def _swaps(axis: Any, seen: Any, drawn: Any, people: Any) -> None:
    groups = [
        (k, [seen["swaps"][k][v] for v in VIEWS], [drawn["swaps"][k][v] for v in VIEWS])
        for k in ("all", "legs", "arms")
    ]
    groups.append(("lost", [seen["lost_by_view"][v] for v in VIEWS], [drawn["lost_by_view"][v] for v in VIEWS]))
    _bars(axis, VIEWS, groups)
    axis.set(ylabel="share of readings", title="sides exchanged, and readings lost")
    _legend(axis)


def _misses(axis: Any, seen: Any, drawn: Any, people: Any) -> None:
    by_size = people["missed_by_size_px"]["missed"]
    _line(axis, np.arange(len(SIZES) - 1), by_size, _COLOURS[0], _SOLID, "by size, px (half visible or more)")
    labels = [f"{a}-{b}" if b < 10000 else f"{a}+" for a, b in zip(SIZES[:-1], SIZES[1:], strict=True)]
    axis.set_xticks(range(len(labels)), labels, rotation=30)
    place = np.linspace(0, len(labels) - 1, len(SHARES) - 1)
    _line(
        axis, place, people["missed_by_blocked_share"]["missed"], _COLOURS[1], _SOLID, "by share behind others, 0 to 1"
    )
    _line(axis, place, people["missed_by_outside_share"]["missed"], _COLOURS[2], _SOLID, "by share outside, 0 to 1")
    axis.set(ylabel="share of people missed", title="people missed", ylim=(0, 1))
    _legend(axis)


def _width(axis: Any, seen: Any, drawn: Any, people: Any) -> None:
    place = np.arange(len(ERRORS) - 1)
    for one, style in ((seen, _SOLID), (drawn, _DASHED)):
        _line(axis, place, one["width_by_error"], _COLOURS[0], style)
    labels = [f"{a:g}-{b:g}" if b < 1 else f"{a:g}+" for a, b in zip(ERRORS[:-1], ERRORS[1:], strict=True)]
    axis.set_xticks(place, labels, rotation=30)
    axis.set(xlabel="2D error / person's size", ylabel="median width, cells of 56", title="heatmap width against error")


def _masks(axis: Any, seen: Any, drawn: Any, people: Any) -> None:
    curves = (
        (people["mask_own_quantiles"]["iou"], _SOLID, _COLOURS[1], "against the person's own pixels"),
        (seen["iou_quantiles"], _SOLID, _COLOURS[0], "against what training draws"),
        (drawn["iou_quantiles"], _DASHED, _COLOURS[0], None),
    )
    for values, style, colour, label in curves:
        if values:
            axis.plot(values, LEVELS, style, color=colour, label=label)
    axis.set(xlabel="IoU of the mask", ylabel="share below", title="masks")
    _legend(axis)


def _time(axis: Any, seen: Any, drawn: Any, people: Any) -> None:
    names = ("error", "direction", "confidence", "width", "world direction", "eaten")
    for name, colour in zip(names, _COLOURS, strict=True):
        _line(axis, seen["time"]["lags"], seen["time"][name], colour, _SOLID, name)
        _line(axis, drawn["time"]["lags"], drawn["time"][name], colour, _DASHED)
    axis.set(xlabel="frames later (30 a second)", ylabel="correlation", title="over time", ylim=(0, 1))
    _legend(axis)
