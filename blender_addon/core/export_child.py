"""The second Blender of an export: started, heard, ended. Nothing waits here but for the end of what was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError

from .export_rules import Order, Progress, error_of, parse, place, sweep
from .state import Problem

ORDER, RESULT = "order.json", "result.json"
LOG_LINES = 60
LAST_WORDS_S = 2.0
"""So long its output is waited for after its end; something that it started may keep it open."""


class ExportChild:
    """progress: of the newest; written: its files once it has ended well; problem: why not. ``poll`` it until it is not
    running.
    """

    def __init__(self) -> None:
        self.order: Order | None = None
        self.progress = Progress()
        self.written: list[Path] = []
        self.problem: Problem | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._reader: threading.Thread | None = None
        self._ended = 0.0

    @property
    def running(self) -> bool:
        return self._child is not None

    def start(self, command: Sequence[str], order: Order, folder: Path) -> None:
        """folder: of this export alone, with ORDER in it; it holds all that is temporary and goes when the export ends.

        Errors: ``export.no_blender``.
        """
        self.order, self.progress, self.written, self.problem = order, Progress(), [], None
        self._folder, self._ended = folder, 0.0
        self._log.clear()
        places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
        try:
            self._child = subprocess.Popen(
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder,
                env={**os.environ, "PYTHONUTF8": "1", **places},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0), start_new_session=sys.platform != "win32",
            )  # fmt: skip
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise HmdiffError(
                "export.no_blender", "A second Blender could not be started for the export.",
                "Check that Blender's program is where it was when this one started.", repr(error),
            ) from error  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True)
        self._reader.start()

    def poll(self) -> bool:
        """True when it has just ended."""
        child, order, reader = self._child, self.order, self._reader
        if child is None or order is None or child.poll() is None:
            return False
        self._ended = self._ended or time.monotonic()
        if reader is not None and reader.is_alive() and time.monotonic() - self._ended < LAST_WORDS_S:
            return False
        result = _read_json(self._folder / RESULT)
        try:
            if not isinstance(result, dict) or "written" not in result:
                raise error_of(result, f"exit code {child.returncode}\n{self.log_tail()}")
            self.written = place([Path(path) for path in result["written"]], order)
        except HmdiffError as error:
            self.problem = Problem.from_error(error)
        self._clear()
        return True

    def stop(self) -> None:
        """End it at once; what it has begun to write goes, a file that was there before stays."""
        if self._child is None:
            return
        if sys.platform == "win32":
            self._child.kill()
        else:
            try:
                os.killpg(self._child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._child.wait()
        self._clear()

    def log_tail(self) -> str:
        return "\n".join(self._log)

    def _read(self, output: Any) -> None:
        """In a thread of its own: until the output ends."""
        for line in iter(output.readline, b""):
            text = line.decode("utf-8", "replace").rstrip()
            told = parse(text)
            if told is not None:
                self.progress = told
            elif text:
                self._log.append(text)
        output.close()

    def _clear(self) -> None:
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
        if self._reader is not None:
            self._reader.join(LAST_WORDS_S / 10)
        self._child = self._reader = None
        if self.order is not None:
            sweep(self.order)
        shutil.rmtree(self._folder, ignore_errors=True)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
