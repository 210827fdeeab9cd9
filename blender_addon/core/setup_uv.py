"""uv, the installer that the extension brings along: unpacked, run, and listened to."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from hmdiff_wire.errors import HmdiffError

from . import setup_place as place
from .process import NOT_FOR_THE_BACKEND

UNPACKED = 3.2
"""uv unpacks while it fetches: so many bytes on disk are one of the download (tools/lock_backend.py)."""
LOOK_SECONDS = 0.25
TAIL = 20_000
_BEGUN = re.compile(r"^\s*Downloading (\S+) \(([\d.]+)\s*(KiB|MiB|GiB)\)")
_FETCHED = re.compile(r"^\s*Downloaded (\S+)")
_UNIT = {"KiB": 1024 / 1e6, "MiB": 1024**2 / 1e6, "GiB": 1024**3 / 1e6}
_TROUBLE = (
    (r"os error 28|os error 112|No space left|not enough space", "setup.disk", "The disk is full.",
     "Make room, or choose another folder in the add-on's preferences, then press Go On."),
    (r"Hash mismatch|hash mismatch", "setup.damaged", "A package that was fetched is not the one that was published.",
     "Press Go On to fetch it again. If that does not help, something between you and the package index alters files."),
    (r"os error 13|os error 5\b|Permission denied|Access is denied", "setup.not_writable",
     "The folder for the backend cannot be written.", "Choose another folder in the add-on's preferences."),
    (r"dns error|Failed to fetch|failed to fetch|error sending request|timed out|[Cc]onnection|unreachable",
     "setup.network", "The internet connection broke off.",
     "Press Go On when it is back; what was fetched is kept."),
)  # fmt: skip

Heard = Callable[[str, float], None]
"""Told what is being fetched and how many MB are there by now."""


def unpack(wheel: Path, base: Path) -> Path:
    """uv's program out of its wheel, once. Raises OSError."""
    name = "uv.exe" if sys.platform == "win32" else "uv"
    target = base / "-".join(wheel.name.split("-")[:2]) / name
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as archive:
            inside = next(entry for entry in archive.namelist() if entry.endswith(f".data/scripts/{name}"))
            temporary = target.with_suffix(f".{os.getpid()}")
            temporary.write_bytes(archive.read(inside))
        temporary.chmod(0o755)
        os.replace(temporary, target)
    return target


class Uv:
    """child: the process that runs now, for whoever has to end it."""

    def __init__(self, program: Path, base: Path, log: Path) -> None:
        self.program, self.base, self.log = program, base, log
        self.child: subprocess.Popen[str] | None = None
        dropped = (*NOT_FOR_THE_BACKEND, "VIRTUAL_ENV", "CONDA_PREFIX", "PIP_TARGET", "PIP_USER", "PYTHONNOUSERSITE")
        self.environ = {name: value for name, value in os.environ.items() if name not in dropped}
        self.environ |= {
            "UV_CACHE_DIR": str(base / place.CACHE), "UV_PYTHON_INSTALL_DIR": str(base / place.PYTHONS),
            "UV_PYTHON_INSTALL_BIN": "0", "UV_PYTHON_INSTALL_REGISTRY": "0", "NO_COLOR": "1", "PYTHONUTF8": "1",
            "PYTHONNOUSERSITE": "1",
        }  # fmt: skip
        self.environ.setdefault("UV_HTTP_TIMEOUT", "60")

    @property
    def has_sources(self) -> bool:
        """The user, or the firm, says where packages come from; then nothing of ours is added to that."""
        return any(self.environ.get(name) for name in ("UV_FIND_LINKS", "UV_TORCH_BACKEND", "UV_OFFLINE"))

    def run(self, *words: str, heard: Heard = lambda text, megabytes: None) -> None:
        """``uv WORDS``. Errors: ``setup.network``, ``.disk``, ``.damaged``, ``.not_writable``, ``.failed``."""
        code, said = self.call([str(self.program), *words], heard)
        if code:
            raise trouble(said, f"uv {' '.join(words)}")

    def call(self, command: Sequence[str], heard: Heard = lambda text, megabytes: None) -> tuple[int, str]:
        """Exit code and the end of what it said; all of it goes into the log."""
        lines: queue.Queue[str | None] = queue.Queue()
        self.child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.base,
            env=self.environ, text=True, encoding="utf-8", errors="replace",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
        threading.Thread(target=_pass_on, args=(self.child.stdout, lines), daemon=True).start()
        said, open_sizes, fetched = "", dict[str, float](), 0.0
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"\n$ {' '.join(command)}\n")
            while True:
                try:
                    line = lines.get(timeout=LOOK_SECONDS)
                except queue.Empty:
                    line = ""
                if line is None:
                    break
                log.write(line)
                log.flush()
                said = (said + line)[-TAIL:]
                if begun := _BEGUN.match(line):
                    open_sizes[begun[1]] = float(begun[2]) * _UNIT[begun[3]]
                elif (over := _FETCHED.match(line)) and over[1] in open_sizes:
                    fetched += open_sizes.pop(over[1])
                if open_sizes:
                    part = min(0.97 * sum(open_sizes.values()), self._unfinished() / UNPACKED)
                    heard(" and ".join(sorted(open_sizes)[:2]), fetched + part)
        return self.child.wait(), said

    def _unfinished(self) -> float:
        """MB of what is being unpacked."""
        total = 0
        for folder in (self.base / place.CACHE).glob(".tmp*"):
            for inside, _, files in os.walk(folder):
                for file in files:
                    try:
                        total += os.stat(os.path.join(inside, file)).st_size
                    except OSError:
                        continue  # moved to its place meanwhile
        return total / 1e6


def trouble(said: str, what: str) -> HmdiffError:
    """What uv said in words for people."""
    for pattern, kind, message, fix in _TROUBLE:
        if re.search(pattern, said):
            return HmdiffError(kind, message, fix, f"{what}\n{said}")
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "no reason")
    return HmdiffError(
        "setup.failed", f"The backend could not be set up: {last.strip()[:160]}.",
        "Press Go On to try again; Copy Report has all of it.", f"{what}\n{said}",
    )  # fmt: skip


def _pass_on(stream: object, lines: queue.Queue[str | None]) -> None:
    for line in stream:  # type: ignore[attr-defined]
        lines.put(line)
    lines.put(None)
