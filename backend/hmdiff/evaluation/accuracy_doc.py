"""docs/accuracy.md and docs/ablations.md, made from docs/figures, so that text and figures cannot drift apart.

``python -m hmdiff.evaluation.accuracy_doc`` writes them; ``--check`` only says whether they are up to date.
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
from .published import SHORT, TABLE_1, TABLE_3, TABLE_4, TABLE_4_SHIPPED, TABLE_5
from .report import markdown
from .settings import REPO, Result

DOC = REPO / "docs" / "accuracy.md"
ABLATIONS = REPO / "docs" / "ablations.md"
FIGURES = REPO / "docs" / "figures"
SOURCES = ("rendered", "synthetic")
COMMAND = "hmdiff eval {name} --limit 48 --json docs/figures/eval_{name}.json"


def document(folder: Path = FIGURES) -> str:
    """docs/accuracy.md. folder holds ``eval_rendered.json`` and ``eval_synthetic.json``, perhaps ``samples.json``."""
    results = {name: _read(folder / f"eval_{name}.json") for name in SOURCES}
    lines = [*_head(results), *sections.usual(results)]
    lines += ["", "## The paper's tables, and ours beside them", "", *sections.ORDER]
    lines += sections.paper_table(TABLE_1, results)
    lines += ["", "### Table 2: hands", "", sections.HANDS, "", *sections.surface(results)]
    lines += ["", "Tables 3 to 5 and the sweeps over r, K, N and steps are in [ablations.md](ablations.md)."]
    lines += sections.paper_table(TABLE_4_SHIPPED, results)
    lines += sections.speed(results)
    lines += sections.occlusion(results)
    lines += sections.hypotheses(results)
    lines += sections.details(results)
    samples = folder / "samples.json"
    if samples.is_file():
        lines += ["", "## Real footage", "", "`hmdiff eval samples --json docs/figures/samples.json`", ""]
        lines += [line.replace("## hmdiff eval samples", "").replace("### ", "#### ") for line in
                  markdown(_read(samples)).split("\n")]  # fmt: skip
    return _tidy(lines)


def ablations(folder: Path = FIGURES) -> str:
    """docs/ablations.md. folder/ablations holds any number of results per benchmark, ``rendered*.json`` and so on:
    methods with --methods and --weights, sweeps with --sweep. What two of them have is taken from the first.
    """
    found = {name: [_read(file) for file in sorted((folder / "ablations").glob(f"{name}*.json"))] for name in SOURCES}
    results = {name: _joined(several) for name, several in found.items() if several}
    lines = ["# Ablations", "", *ABLATIONS_HEAD, ""]
    for name, several in found.items():
        for one in several:
            lines += [
                f"- `{one['command']}`: {one['n_people']} people of **{name}**, weights {one['weights']['sha256']}, "
                f"{one['n_hypotheses']} hypotheses, {one['steps']} steps{_budget(one)}{_remark(one)}."
            ]
    lines += ["", *sections.ORDER]
    for table in (TABLE_3, TABLE_4, TABLE_5, SHORT):
        lines += sections.paper_table(table, results)
    lines += sections.sweeps(results)
    return _tidy(lines)


ABLATIONS_HEAD = [
    "Made by `python -m hmdiff.evaluation.accuracy_doc` from the files in `docs/figures/ablations`; do not edit it by "
    "hand. The weights are named with each command: they may be older than those that ship, whose figures are in "
    "[accuracy.md](accuracy.md). Trained variants do not ship; their budgets are tiny, on two CPU cores shared with "
    "other work, so that they say what learns fast and not what a variant could reach.",
]


def _joined(several: list[Result]) -> Result:
    """Everything that was measured on one benchmark."""
    parts = ("methods", "sweeps", "not_run")
    return {part: {key: block for one in reversed(several) for key, block in one[part].items()} for part in parts}


def _budget(result: Result) -> str:
    """How many people trained variants saw."""
    seen = {f"{card['training']['denoiser']['samples']:,}" for card in result["variants"].values()}
    return f"; variants trained on {' to '.join(sorted(seen))} people each" if seen else ""


def _remark(result: Result) -> str:
    """What somebody noted in the file by hand: how the program has changed since."""
    return f". **{result['remark']}**" if "remark" in result else ""


def _head(results: dict[str, Result]) -> list[str]:
    lines = [
        "# Accuracy",
        "",
        "This page is made by `python -m hmdiff.evaluation.accuracy_doc` from the files in `docs/figures`; do not edit "
        "it by hand. Each file comes from one command:",
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
            f"{weights['file']} ({weights['sha256']}); intervals: {result['interval']}{_remark(result)}."
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
        pages = {DOC: document(), ABLATIONS: ablations()}
    except HmdiffError as error:
        print(f"hmdiff: {error}", file=sys.stderr)
        return 2
    stale = [page for page, text in pages.items() if not page.is_file() or page.read_text(encoding="utf-8") != text]
    if args.check:
        for page in stale:
            print(f"{page} is not what docs/figures says; run this without --check")
        return 1 if stale else 0
    for page in stale:
        page.write_text(pages[page], encoding="utf-8")
        print(f"wrote {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
