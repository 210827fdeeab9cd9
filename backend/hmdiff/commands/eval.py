"""`hmdiff eval`: how good the models are, measured."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from ..evaluation.benchmarks import check_name, run_benchmark
from ..evaluation.settings import EvalSettings, shared_folder
from .output import Progress


def run(args: argparse.Namespace) -> int:
    check_name(args.benchmark)
    settings = EvalSettings(
        args.preset, args.hypotheses, args.steps, args.seed, args.device, args.limit, shared_folder(),
        args.methods, args.sweep, args.weights,
    )  # fmt: skip
    result = _run(args.benchmark, settings)
    from ..evaluation.report import markdown, write_json

    text = markdown(result)
    if args.json:
        write_json(args.json, result)
    if args.markdown:
        args.markdown.parent.mkdir(parents=True, exist_ok=True)
        args.markdown.write_text(text + "\n", encoding="utf-8")
    print(text, flush=True)
    return 0


def _run(name: str, settings: EvalSettings) -> dict[str, object]:
    with ExitStack() as closing:
        bar: Progress | None = None

        def on_progress(stage: str, done: int, total: int) -> None:
            nonlocal bar
            if bar is None or bar.total != (total or None):  # other work: one bar at a time
                closing.close()
                bar = closing.enter_context(Progress("", total or None))
            bar.label = stage[:1].upper() + stage[1:] if stage.startswith("making") else f"Measuring {stage}"
            bar.update(done)

        return run_benchmark(name, settings, on_progress)
