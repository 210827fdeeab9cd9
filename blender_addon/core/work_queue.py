"""The queue: a batch file that this Blender works off, one clip after another, on the backend. No bpy, no waiting."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from pathlib import Path

from hmdiff_wire.batch import Batch, Entry, added, changed, moved, read_batch, recovered, removed, retried, write_batch
from hmdiff_wire.errors import HmdiffError

from .alive import is_alive
from .events import RunAsked
from .state import AppState, Job, Problem, Request

NOT_THE_CLIPS_FAULT = ("setup.", "client.", "protocol.")
"""Kinds of problems that every other clip would meet as well: the queue waits instead of failing them all."""
NOR_THESE = (
    "backend.absent", "backend.not_started", "backend.no_hmdiff", "backend.incomplete", "backend.old", "backend.slow",
    "backend.bad_ready", "disk.full", "install.incomplete", "server.stopping",
)  # fmt: skip


class WorkQueue:
    """batch: what is in it; problem: why it stands still or cannot be kept; version: another number after each change;
    just_finished: the last waiting clip has ended, and nobody has taken note of it yet.
    """

    def __init__(self, file: Path) -> None:
        self.file = Path(file)
        self.problem: Problem | None = None
        self.version = 0
        self.just_finished = False
        self._entry = ""
        self._job = ""
        self._seen = 0
        self.batch = self._read()

    @property
    def foreign(self) -> bool:
        """Another Blender that is running works on it; this one only looks."""
        owner = self.batch.owner
        return owner not in (0, os.getpid()) and is_alive(owner)

    @property
    def working(self) -> bool:
        """It goes on by itself."""
        return not self.batch.paused and not self.foreign

    @property
    def entry_in_work(self) -> str:
        return self._entry

    def add(self, entries: list[Entry]) -> None:
        self.look_again()
        self._put(added(self.batch, entries))

    def remove(self, entry_id: str) -> None:
        self.look_again()
        self._put(removed(self.batch, entry_id))

    def move(self, entry_id: str, by: int) -> None:
        self.look_again()
        self._put(moved(self.batch, entry_id, by))

    def retry(self, entry_id: str) -> None:
        self.look_again()
        self._put(retried(self.batch, entry_id))

    def set_preset(self, entry_id: str, preset: str) -> None:
        """Of one that waits and has not begun: a take keeps the settings it was begun with."""
        self.look_again()
        entry = self.batch.find(entry_id)
        if entry is not None and entry.state == "waiting" and not entry.begun:
            options = {name: value for name, value in entry.options.items() if name != "hypotheses"}
            self._put(changed(self.batch, entry_id, options={**options, "preset": preset}))

    def clear_done(self) -> None:
        self.look_again()
        self._put(replace(self.batch, entries=tuple(one for one in self.batch.entries if one.state != "done")))

    def start(self) -> None:
        self.look_again()
        self.problem, self.just_finished = None, False
        self._put(replace(self.batch, paused=False, owner=os.getpid()))

    def pause(self) -> None:
        """Nothing new is begun; what is in work goes on to its end."""
        self._put(replace(self.batch, paused=True))

    def leave(self) -> None:
        """Blender closes: what was in work waits for the next time."""
        self.look_again()
        left = recovered(self.batch)
        self._entry = self._job = ""
        if not self.foreign and left != self.batch:
            self._put(left)

    def look_again(self) -> None:
        """What another Blender, or `hmdiff batch`, has made of the file meanwhile."""
        if not self._entry and self._seen != self._mark():
            self.batch = self._read()
            self.version += 1

    def step(self, state: AppState) -> RunAsked | None:
        """Take note of how the clip in work fares; the next one, if it is time for it. Call it often."""
        if self._entry:
            self._follow(state)
        if not self.working or self._entry or state.active_job is not None:
            return None
        entry = self.batch.next_waiting
        if entry is None:
            self.just_finished = True
            self._put(replace(self.batch, paused=True, owner=0))
            return None
        self._entry, self._job = entry.id, uuid.uuid4().hex[:12]
        self._put(changed(self.batch, entry.id, state="running", problem=None))
        again = entry.begun
        request = Request(
            entry.kind, entry.source, {} if again else dict(entry.options), entry.take, again, entry.name,
            in_scene=False,
        )  # fmt: skip
        return RunAsked(request, self._job)

    def _follow(self, state: AppState) -> None:
        job = state.job
        if job is None or job.id != self._job:
            return self._end(state="waiting")
        if job.active:
            return None
        seconds = self._spent(job)
        if job.phase == "done":
            return self._end(state="done", seconds=seconds)
        if job.phase == "cancelled":
            self._end(state="stopped", seconds=seconds)
            return self.pause()
        problem = job.problem or Problem("internal", "The run failed.")
        if problem.kind.startswith(NOT_THE_CLIPS_FAULT) or problem.kind in NOR_THESE:
            self.problem = problem
            self._end(state="waiting", seconds=seconds)
            return self.pause()
        return self._end(state="failed", problem=problem.to_error().to_dict(), seconds=seconds)

    def _spent(self, job: Job) -> float:
        entry = self.batch.find(self._entry)
        return round((entry.seconds if entry else 0.0) + max(0.0, job.ended - job.began), 1)

    def _end(self, **changes: object) -> None:
        entry, self._entry, self._job = self._entry, "", ""
        self._put(changed(self.batch, entry, **changes))

    def _put(self, batch: Batch) -> None:
        self.batch = batch
        self.version += 1
        try:
            write_batch(self.file, batch)
            self._seen = self._mark()
        except OSError as error:
            self.problem = Problem(
                "queue.not_saved", "The queue cannot be saved, so closing Blender would lose it.",
                "Make room on the disk; the next change saves it.", repr(error),
            )  # fmt: skip
        else:
            if self.problem is not None and self.problem.kind == "queue.not_saved":
                self.problem = None

    def _read(self) -> Batch:
        """A file that cannot be read is set aside, never overwritten."""
        self._seen = self._mark()
        try:
            batch = read_batch(self.file)
        except HmdiffError as error:
            if error.kind != "batch.missing":
                self.problem = Problem.from_error(error)
                self._set_aside()
            return Batch("Queue")
        owner = batch.owner
        return batch if owner not in (0, os.getpid()) and is_alive(owner) else recovered(batch)

    def _mark(self) -> int:
        try:
            return self.file.stat().st_mtime_ns
        except OSError:
            return 0

    def _set_aside(self) -> None:
        for number in range(1, 100):
            aside = self.file.with_name(f"{self.file.stem}.unreadable-{number}.json")
            if not aside.exists():
                try:
                    os.replace(self.file, aside)
                except OSError:
                    return
                return
