"""What a command says: progress with the time left on stderr, the result on stdout, as text or as JSON."""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType
from typing import Any, TextIO

BAR_WIDTH = 24
TERMINAL_SECONDS, LOG_SECONDS = 0.1, 10.0


def print_json(data: dict[str, Any]) -> None:
    print(json.dumps(data, indent=2, allow_nan=False), flush=True)


def clock(seconds: float) -> str:
    """61.4 -> '1:01', 3700 -> '1:01:40'."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


class Progress:
    """``with Progress("Finding people", total) as progress: progress.update(done)``; total None when not known.

    A bar that redraws itself on a terminal; elsewhere (a log, a pipe) a plain line every ten seconds.
    """

    def __init__(self, label: str, total: int | None, stream: TextIO | None = None) -> None:
        self.label, self.total, self.stream = label, total, stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.started = self.shown = time.monotonic()
        self.done = 0

    def __enter__(self) -> Progress:
        return self

    def update(self, done: int) -> None:
        self.done = done
        now = time.monotonic()
        if now - self.shown >= (TERMINAL_SECONDS if self.terminal else LOG_SECONDS):
            self.shown = now
            self._write(self.line(now - self.started), end="" if self.terminal else "\n")

    def line(self, elapsed: float) -> str:
        if not self.total:
            return f"{self.label}: {self.done}, {clock(elapsed)} so far"
        share = min(self.done / self.total, 1.0)
        filled = int(share * BAR_WIDTH)
        left = f", {clock(elapsed * (1 - share) / share)} left" if share > 0 else ""
        return f"{self.label} [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {self.done}/{self.total}{left}"

    def _write(self, text: str, end: str) -> None:
        # "\x1b[K" clears what a longer line left behind.
        self.stream.write(f"\r{text}\x1b[K{end}" if self.terminal else text + end)
        self.stream.flush()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        word = "stopped after" if kind else "took"
        self._write(f"{self.label}: {self.done}, {word} {clock(time.monotonic() - self.started)}", end="\n")
