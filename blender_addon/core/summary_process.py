"""The page about the queue, made by the backend's command line beside Blender."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .locate import command_environ
from .process import NOT_FOR_THE_BACKEND
from .state import Problem


class SummaryProcess:
    """page: the newest one made; problem: why there is none; ``poll`` it until it is not running."""

    def __init__(self) -> None:
        self.page: Path | None = None
        self.problem: Problem | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._out = Path()

    @property
    def running(self) -> bool:
        return self._child is not None

    def start(self, command: Sequence[str], batch: Path, out: Path) -> None:
        """command: as ``locate.find_command`` gives it. A second one while one is being made is left out."""
        if self._child is not None:
            return
        self.page, self.problem, self._out = None, None, out
        environ = {name: value for name, value in os.environ.items() if name not in NOT_FOR_THE_BACKEND}
        try:
            out.mkdir(parents=True, exist_ok=True)
            with open(out / "summary.log", "wb") as log:
                self._child = subprocess.Popen(
                    [*command, "batch", str(batch), "-o", str(out), "--summary-only"], stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, cwd=out, env={**environ, "PYTHONUTF8": "1", **command_environ(command)},
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0), start_new_session=sys.platform != "win32",
                )  # fmt: skip
        except OSError as error:
            self.problem = _not_made(repr(error))

    def poll(self) -> bool:
        """True when it has just ended."""
        if self._child is None or self._child.poll() is None:
            return False
        code, self._child = self._child.returncode, None
        page = self._out / "summary.html"
        if code == 0 and page.is_file():
            self.page = page
        else:
            self.problem = _not_made(_tail(self._out / "summary.log"))
        return True

    def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


def _not_made(detail: str) -> Problem:
    return Problem(
        "queue.no_summary", "The summary of the queue could not be made.", "The takes are there all the same.", detail
    )


def _tail(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-3000:]
    except OSError:
        return ""
