"""The worker process: one job at a time, for the server that started it. `python -m hmdiff.server.worker`."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hmdiff_wire.messages import (
    Cancelled,
    Error,
    FrameResult,
    Hello,
    JobDone,
    JobFailed,
    Message,
    Progress,
    Submit,
)
from hmdiff_wire.packing import error_data
from numpy.typing import NDArray

from .access import kept_take
from .contract import JobFunction, JobHooks, JobOutcome, JobRequest, WarmUp
from .failures import as_error
from .feed import pushed_frames
from .link import Link
from .priority import step_back
from .worker_process import TOKEN_VARIABLE

PROGRESS_SECONDS = 0.1


class Reporter:
    """The hooks of one job: progress with the time left, frames, and whether it was cancelled."""

    def __init__(self, link: Link, job: str) -> None:
        self.link, self.job = link, job
        self._stage, self._first, self._said = "", (0.0, 0), 0.0

    def hooks(self) -> JobHooks:
        return JobHooks(self.on_progress, self.on_frame, self.should_stop)

    def on_progress(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._first, self._said = stage, (now, done), 0.0
        if now - self._said < PROGRESS_SECONDS and done != total:
            return
        self._said = now
        self.link.send(Progress(self.job, stage, int(done), int(total), self._seconds_left(now, done, total)))

    def _seconds_left(self, now: float, done: int, total: int) -> float | None:
        """By the pace since the stage's first report: the time before that one went into loading, not into frames."""
        then, first = self._first
        if done >= total:
            return 0.0 if total else None
        return (total - done) * (now - then) / (done - first) if done > first else None

    def on_frame(self, index: int, seconds: float, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.link.send(FrameResult(self.job, int(index), float(seconds), arrays))

    def should_stop(self) -> bool:
        return self.link.is_cancelled(self.job)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--jobs", required=True, metavar="MODULE:FUNCTION")
    parser.add_argument("--device", required=True)
    parser.add_argument("--gentle", action="store_true")
    args = parser.parse_args()
    if args.gentle:
        step_back()
    # Ctrl-C reaches the whole terminal; the server decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    link = Link(args.port, os.environ.pop(TOKEN_VARIABLE, ""))
    try:
        function, warm_up = load_functions(args.jobs)
    except Exception as error:
        link.send(Error(error_data(as_error(error))))
        link.close()
        sys.exit(1)
    link.send(Hello("worker"))
    prepare(warm_up, args.device, link)
    while True:
        submit = link.next_job()
        link.send(run(link, function, submit, args.device))


def load_functions(name: str) -> tuple[JobFunction, WarmUp | None]:
    """``module:function`` -> it, and the module's ``warm_up`` if it has one."""
    module_name, _, function = name.partition(":")
    module = importlib.import_module(module_name)
    return getattr(module, function), getattr(module, "warm_up", None)


def prepare(warm_up: WarmUp | None, device: str, link: Link) -> None:
    """Load before the first job what it needs, unless that job is there; what goes wrong, it will say as well."""
    if warm_up:
        try:
            warm_up(device, link.has_job)
        except Exception as error:
            print(f"hmdiff serve: warming up: {as_error(error)}", file=sys.stderr, flush=True)


def run(link: Link, function: JobFunction, submit: Submit, device: str) -> Message:
    """Run one job; the message that ends it."""
    take = Path(submit.take)
    reporter = Reporter(link, submit.job)
    frames = pushed_frames(link, submit) if submit.input == "frames" else None
    request = JobRequest(
        submit.job, submit.kind, Path(submit.source), take, submit.options, tuple(map(Path, submit.outputs)), device,
        submit.resume, frames, submit.stream,
    )  # fmt: skip
    try:
        outcome: JobOutcome = function(request, reporter.hooks())
    except Exception as error:
        return JobFailed(submit.job, error_data(as_error(error, take)), kept_take(submit.take))
    if outcome.cancelled:
        return Cancelled(submit.job, kept_take(submit.take))
    return JobDone(
        submit.job, submit.take, outcome.frames, outcome.people, outcome.notes, tuple(map(str, outcome.outputs))
    )


def _end_with_the_server() -> None:
    """The server holds the other end of stdin; when it closes, by will or by death, there is nobody to compute for."""
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
