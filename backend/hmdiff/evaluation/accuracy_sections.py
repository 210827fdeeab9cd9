"""The parts of docs/accuracy.md: the paper's tables with ours beside them, and what the paper has no figures for."""

from __future__ import annotations

import numpy as np

from . import people_report as report
from .published import TABLE_S1, TABLE_S2, PaperTable, Triple
from .settings import Result

TRIPLE = ("mpve_mm", "mpjpe_mm", "pa_mpjpe_mm")
DECIDES = "mpve_mm"
"""The figure whose difference, with its interval, says whether an order agrees."""
EQUAL_MM = 0.5
"""Two methods whose difference surely lies within this are as good as each other."""

ORDER = [
    "Published figures are for 3DPW unless a row says otherwise: photos of real people, a network that sees the photo, "
    "four graphics cards for two days. **They cannot be compared with ours in absolute value**; what can be compared "
    "is the order. Each cell is MPVE / MPJPE / PA-MPJPE in mm. `order` is about MPVE, person by person against the "
    "row in bold: agrees or **reversed** where the 95 % interval of the difference (in brackets) excludes nought, no "
    "difference where it stays within half a millimetre, else undecided.",
]
HANDS = (
    "FreiHAND is about hands, for which there is no model here: it does not apply. Its metrics are in the program, "
    "and for whole bodies they give (a hand is a tenth of a body long, so that 5 mm of it are not 5 mm here):"
)


def usual(results: dict[str, Result]) -> list[str]:
    lines = ["", "## Where it stands"]
    for name, result in results.items():
        methods = {key: result["methods"][key] for key in USUAL if key in result["methods"]}
        lines += ["", f"**{name}** (mean and 95 % interval; lower is better)", ""]
        lines += report.table(methods, report.ERRORS)
        medians = [f"{key} {block['median']['mpjpe_mm']:.1f}" for key, block in methods.items()
                   if block["median"].get("mpjpe_mm") is not None]  # fmt: skip
        lines += ["", f"Median MPJPE: {', '.join(medians)}."]
    return lines


USUAL = ("default", "top_ranked", "no_dat", "regressor", "linear", "detector_3d", "mean_pose")


def paper_table(table: PaperTable, results: dict[str, Result]) -> list[str]:
    head = ["", "published", *(part for name in results for part in (name, f"{name}: order"))]
    if any(row.steps for row in table.rows):
        head.append("published steps")
    rows: list[list[str]] = []
    ours = next((row.published for row in table.rows if row.method == table.ours), (None, None, None))
    for row in table.rows:
        own = row.method == table.ours
        line = [f"**{row.label}**" if own else row.label, _triple(row.published)]
        for result in results.values():
            block = result["methods"].get(row.method)
            line += [_ours(block), "" if own else _order(block, row.published, ours)]
        if any(other.steps for other in table.rows):
            line.append(str(row.steps or ""))
        rows.append(line)
    lines = ["", f"### {table.name}: {table.title}", "", *report.grid(head, rows), ""]
    lines += [f"The paper: {table.says} {table.here}"]
    everything = {name for result in results.values() for name in result["methods"]}
    lacking = {row.method for row in table.rows if row.method} - everything
    if lacking:
        lines += ["", f"Not measured: {', '.join(sorted(lacking))}."]
    return lines


def _triple(values: Triple) -> str:
    return "-" if values == (None, None, None) else " / ".join("-" if v is None else f"{v:.1f}" for v in values)


def _ours(block: Result | None) -> str:
    if block is None or block.get(DECIDES) is None:
        return "-"
    return " / ".join(f"{block[key]:.1f}" for key in TRIPLE)


def _order(block: Result | None, published: Triple, ours: Triple) -> str:
    """Whether the row is as much on the other side of ours as the paper has it; ours alone: just the difference."""
    more = (block or {}).get("difference")
    if not more or more.get(DECIDES) is None or more["ci95"].get(DECIDES) is None:
        return ""
    value, (low, high) = more[DECIDES], more["ci95"][DECIDES]
    text = f"{value:+.1f} ({low:+.1f} to {high:+.1f})"
    if published[0] is None or ours[0] is None:
        return text
    if max(abs(low), abs(high)) <= EQUAL_MM:
        return f"no difference, {text}"
    decided = low > 0 or high < 0
    same = (value > 0) == (published[0] > ours[0])
    return f"{'undecided' if not decided else 'agrees' if same else '**reversed**'}, {text}"


