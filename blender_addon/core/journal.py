"""The run in work, noted in the user's folder, so that after Blender was closed or killed the next can go on with it.

One small file per Blender, ``run-PID.json``; it goes when the run has ended and its bodies are in the scene.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

from hmdiff_wire.take_format import MANIFEST

from .alive import is_alive
from .ready_files import read_json
from .state import AppState, Job, Problem, Request

KILLED = "run.blender_ended"


class Journal:
    """folder: the user's; it may be missing."""

    def __init__(self, folder: Path) -> None:
        self._file = Path(folder) / f"run-{os.getpid()}.json"
        self._noted: tuple[str, str] | None = None

    def follow(self, state: AppState) -> None:
        """Call it at every tick: writes only when another run, or another folder for its take, is in work."""
        job = state.active_job
        wanted = (job.id, job.take) if job is not None and job.take and _worth_it(job) else None
        if wanted == self._noted:
            return
        self._noted = wanted
        try:
            if job is None or wanted is None:
                self._file.unlink(missing_ok=True)
                return
            self._file.parent.mkdir(parents=True, exist_ok=True)
            request = asdict(replace(job.request, take=job.take))
            self._file.write_text(json.dumps({"id": job.id, "request": request}), encoding="utf-8")
        except OSError:
            return  # a full disk: the take itself can still be imported by hand


def left_behind(folder: Path) -> Job | None:
    """The newest run of a Blender that is no more, as a failed job that can be resumed."""
    for path in reversed(_notes(folder)):
        job = _job(path)
        if job is not None:
            return job
    return None


def tidy(folder: Path) -> None:
    """What they left has been taken over: the notes go."""
    for path in _notes(folder):
        try:
            path.unlink()
        except OSError:
            continue


def _notes(folder: Path) -> list[Path]:
    """Of Blenders that are no more, the newest last."""
    notes = [path for path in Path(folder).glob("run-*.json") if not is_alive(_owner(path))]
    return sorted(notes, key=lambda path: path.stat().st_mtime)


def _worth_it(job: Job) -> bool:
    return job.request.kind == "animate" and job.request.in_scene


def _owner(path: Path) -> int:
    digits = path.stem.partition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def _job(path: Path) -> Job | None:
    data = read_json(path)
    try:
        request = Request(**data["request"])
        name = request.label or Path(request.source).stem
    except (KeyError, TypeError):
        return None
    if not (Path(request.take) / MANIFEST).is_file():
        return None
    problem = Problem(
        KILLED, f"Blender was closed while {name} was being worked on.", "Press Resume: what was finished is kept."
    )
    return Job(str(data.get("id", "")), request, "failed", take=request.take, problem=problem)
