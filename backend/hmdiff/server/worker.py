"""The worker process: one job at a time, for the server that started it. `python -m hmdiff.server.worker`."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq
from hmdiff_wire.codec import decode, encode
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import (
    Cancel,
    Cancelled,
    Error,
    FrameResult,
    Hello,
    JobDone,
    JobFailed,
    Message,
    Progress,
    Submit,
    error_data,
    from_packet,
    to_packet,
)
from numpy.typing import NDArray

from .access import kept_take
from .contract import JobFunction, JobHooks, JobOutcome, JobRequest
from .sockets import HOST
from .worker_process import TOKEN_VARIABLE

PROGRESS_SECONDS = 0.1


class Link:
    """The socket to the server. Used from the main thread only."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 2000)
        self._socket.connect(f"tcp://{HOST}:{port}")
        self._token = token

    def send(self, message: Message) -> None:
        self._socket.send_multipart(encode(to_packet(message, self._token)))

    def receive(self, wait: bool) -> Message | None:
        """None when there is nothing and ``wait`` is False."""
        try:
            return from_packet(decode(self._socket.recv_multipart(0 if wait else zmq.NOBLOCK)))
        except zmq.Again:
            return None

    def close(self) -> None:
        self._socket.close()
        zmq.Context.instance().term()


class Reporter:
    """The hooks of one job: progress with the time left, frames, and whether it was cancelled."""

    def __init__(self, link: Link, job: str) -> None:
        self.link, self.job = link, job
        self.stopped = False
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
        while not self.stopped and (message := self.link.receive(wait=False)) is not None:
            self.stopped = isinstance(message, Cancel) and message.job == self.job
        return self.stopped


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--jobs", required=True, metavar="MODULE:FUNCTION")
    parser.add_argument("--device", required=True)
    args = parser.parse_args()
    # Ctrl-C reaches the whole terminal; the server decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    link = Link(args.port, os.environ.pop(TOKEN_VARIABLE, ""))
    try:
        function = load_function(args.jobs)
    except Exception as error:
        link.send(Error(error_data(as_error(error))))
        link.close()
        sys.exit(1)
    link.send(Hello("worker"))
    while True:
        message = link.receive(wait=True)
        if isinstance(message, Submit):
            link.send(run(link, function, message, args.device))


def load_function(name: str) -> JobFunction:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def run(link: Link, function: JobFunction, submit: Submit, device: str) -> Message:
    """Run one job; the message that ends it."""
    take = Path(submit.take)
    reporter = Reporter(link, submit.job)
    request = JobRequest(
        submit.job, submit.kind, Path(submit.source), take, submit.options, tuple(map(Path, submit.outputs)), device
    )
    try:
        outcome: JobOutcome = function(request, reporter.hooks())
    except Exception as error:
        return JobFailed(submit.job, error_data(as_error(error)), kept_take(take))
    if outcome.cancelled:
        return Cancelled(submit.job, kept_take(take))
    return JobDone(
        submit.job, submit.take, outcome.frames, outcome.people, outcome.notes, tuple(map(str, outcome.outputs))
    )


def as_error(error: Exception) -> HmdiffError:
    """Any exception as a sentence and a fix; the traceback goes to the backend's log and into the detail."""
    if isinstance(error, HmdiffError):
        return error
    trace = "".join(traceback.format_exception(error))
    print(trace, file=sys.stderr, flush=True)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return HmdiffError(
            "memory", "The computer ran out of memory.", "Try fewer hypotheses or a shorter range of frames.",
            trace[-2500:],
        )  # fmt: skip
    if isinstance(error, ModuleNotFoundError):
        return HmdiffError(
            "install.incomplete", f"The Python package {error.name} is not installed.",
            "`hmdiff doctor` says how to get what is missing.", trace[-2500:],
        )  # fmt: skip
    return HmdiffError(
        "internal", f"Something broke inside hmdiff ({type(error).__name__}: {error}).",
        "Please report it with the backend's log.", trace[-2500:],
    )  # fmt: skip


def _end_with_the_server() -> None:
    """The server holds the other end of stdin; when it closes, by will or by death, there is nobody to compute for."""
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
