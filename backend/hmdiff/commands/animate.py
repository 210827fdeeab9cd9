"""`hmdiff animate`: a video in, animated bodies out; with --views several cameras in, one motion of each person out."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from hmdiff_wire.take import read_take

from ..video.outputs import write_output
from .footage import run_command, run_options
from .output import Progress, print_json


def run(args: argparse.Namespace) -> int:
    if args.views:
        return run_cameras(args)
    return run_command(args, args.videos[0], run_options(args))


def run_cameras(args: argparse.Namespace) -> int:
    """Errors: those of ``run_views`` and of the outputs."""
    from ..views.run import cameras_folder, run_views

    started = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="hmdiff-views-")) if not args.take else None
    folder = args.take or (place or Path()) / "views.take"
    bars: dict[str, Progress] = {}

    def heard(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            _close(bars)
            bars[stage] = Progress(stage.capitalize(), total or None)
        bars[stage].update(done)

    try:
        result = run_views(args.videos, run_options(args), folder, args.calibration, args.offsets, heard)
        _close(bars)
        written = [path for out in args.out for path in write_output(read_take(folder), args.videos[0], out, _quiet)]
        report = {
            "written": [str(path) for path in written], "take": str(args.take) if args.take else None,
            "cameras": str(cameras_folder(folder)) if args.take else None, "frames": result.frames,
            "offsets": [round(one, 4) for one in result.offsets], "notes": list(result.notes),
            "seconds": round(time.monotonic() - started, 2),
        }  # fmt: skip
    finally:
        if place:
            shutil.rmtree(place, ignore_errors=True)
    if args.json:
        print_json(report)
        return 0
    print(f"{report['frames']} frames of {len(args.videos)} cameras in {report['seconds']} s.")
    for note in result.notes:
        print(f"Note: {note}")
    for path in [*report["written"], *([report["take"]] if report["take"] else [])]:
        print(f"wrote {path}")
    return 0


def _quiet(done: int, total: int) -> None:
    """Writing is a matter of seconds."""


def _close(bars: dict[str, Progress]) -> None:
    if bars:
        list(bars.values())[-1].__exit__(None, None, None)