def surface(results: dict[str, Result]) -> list[str]:
    rows = {}
    for name, result in results.items():
        for key in ("default", "regressor"):
            rows[f"{key}, {name}"] = result["methods"][key]
        rows[f"the truth itself, {name}"] = result["truth"]
    return report.table(rows, ("pa_mpve_mm", "pa_mpjpe_mm", *report.SURFACE))


def speed(results: dict[str, Result]) -> list[str]:
    rows = []
    for name, result in results.items():
        spent = result["methods"]["default"]["ms_per_person"]
        inputs = result.get("ms_of_inputs_per_person")
        total = sum(spent.values()) + (inputs or 0)
        rows.append([name, f"{inputs:.1f}" if inputs else "-", *(f"{spent[stage]:.1f}" for stage in STAGES),
                     f"{1000 / total:.1f}"])  # fmt: skip
    return [
        "", "### Table 6: speed", "",
        "Published: HMDiff 18 frames a second with 25 hypotheses and 40 steps, FastMETRO 23, both on an RTX 3090. "
        "Ours, ms a person on the CPU the tables were made on, without the detector (`benchmarks/speed.py` times the "
        "whole program; when other programs run too, these figures are too high):", "",
        *report.grid(["", "inputs", *STAGES, "people a second"], rows),
    ]  # fmt: skip


STAGES = ("regressor", "features", "u", "sampling", "mesh")


def occlusion(results: dict[str, Result]) -> list[str]:
    rows = [[row.label, _triple(row.published)] for row in TABLE_S1]
    for name, result in results.items():
        for method in ("default", "no_dat", "regressor"):
            for which in ("visible", "occluded"):
                block = result["methods"][method][which]
                if block["n_people"]:
                    rows.append([f"{name}, {method}, {which} ({block['n_people']})", _ours(block)])
    return [
        "", "### Supplement Table 1: occlusion", "", *report.grid(["", "MPVE / MPJPE / PA-MPJPE"], rows), "",
        "Occluded here: fewer than 8 of the 12 limb landmarks are to be seen, be it the person's own body that hides "
        "them. The order that the paper shows, harder where more is hidden, must hold; whether DAT helps the occluded "
        "more than the visible can be read off the rows with and without it.",
    ]  # fmt: skip


def sweeps(results: dict[str, Result]) -> list[str]:
    lines = [
        "", "## Supplement Table 2 and Figures 2 and 4: steps, N, K, r", "",
        *report.grid(["published", "MPVE / MPJPE / PA-MPJPE"],
                     [[row.label, _triple(row.published)] for row in TABLE_S2]),
        "", "The paper: 200 steps are 0.3 mm better than 40; quality rises with K up to 200 and with N up to 25; r is "
        "best at 0.05. Table 4: without DAT 100 to 200 steps are needed, with it 40.",
    ]  # fmt: skip
    for name, result in results.items():
        for key, sweep in result["sweeps"].items():
            if not sweep["points"]:
                continue
            lines += ["", f"**{name}, {key}** ({sweep['title']})", "", *_sweep_table(sweep["points"])]
            if key == "steps":
                lines += ["", _best_steps(sweep["points"])]
        lacking = [key for key in result["not_run"] if key.startswith("k: ")]
        if lacking:
            lines += ["", f"{name}, K: other weights are needed, which were not trained ({', '.join(lacking)})."]
    return lines


def _sweep_table(points: dict[str, Result]) -> list[str]:
    rows = [
        [name, _ours(block), _order(block, (None, None, None), (None, None, None)),
         *(report.cell(block, key).split(" ")[0] for key in SWEPT), f"{sum(block['ms_per_person'].values()):.0f}"]
        for name, block in points.items()
    ]  # fmt: skip
    head = ["", "MPVE / MPJPE / PA-MPJPE", "MPVE, minus the reference", *(report.NAMES[key] for key in SWEPT), "ms"]
    return report.grid(head, rows)


SWEPT = ("best_mpjpe_mm", "energy_mm", "coverage_90", "active_steps")


def _best_steps(points: dict[str, Result]) -> str:
    found = {}
    for name, wanted in (("with DAT", lambda key: "no DAT" not in key), ("without", lambda key: "no DAT" in key)):
        some = {key: block[DECIDES] for key, block in points.items() if wanted(key)}
        found[name] = min(some, key=lambda key: some[key]).split(" ")[0]
    return "Least MPVE at: " + ", ".join(f"{found[name]} steps {name}" for name in found) + "."


