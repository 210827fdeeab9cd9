"""What the set-up's process tells the add-on: one small JSON file, replaced in one step."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError

from .ready_files import pid_of, read_json

EVERY_SECONDS = 0.2


@dataclass(frozen=True)
class Told:
    """pid: of the set-up; state: ``running``, ``done`` or ``failed``; text: what is being done, as a sentence without
    its full stop; share: 0 to 1 of the whole; eta: seconds left, None while unknown; error: of a failed one.
    """

    pid: int
    state: str
    text: str
    share: float
    eta: float | None
    error: HmdiffError | None


def read(path: Path) -> Told | None:
    """None where there is no such file, or not one of ours."""
    data = read_json(path)
    if data.get("state") not in ("running", "done", "failed"):
        return None
    share, eta, error = data.get("share"), data.get("eta"), data.get("error")
    return Told(
        pid_of(data), str(data["state"]), str(data.get("text", "")),
        min(1.0, max(0.0, float(share))) if isinstance(share, int | float) else 0.0,
        float(eta) if isinstance(eta, int | float) else None,
        HmdiffError.from_dict(error) if isinstance(error, dict) else None,
    )  # fmt: skip


class Teller:
    """Writes the file, at most five times a second unless it matters."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._began = time.monotonic()
        self._last = 0.0

    def running(self, text: str, share: float, *, now: bool = False) -> None:
        spent = time.monotonic() - self._began
        if not now and spent - self._last < EVERY_SECONDS:
            return
        self._last = spent
        eta = spent * (1 - share) / share if share > 0.02 and spent > 3 else None
        self._write({"state": "running", "text": text, "share": round(share, 4), "eta": eta and round(eta, 1)})

    def done(self) -> None:
        self._write({"state": "done", "text": "", "share": 1.0})

    def failed(self, error: HmdiffError) -> None:
        self._write({"state": "failed", "text": "", "share": 0.0, "error": error.to_dict()})

    def _write(self, data: dict[str, Any]) -> None:
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            temporary.write_text(json.dumps({"pid": os.getpid(), **data}), encoding="utf-8")
            os.replace(temporary, self.path)
        except OSError:
            return  # a full disk, or a reader that holds the file on Windows: the next one will tell
