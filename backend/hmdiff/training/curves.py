"""The learning curves in docs/curves as one picture: ``python -m hmdiff.training.curves`` writes it anew."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError

DOCS = Path(__file__).resolve().parents[3] / "docs"
_COLOURS = ("#2868b8", "#d9822b", "#3a9a5b", "#b8405e")

PANELS: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...] = (
    ("regressor", "regressor, structured noise (earlier releases)", "mm, held-out subjects", (
        ("held_out.mpjpe_mm", "MPJPE"), ("held_out.pa_mpjpe_mm", "PA-MPJPE"), ("train.vertex_mm", "vertices, training"),
    )),
    ("regressor_measured", "regressor, goes on with measured noise", "mm", (
        ("train.vertex_mm", "vertices, training (measured noise)"),
        ("held_out.mpjpe_mm", "MPJPE, held out (structured noise)"),
        ("held_out.pa_mpjpe_mm", "PA-MPJPE, held out (structured noise)"),
    )),
    ("temporal", "look around, clips of held-out subjects", "PA-MPJPE mm", (
        ("held_out.before_pa_mpjpe_mm", "single frames, before"), ("held_out.alone_pa_mpjpe_mm", "single frames"),
        ("held_out.pa_mpjpe_mm", "knowing 13 frames either way"),
    )),
    ("spread", "spread of m's errors", "negative log likelihood per direction", (
        ("train.nll", "training (measured noise)"), ("held_out.nll", "held out (structured noise)"),
    )),
    ("denoiser", "denoiser, held-out subjects", "PA-MPJPE mm", (
        ("held_out.regressor_pa", "regressor"), ("held_out.dat_pa", "mean of 5, with DAT"),
        ("held_out.no_dat_pa", "mean of 5, without"), ("held_out.dat_best", "best of 5, with DAT"),
    )),
    ("mesh", "mesh MLP, held-out subjects", "MPVE mm", (
        ("held_out.upsampling_mpve_mm", "fixed upsampling"), ("held_out.mlp_mpve_mm", "MLP"),
    )),
)  # fmt: skip
"""Name of a file of ``hmdiff train``, title, what is up, and the values to draw."""


def draw_curves(folder: Path, target: Path) -> Path:
    """folder of ``*.jsonl`` -> a picture; what is missing is left out. Errors: ``install.incomplete``."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise HmdiffError(
            "install.incomplete", "The Python package matplotlib is not installed.", "Install hmdiff with [train]."
        ) from error
    panels = [panel for panel in PANELS if (folder / f"{panel[0]}.jsonl").is_file()]
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(-(-len(panels) // 3), 3, figsize=(15, 4 * -(-len(panels) // 3)), squeeze=False)
    for axis, (name, title, label, values) in zip(axes.flat, panels, strict=False):
        rows = read_curve(folder / f"{name}.jsonl")
        for colour, (key, what) in zip(_COLOURS, values, strict=False):
            points = [(row["samples"] / 1e6, value) for row in rows if (value := _value(row, key)) is not None]
            axis.plot(*zip(*points, strict=True), marker=".", color=colour, label=what)
        axis.set(title=title, xlabel="synthetic people seen (million)", ylabel=label)
        axis.grid(alpha=0.3)
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.3 * (high - low))  # room for the legend
        axis.legend(fontsize=8, loc="upper right")
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(target, dpi=80)
    plt.close(figure)
    return target


def read_curve(file: Path) -> list[dict[str, Any]]:
    """Rows that ``hmdiff train`` wrote, in order."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _value(row: dict[str, Any], key: str) -> float | None:
    part, name = key.split(".")
    return row[part].get(name)


def main(argv: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    folder, target = (Path(one) for one in (given or (DOCS / "curves", DOCS / "images" / "training.png")))
    print(f"wrote {draw_curves(folder, target)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
