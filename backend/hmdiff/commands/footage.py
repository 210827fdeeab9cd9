"""What ``pose`` and ``animate`` share: options, the run with its progress bar, and the files that were asked for."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take, read_take

from ..video.animate import RunResult, run
from ..video.options import RunOptions
from ..video.outputs import write_output
from .output import Progress, print_json

STAGES = {"people": "Finding the people again", "bodies": "Finding bodies", "motion": "Smoothing motion"}


def run_options(args: argparse.Namespace) -> RunOptions:
    """Command-line arguments as options of a run."""
    first, last = getattr(args, "range", None) or (None, None)
    frame_range = None if first is None and last is None else (first or 0, last)
    return RunOptions(
        preset=args.preset, hypotheses=args.hypotheses, steps=args.steps, seed=args.seed, device=args.device,
        person=args.person, boxes=tuple(args.boxes), detector=args.detector, detector_models=args.detector_models,
        keypoints=args.keypoints, masks=args.masks, body=args.body, focal=args.focal,
        frame_range=frame_range, smooth=getattr(args, "smooth", None), raw_vertices=args.vertices,
    )  # fmt: skip


def run_command(args: argparse.Namespace, footage: Path, options: RunOptions) -> int:
    """Run, write every output, say what came out. Errors: ``nothing.nobody`` when nobody was found."""
    started = time.monotonic()
    with _take_folder(args) as folder:
        result = _run(footage, options, folder, replace_old=bool(args.take), resume=getattr(args, "resume", False))
        if not result.people:
            raise HmdiffError(
                "nothing.nobody", f"Nobody was found in {footage.name}.",
                "Mark the person with --boxes x0,y0,x1,y1, or give --keypoints from another detector.",
            )  # fmt: skip
        take = read_take(folder)
        written = [path for out in args.out for path in _write(args, take, footage, out)]
        report = _report(take, result, written, args.take, time.monotonic() - started)
    if args.json:
        print_json(report)
    else:
        _say(report)
    return 0


def _run(footage: Path, options: RunOptions, folder: Path, *, replace_old: bool, resume: bool) -> RunResult:
    bars: dict[str, Progress] = {}

    def on_progress(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            for bar in bars.values():
                bar.__exit__(None, None, None)
            bars[stage] = Progress(STAGES[stage], total or None)
        bars[stage].update(done)

    try:
        return run(footage, options, folder, on_progress, overwrite=replace_old, resume=resume)
    finally:
        if bars:
            list(bars.values())[-1].__exit__(None, None, None)


@contextmanager
def _take_folder(args: argparse.Namespace) -> Iterator[Path]:
    """The folder asked for, or one that goes away again when the outputs are written."""
    if args.take:
        yield args.take
        return
    folder = Path(tempfile.mkdtemp(prefix="hmdiff-take-"))
    try:
        yield folder / "take"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(args: argparse.Namespace, take: Take, footage: Path, out: Path) -> list[Path]:
    with Progress(f"Writing {out.name}", None) as bar:

        def heard(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done)

        return write_output(take, footage, out, heard, args.vertices, args.blender)


def _report(take: Take, result: RunResult, written: list[Path], kept: Path | None, seconds: float) -> dict[str, Any]:
    return {
        "written": [str(path) for path in written],
        "take": str(kept) if kept else None,
        "frames": result.frames,
        "frames_with_people": result.seen_frames,
        "people": [
            {"track_id": int(track), "frames": int(take.valid[person].sum())}
            for person, track in enumerate(take.track_ids)
        ],
        "hypotheses": take.n_hypotheses,
        "focal_px": take.header.focal,
        "focal_source": take.header.focal_source,
        "seconds": round(seconds, 2),
        "notes": list(result.notes),
    }


def _say(report: dict[str, Any]) -> None:
    people = ", ".join(f"person {p['track_id']} in {p['frames']} frames" for p in report["people"])
    print(f"{report['frames']} frames in {report['seconds']} s: {people}.")
    for note in report["notes"]:
        print(f"Note: {note}")
    for path in [*report["written"], *([report["take"]] if report["take"] else [])]:
        print(f"wrote {path}")
