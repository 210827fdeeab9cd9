"""`hmdiff batch`: many clips, one after another; what is done stays done, what failed says why."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hmdiff_wire.batch import Batch, Entry, read_batch
from hmdiff_wire.batch_page import quality_lines, spoken
from hmdiff_wire.errors import HmdiffError

from ..batch.plan import BATCH_FILE, plan
from ..batch.summary import write_summary
from ..batch.work import Orders, again, work_off
from ..server.options import run_options
from ..video.outputs import FROM_CLIP, check_outputs
from .footage import STAGES
from .output import Progress, print_json

FAILED_SOME = 4


def run(args: argparse.Namespace) -> int:
    """0 when every clip is done, 4 when some are not; Ctrl+C keeps what is done, and --resume goes on."""
    out = args.out
    batch = begin(args)
    if args.summary_only:
        print(write_summary(batch, out))
        return 0
    out.mkdir(parents=True, exist_ok=True)
    orders = Orders(out / BATCH_FILE, out, tuple(args.write), args.device, args.blender)
    bars = _Bars()
    try:
        batch = work_off(batch, orders, bars.before, bars.after)
    finally:
        bars.close()
        batch = read_batch(orders.file) if orders.file.is_file() else batch
        page = write_summary(batch, out)
        _say(batch, page, args.json)
    return 0 if batch.count("done") == len(batch.entries) else FAILED_SOME


def begin(args: argparse.Namespace) -> Batch:
    """What is to be done. Errors: those of ``plan`` and of the options; ``output.exists`` without --resume."""
    file = args.out / BATCH_FILE
    options = _options(args)
    run_options(options, args.device)
    check_outputs([Path(f"clip{ending}") for ending in args.write], FROM_CLIP, args.blender)
    if args.summary_only:
        return read_batch(args.footage if args.footage.suffix.lower() == ".json" else file)
    if not file.is_file():
        batch = plan(args.footage, args.out, options)
        return again(batch) if args.resume else batch
    if not args.resume:
        raise HmdiffError(
            "output.exists", f"{args.out} holds a batch already.",
            "Add --resume to go on with it, or choose another folder after -o.",
        )  # fmt: skip
    batch = again(read_batch(file))
    if args.footage.suffix.lower() == ".json" or not args.footage.exists():
        return batch
    return plan(args.footage, args.out, options, batch)  # what has come into the folder or the list since


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """As in a Submit message; what is at its default is left out."""
    given = {
        "preset": args.preset, "hypotheses": args.hypotheses, "steps": args.steps, "seed": args.seed or None,
        "person": None if args.person == "all" else args.person, "smooth": args.smooth,
        "detector": None if args.detector == "blazepose" else args.detector,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


class _Bars:
    """A line per clip, a progress bar per stage."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._stage = ""

    def before(self, entry: Entry, place: int, total: int):
        print(f"[{place}/{total}] {entry.name}", flush=True)

        def on_progress(stage: str, done: int, of: int) -> None:
            if stage != self._stage or self._bar is None:
                self.close()
                self._bar, self._stage = Progress(STAGES.get(stage, stage), of or None), stage
            self._bar.update(done)

        return on_progress

    def after(self, entry: Entry) -> None:
        self.close()
        if entry.state == "done":
            print(f"    done in {entry.seconds:.0f} s: {', '.join(quality_lines(entry.quality))}", flush=True)
        elif entry.problem:
            print(f"    {entry.state}: {entry.problem['message']} {entry.problem['fix']}", flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
        self._bar, self._stage = None, ""


def _say(batch: Batch, page: Path, as_json: bool) -> None:
    if as_json:
        print_json({"batch": asdict(batch), "summary": str(page)})
        return
    print(spoken(batch))
    for entry in batch.entries:
        if entry.state != "done":
            problem = entry.problem or {}
            why = f": {problem.get('message', '')} {problem.get('fix', '')}" if problem else ""
            print(f"  {entry.state}  {entry.name}{why}")
    print(f"wrote {page}")
