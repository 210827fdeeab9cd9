"""The files a backend leaves in the add-on's folder: its READY line, who started it, its log.

Several Blenders share the folder, and the backend that the first of them started; one that cannot use it (another
version, no answer) takes a folder of its own inside.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .alive import is_alive

READY, STARTED, LOG, OLD_LOG = "ready.json", "started.json", "backend.log", "backend.log.1"
_OWN = re.compile(r"blender-(\d+)")
_TOKEN = re.compile(r'("token":\s*")[^"]*')
TAIL_BYTES = 32 * 1024


@dataclass(frozen=True)
class Found:
    """A READY line whose process lives. ours: this very Blender started it, before the add-on was loaded again."""

    place: Path
    ready: Mapping[str, Any]
    ours: bool


def read_json(path: Path) -> dict[str, Any]:
    """{} where there is no such file or it is not a JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def pid_of(ready: Mapping[str, Any], name: str = "pid") -> int:
    """0 where there is none."""
    pid = ready.get(name)
    return pid if isinstance(pid, int) and not isinstance(pid, bool) else 0


def own_place(folder: Path) -> Path:
    return folder / f"blender-{os.getpid()}"


def find(folder: Path) -> Found | None:
    """A backend this Blender may use: its own, one that another Blender has started, or a person. Files of dead ones
    are removed.
    """
    for place in (own_place(folder), folder):
        ready = read_json(place / READY)
        if not is_alive(pid_of(ready)):
            forget(place)
            continue
        parent = pid_of(read_json(place / STARTED), "parent")
        return Found(place, ready, ours=parent == os.getpid())
    return None


def free_place(folder: Path) -> Path:
    """Where a new backend's files go; made if need be. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        owner = _OWN.fullmatch(entry.name)
        if owner and not is_alive(int(owner[1])):
            shutil.rmtree(entry, ignore_errors=True)
    if not (folder / READY).exists():
        return folder
    own_place(folder).mkdir(exist_ok=True)
    return own_place(folder)


def forget(place: Path) -> None:
    """Remove what says that a backend runs here; the log stays."""
    for name in (READY, STARTED):
        try:
            (place / name).unlink(missing_ok=True)
        except OSError:
            continue  # held open by somebody on Windows; it is recognised as stale next time too


def mark_started(place: Path) -> None:
    (place / STARTED).write_text(json.dumps({"parent": os.getpid()}), encoding="utf-8")


def open_log(place: Path) -> Any:
    """The new log, the one before kept beside it. Raises OSError."""
    try:
        os.replace(place / LOG, place / OLD_LOG)
    except OSError:
        pass  # none yet, or on Windows still open in a backend that is ending: then it is appended to
    handle = os.open(place / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(handle, "ab")


def log_tail(place: Path, lines: int) -> str:
    """The log's last lines, without the token."""
    try:
        with open(place / LOG, "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return _TOKEN.sub(r"\1...", "\n".join(text.splitlines()[-lines:]))
