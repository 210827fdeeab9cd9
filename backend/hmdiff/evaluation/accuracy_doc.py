"""docs/accuracy.md, made from docs/figures, so that text and figures cannot drift apart.

``python -m hmdiff.evaluation.accuracy_doc`` writes it; ``--check`` only says whether it is up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError

from . import accuracy_sections as sections
from .published import TABLE_1, TABLE_3, TABLE_4, TABLE_4_SHIPPED, TABLE_5
from .report import markdown
from .settings import REPO, Result

DOC = REPO / "docs" / "accuracy.md"
FIGURES = REPO / "docs" / "figures"
SOURCES = ("rendered", "synthetic")
COMMAND = "hmdiff eval {name} --methods all --sweep all --weights runs/variants --json docs/figures/eval_{name}.json"


def document(folder: Path = FIGURES) -> str:
    """The whole page. folder holds ``eval_rendered.json`` and ``eval_synthetic.json``, and perhaps ``samples.json``."""
    results = {name: _read(folder / f"eval_{name}.json") for name in SOURCES}
    lines = [*_head(results), *sections.usual(results)]
    lines += ["", "## The paper's tables, and ours beside them", "", *sections.ORDER]
    lines += sections.paper_table(TABLE_1, results)
    lines += ["", "### Table 2: hands", "", sections.HANDS, "", *sections.surface(results)]
    for table in (TABLE_3, TABLE_4):
        lines += sections.paper_table(table, results)
    lines += sections.paper_table(TABLE_4_SHIPPED, results)
    lines += sections.paper_table(TABLE_5, results)
    lines += sections.speed(results)
    lines += sections.occlusion(results)
    lines += sections.sweeps(results)
    lines += sections.hypotheses(results)
    lines += sections.details(results)
    samples = folder / "samples.json"
    if samples.is_file():
        lines += ["", "## Real footage", "", "`hmdiff eval samples --json docs/figures/samples.json`", ""]
        lines += [line.replace("## hmdiff eval samples", "").replace("### ", "#### ") for line in
                  markdown(_read(samples)).split("\n")]  # fmt: skip
    return _tidy(lines)


def _head(results: dict[str, Result]) -> list[str]:
    lines = [
        "# Accuracy",
        "",
        "This page is made by `python -m hmdiff.evaluation.accuracy_doc` from the files in `docs/figures`; do not edit "
        "it by hand. Each file comes from one command, which without `--limit` takes two idle CPU cores a quarter of "
        "an hour; `--weights` names the folder with the trained variants of Tables 3 and 4, which do not ship:",
        "",
        "```",
        *(f"{result['command']} --json docs/figures/eval_{name}.json" for name, result in results.items()),
        "```",
        "",
    ]
    for name, result in results.items():
        weights = result["weights"]
        missed = result.get("missed_share")
        also = f"; the detector missed {100 * missed:.0f} % of those who count" if missed is not None else ""
        lines.append(
            f"- **{name}**: {DESCRIBED[name]} {result['n_people']} people, {result['n_occluded']} of them occluded"
            f"{also}. {result['n_hypotheses']} hypotheses, {result['steps']} steps, seed {result['seed']}, weights "
            f"{weights['file']} ({weights['sha256']}); intervals: {result['interval']}."
        )
    first = next(iter(results.values()))
    return [
        *lines, "",
        f"Joints: {first['joints']}. Alignment: {first['alignment']}. 12 limbs: {first['limbs']}.",
    ]  # fmt: skip


DESCRIBED = {
    "rendered": "rendered people of held-out subjects, shapes, clothes, textures and backgrounds, as the real "
    "detector saw them; ships with HMDiff, so anyone can repeat it.",
    "synthetic": "poses of held-out mocap subjects with simulated detections, as in training; needs the mocap bundle.",
}


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise HmdiffError(
            "eval.no_figures", f"{path} is missing, from which the page is made.",
            f"Make it with `{COMMAND.format(name=path.stem.removeprefix('eval_'))}`.",
        )  # fmt: skip
    return json.loads(path.read_text(encoding="utf-8"))


def _tidy(lines: Sequence[str]) -> str:
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line.rstrip())
    return "\n".join(kept).rstrip("\n") + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hmdiff.evaluation.accuracy_doc", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is not up to date")
    args = parser.parse_args(argv)
    try:
        text = document()
    except HmdiffError as error:
        print(f"hmdiff: {error}", file=sys.stderr)
        return 2
    if args.check:
        same = DOC.is_file() and DOC.read_text(encoding="utf-8") == text
        print("up to date" if same else f"{DOC} is not what docs/figures says; run this without --check")
        return 0 if same else 1
    DOC.write_text(text, encoding="utf-8")
    print(f"wrote {DOC}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
