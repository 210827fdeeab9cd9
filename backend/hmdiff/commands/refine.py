"""`hmdiff refine`: a take in, a better version of it out."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from hmdiff_wire.take import Take, read_take
from hmdiff_wire.take_version import next_version, original_of, read_version

from ..refine.outside.formats import read_outside
from ..refine.outside.make_take import make_take
from ..refine.plan import Plan, make_plan
from ..refine.reading import edit_from
from ..refine.request import RefineRequest
from ..refine.take_refiner import Hooks, RefinedTake, refine_take
from ..refine.version import write_refined
from ..video.outputs import FROM_CLIP, FROM_PHOTO, check_outputs, write_output
from .output import Progress, print_json
from .refine_arguments import folders, request_of

THOUSANDTHS = 1000


def run(args: argparse.Namespace) -> int:
    """Errors: those of the request, the plan, the refinement, the version and the outputs."""
    started = time.monotonic()
    request = request_of(args)
    files = [path for path in args.out if path not in folders(args)]
    source, notes = _source(args)
    target = next_version(source) if source != args.take or not folders(args) else folders(args)[0]
    take = read_take(source)
    check_outputs(files, FROM_PHOTO if take.header.source_kind == "image" else FROM_CLIP, args.blender)
    before = tuple(edit_from(one) for one in read_version(source).edits)
    original = original_of(source)
    plan = make_plan(take, request, before, read_take(original) if original != source and original.is_dir() else None)
    found = _refine(take, plan, request)
    write_refined(take, target, plan, request, found.people)
    written = _write(args, target, take, files)
    report = _report(target, written, (*notes, *found.notes), found, plan, time.monotonic() - started)
    if args.json:
        print_json(report)
    else:
        _say(report)
    return 0


def _source(args: argparse.Namespace) -> tuple[Path, tuple[str, ...]]:
    """The take to refine: another program's result becomes one first, where -o says. Errors: ``outside.*``."""
    if args.take.is_dir():
        return args.take, ()
    folder = folders(args)[0]
    outside = read_outside(args.take)
    bars: dict[str, Progress] = {}

    def heard(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            bars[stage] = Progress({"reading": "Watching the video"}.get(stage, "Drawing hypotheses"), total or None)
        bars[stage].update(done)

    notes = make_take(outside, args.video, folder, args.focal, heard)
    return folder, (f"The result of {outside.source} is the take {folder}; what was refined is its version 2.", *notes)


def _refine(take: Take, plan: Plan, request: RefineRequest) -> RefinedTake:
    with Progress("Refining", THOUSANDTHS) as bar:
        return refine_take(take, plan, request, Hooks(lambda share: bar.update(int(THOUSANDTHS * share))))


def _write(args: argparse.Namespace, target: Path, take: Take, files: list[Path]) -> list[Path]:
    written: list[Path] = []
    for path in files:
        with Progress(f"Writing {path.name}", None) as bar:
            footage = Path(take.header.source_path)
            written += write_output(read_take(target), footage, path, lambda done, total: bar.update(done))
    return written


def _report(
    target: Path, written: list[Path], notes: tuple[str, ...], found: RefinedTake, plan: Plan, seconds: float
) -> dict[str, Any]:
    return {
        "take": str(target),
        "version": read_version(target).number,
        "written": [str(path) for path in written],
        "people": [
            {"track_id": one.plan.track_id, "frames_changed": int(one.changed.sum())} for one in found.people
        ],
        "edits_in_force": len(plan.edits),
        "seconds": round(seconds, 2),
        "notes": list(notes),
    }  # fmt: skip


def _say(report: dict[str, Any]) -> None:
    people = ", ".join(f"person {one['track_id']} in {one['frames_changed']} frames" for one in report["people"])
    print(f"Changed {people or 'nothing'} in {report['seconds']} s.")
    for note in report["notes"]:
        print(f"Note: {note}")
    for path in [*report["written"], report["take"]]:
        print(f"wrote {path}")