def hypotheses(results: dict[str, Result]) -> list[str]:
    lines = ["", "## Hypotheses", "", *HYPOTHESES]
    for name, result in results.items():
        methods = {key: result["methods"][key] for key in SETS if key in result["methods"]}
        lines += ["", f"**{name}**", "", *report.table(methods, report.HYPOTHESES)]
        calibrated = methods["default"]["calibrated"]
        truth = result["truth"]
        facts = [f"an honest distribution of {result['n_hypotheses']} would cover "
                 f"{calibrated['coverage_50']:.3f} and {calibrated['coverage_90']:.3f}"]  # fmt: skip
        if truth.get("percin") is not None:
            facts.append(f"the truth's own PercIn is {truth['percin']:.1f} %, its MinDist {truth['mindist_px']:.1f} px")
        lines += ["", "; ".join(facts).capitalize() + "."]
        top = result["methods"].get("top_ranked")
        if top and top.get("rank_correlation") is not None:
            share = top["difference"]["lower_share"]["mpve_mm"]
            lines += [
                "",
                f"Choosing one without the truth: the top-ranked has a smaller MPVE than the mean in {100 * share:.0f} "
                f"% of people; it is {report.cell(top, 'over_oracle_mm')} mm above the best, "
                f"{report.cell(top, 'under_random_mm')} mm below one drawn at random; rank correlation with the error "
                f"{report.cell(top, 'rank_correlation')}; MPVE {report.cell(top['difference'], DECIDES, signed=True)} "
                "against the mean.",
            ]
    return lines


SETS = ("default", "no_dat", "regressor_u", "full_trust", "sample_u", "single_u", "dat_full", "linear")
HYPOTHESES = [
    "The paper has no figures for its distributions. `best` is an oracle: the least error among the hypotheses, each "
    "figure choosing its own. Spread: mean distance to the hypotheses' mean. CRPS and energy score are proper scores, "
    "mm, lower is better. PercIn and MinDist are about landmarks that are hidden inside the picture.",
]


def details(results: dict[str, Result]) -> list[str]:
    lines = ["", "## By joint, and over time"]
    for name, result in results.items():
        kinds = result["methods"]["default"].get("per_joint_mm")
        if kinds:
            rows = [
                [joint.replace("_", " "), *(_digits(kinds[kind][joint]) for kind in kinds)] for joint in kinds["all"]
            ]
            head = ["", *(kind.replace("_", " ") for kind in kinds)]
            lines += ["", f"**{name}**, default, mm of each joint (hips aligned)", "", *report.grid(head, rows)]
        lines += _by_sight(name, result["methods"]["no_dat"])
        if "clips" in result:
            clips = {key: block for key, block in result["clips"].items() if isinstance(block, dict)}
            frames, people = result["clips"]["n_frames"], result["clips"]["n_sequences"]
            lines += [
                "", f"**{name}**, {frames} frames of {people} people in clips, every frame by itself; "
                "regressor_over_time knows 13 frames either way", "",
            ]  # fmt: skip
            lines += report.table(clips, ("mpjpe_mm", "pa_mpjpe_mm", "acceleration_mm"))
    return lines


def _by_sight(name: str, block: Result) -> list[str]:
    """How much farther apart the hypotheses of a joint are, and how much larger its error is, where it is hidden."""
    spread, error = block.get("per_joint_spread_mm"), block.get("per_joint_mm")
    if not spread or not error:
        return []
    rows, ratios = [], []
    for joint in spread["all"]:
        four = [kinds[kind][joint] for kinds in (spread, error) for kind in ("visible", "not_visible")]
        if None in four:
            continue
        ratios.append((four[1] / four[0], four[3] / four[2]))
        rows.append([joint.replace("_", " "), *map(_digits, four), *(f"{ratio:.2f}" for ratio in ratios[-1])])
    if not rows:
        return []
    apart, wrong = (float(np.mean(column)) for column in zip(*ratios, strict=True))
    head = ["", "spread, seen", "spread, hidden", "error, seen", "error, hidden", "spread ratio", "error ratio"]
    return [
        "", f"**{name}**, no_dat: the hypotheses of each joint where it is seen and where it is not, mm", "",
        *report.grid(head, rows), "",
        f"Hidden joints are {apart:.2f} times as far spread as seen ones, and {wrong:.2f} times as wrong.",
    ]  # fmt: skip


def _digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
