"""`hmdiff eval`: how good the models are, measured."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from ..evaluation.benchmarks import check_name, run_benchmark
from ..evaluation.settings import EvalSettings, shared_folder
from .output import Progress

STAGES = {"people": "Measuring people", "video": "Measuring videos", "photos": "Measuring photos", "demo": "Measuring"}


def run(args: argparse.Namespace) -> int:
    check_name(args.benchmark)
    settings = EvalSettings(
        args.preset, args.hypotheses, args.steps, args.seed, args.device, args.limit, shared_folder()
    )
    result = _run(args.benchmark, settings)
    from ..evaluation.report import markdown, write_json

    if args.json:
        write_json(args.json, result)
    print(markdown(result), flush=True)
    return 0


def _run(name: str, settings: EvalSettings) -> dict[str, object]:
    with ExitStack() as closing:
        bars: dict[str, Progress] = {}

        def on_progress(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                closing.close()  # one bar at a time
                bars[stage] = closing.enter_context(Progress(STAGES.get(stage, stage), total or None))
            bars[stage].update(done)

        return run_benchmark(name, settings, on_progress)
