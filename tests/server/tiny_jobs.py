"""A job without torch, for the worker of the tests; its options say what happens in it."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
from hmdiff.server.contract import JobHooks, JobOutcome, JobRequest
from hmdiff_wire.errors import HmdiffError


def work(request: JobRequest, hooks: JobHooks) -> JobOutcome:
    """Gives ``frames`` frames of one (24, 3) array, ``delay`` seconds each; ``kill_at``, ``raise_at``, ``exit_at`` a
    frame; ``deaf`` never asks whether to stop; ``padding`` more float32 per frame.
    """
    options = request.options
    frames = options.get("frames", 3)
    request.take.mkdir(parents=True, exist_ok=True)
    (request.take / "manifest.json").write_text("{}", encoding="utf-8")
    print("a library that chats on stdout")
    for index in range(frames):
        time.sleep(options.get("delay", 0))
        if index == options.get("kill_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        if index == options.get("exit_at"):
            sys.exit(7)
        if index == options.get("raise_at"):
            if options.get("foreseen"):
                raise HmdiffError("input.unreadable", "It cannot be read.", "Convert it.")
            raise ZeroDivisionError("division by zero")
        joints = np.full((1, 24, 3), index, np.float32)
        hooks.on_frame(
            index, index / 30, {"joints": joints, "padding": np.zeros(options.get("padding", 0), np.float32)}
        )
        hooks.on_progress("bodies", index + 1, frames)
        if not options.get("deaf") and hooks.should_stop():
            return JobOutcome(index + 1, (0,), cancelled=True)
    return JobOutcome(frames, (0,), (f"pid {os.getpid()}",), request.outputs)


def pixels(request: JobRequest, hooks: JobHooks) -> JobOutcome:
    """Gives every pushed picture back."""
    assert request.frames is not None
    count = 0
    for frame in request.frames:
        count += 1
        assert frame.image.dtype == np.uint8
        hooks.on_frame(frame.index, frame.time, {"image": frame.image})
    return JobOutcome(count, ())
