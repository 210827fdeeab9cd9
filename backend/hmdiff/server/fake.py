"""The backend without its models: `python -m hmdiff.server.fake` takes what `hmdiff serve` takes, and knobs.

Same server, same worker process, same messages; its jobs never look into the footage but let bodies walk, into a real
take. A knob can also come with one job, as ``{"fake": {"die_at": 5}}`` in its options. Faults spare resumed jobs, so
that a fault and what repairs it can be tried one after the other. Nothing here imports torch.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.body import load_body
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import TakeHeader, TakeWriter, read_take

from .. import __version__
from .arguments import add_serve
from .contract import JobHooks, JobOutcome, JobRequest
from .fake_refine import refine_job
from .fake_walk import Camera, Walkers, track_betas
from .options import frame_option, run_options
from .rows import frame_arrays

JOBS = "hmdiff.server.fake:run_job"
VARIABLE = "HMDIFF_FAKE"
BODY = Path(__file__).parent.parent / "data" / "body.npz"
WIDTH, HEIGHT, FPS, BATCH = 640, 360, 30.0, 16
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Knobs:
    """frames of a clip; people in it; delay: seconds per frame; hypotheses; the others: frame index at which a job
    fails with a sentence, runs out of memory, loses its worker, or finds the disk full, -1 for never.
    """

    frames: int = 60
    people: int = 1
    delay: float = 0.0
    hypotheses: int = 5
    fail_at: int = -1
    oom_at: int = -1
    die_at: int = -1
    fill_disk_at: int = -1


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hmdiff.server.fake", description="The backend without its models.")
    add_serve(parser)
    for one in fields(Knobs):
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=type(one.default), default=one.default, metavar="N")
    args = parser.parse_args(argv)
    os.environ[VARIABLE] = json.dumps({one.name: getattr(args, one.name) for one in fields(Knobs)})
    from .program import run

    try:
        return run(args, JOBS)
    except HmdiffError as error:
        print(f"hmdiff.server.fake: {error}", file=sys.stderr)
        return 2


def run_job(request: JobRequest, hooks: JobHooks) -> JobOutcome:
    """As ``jobs.run_job``: same arguments, same take, same arrays."""
    knobs = _knobs(request)
    if request.frames is None and "%" not in request.source.name and not request.source.exists():
        raise HmdiffError("input.not_found", f"There is no file {request.source}.", "Check the name and the folder.")
    if request.kind == "refine":
        return refine_job(request, hooks, knobs.delay, knobs.fail_at)
    if request.outputs:
        raise HmdiffError("output.unknown_kind", "The fake writes takes only.", "Ask `hmdiff serve` for files.")
    if request.kind == "people":
        return _people(request, hooks, knobs)
    writer = _writer(request, knobs)
    header, first = writer.header, writer.next_frame
    walkers = Walkers(load_body(BODY), Camera(header.focal, header.width, header.height))
    total = 0 if request.frames is not None else _span(request, knobs)[1] - _span(request, knobs)[0]
    hooks.on_progress("bodies", 0, total)
    cancelled, done = False, 0
    for done, (index, seconds) in enumerate(_frames(request, knobs), start=1):
        if index >= first:
            if not request.resume:
                _fault(knobs, index)
            rows = [walkers.row(track, index, seconds, header.n_hypotheses) for track in range(knobs.people)]
            writer.write_frame(index, seconds, header.focal, rows)
            hooks.on_frame(index, seconds, frame_arrays(rows))
            time.sleep(knobs.delay)
        if done % BATCH == 0:
            hooks.on_progress("bodies", done, total)
            if hooks.should_stop():
                cancelled = True
                break
    cancelled = cancelled or hooks.should_stop()
    hooks.on_progress("bodies", done, done)
    writer.flush()
    _finish_tracks(writer, walkers, hooks)
    writer.finish("cancelled" if cancelled else "complete")
    return JobOutcome(done, tuple(range(knobs.people)), ("Nothing of this is real.",), (), cancelled)


def _knobs(request: JobRequest) -> Knobs:
    """Those of the command line, those of the job, and what the real options would change."""
    given = {**json.loads(os.environ.get(VARIABLE, "{}")), **request.options.get("fake", {})}
    if request.kind == "refine":
        return Knobs(**given)
    _, others = frame_option({name: value for name, value in request.options.items() if name != "fake"})
    asked = run_options(others, request.device)
    knobs = Knobs(**given)
    people = len(asked.boxes) or (min(knobs.people, 1) if asked.person == "largest" else knobs.people)
    return replace(knobs, people=people, hypotheses=asked.hypotheses or knobs.hypotheses)


def _span(request: JobRequest, knobs: Knobs) -> tuple[int, int]:
    """First frame and end of what is asked for."""
    if request.kind == "pose":
        return 0, 1
    first, end = request.options.get("frame_range") or (0, None)
    return min(first or 0, knobs.frames), min(knobs.frames if end is None else end, knobs.frames)


def _frames(request: JobRequest, knobs: Knobs) -> Iterator[tuple[int, float]]:
    if request.frames is not None:
        for frame in request.frames:
            yield frame.index, frame.time
    else:
        for index in range(*_span(request, knobs)):
            yield index, index / FPS


def _writer(request: JobRequest, knobs: Knobs) -> TakeWriter:
    if request.resume:
        return TakeWriter.resume(request.take)
    width, height = request.stream.get("width", WIDTH), request.stream.get("height", HEIGHT)
    focal = request.options.get("focal")
    if request.kind == "pose":
        kind, count = "image", 1
    elif request.source.is_dir() or "%" in request.source.name or request.source.suffix.lower() in PICTURES:
        kind, count = "sequence", knobs.frames
    else:
        kind, count = "video", knobs.frames
    header = TakeHeader(
        source_path=str(request.source), source_kind=kind, width=width, height=height,
        fps=float(request.stream.get("fps", FPS)), n_frames=None if request.frames is not None else count,
        body_name="free", preset=request.options.get("preset") or "default", n_hypotheses=knobs.hypotheses,
        seed=request.options.get("seed") or 0, focal=float(focal or np.hypot(width, height)),
        focal_source="user" if focal else "assumed", tool_version=__version__,
        settings={**request.options, "fake": asdict(knobs)},
    )  # fmt: skip
    return TakeWriter.create(request.take, header, BODY)


def _finish_tracks(writer: TakeWriter, walkers: Walkers, hooks: JobHooks) -> None:
    take = read_take(writer.folder, raw=True)
    for person in range(take.n_people):
        track, here = int(take.track_ids[person]), np.flatnonzero(take.valid[person])
        pose, transl, joints = walkers.walk(track, take.times[here])
        points = walkers.camera.project(joints)
        writer.set_track(track, track_betas(track), take.frame_indices[here], pose, transl, joints, points)
        hooks.on_progress("motion", person + 1, take.n_people)
    if take.header.source_kind != "image" and take.n_people:
        writer.set_up((0.0, -1.0, 0.0), "estimated")


def _people(request: JobRequest, hooks: JobHooks, knobs: Knobs) -> JobOutcome:
    """Who is in one frame: ``box`` (P,4) px, ``score`` (P,), ``thumbnail`` (P,96,96,3) RGB, a colour for each."""
    index, _ = frame_option({name: value for name, value in request.options.items() if name != "fake"})
    seconds = index / FPS
    if request.frames is not None:
        pushed = next(request.frames, None)
        if pushed is None:
            return JobOutcome(0, (), cancelled=hooks.should_stop())
        index, seconds = pushed.index, pushed.time
    _fault(knobs, index)
    width, height = request.stream.get("width", WIDTH), request.stream.get("height", HEIGHT)
    walkers = Walkers(load_body(BODY), Camera(float(np.hypot(width, height)), width, height))
    rows = [walkers.row(track, index, seconds, 0) for track in range(knobs.people)]
    colours = np.random.default_rng(5).integers(40, 255, (knobs.people, 1, 1, 3), np.uint8)
    arrays: dict[str, Any] = {
        "box": np.array([one.box for one in rows], "<f4").reshape(-1, 4),
        "score": np.linspace(0.95, 0.6, knobs.people, dtype="<f4"),
        "thumbnail": np.ascontiguousarray(np.broadcast_to(colours, (knobs.people, 96, 96, 3))),
    }
    time.sleep(knobs.delay)
    hooks.on_frame(index, seconds, arrays)
    return JobOutcome(1, tuple(range(knobs.people)))


def _fault(knobs: Knobs, index: int) -> None:
    if index == knobs.fail_at:
        raise HmdiffError("input.unreadable", f"Frame {index} cannot be read.", "Convert the clip and try again.")
    if index == knobs.oom_at:
        raise MemoryError(f"frame {index}")
    if index == knobs.fill_disk_at:
        raise OSError(errno.ENOSPC, "No space left on device")
    if index == knobs.die_at:
        if hasattr(signal, "SIGKILL"):
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
