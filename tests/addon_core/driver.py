"""An engine whose scene side is this test: it notes the scene effects and answers imports."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hmdiff_blender_core.alive import end, is_alive
from hmdiff_blender_core.effects import ImportTake, SceneEffect
from hmdiff_blender_core.engine import Engine
from hmdiff_blender_core.events import Imported, ImportFailed
from hmdiff_blender_core.state import ENDED, Job, Problem, Request
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import read_take

PATIENCE_S = 60.0
"""For a busy machine only; nothing waits this long when it works."""


class Driver:
    def __init__(self, root: Path, folder: Path, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.root = root
        self.command = list(command)
        self.engine = Engine(folder, lambda: self.command, [root], environ)
        self.seen: list[SceneEffect] = []
        self.phases: list[str] = []
        self.longest_tick = 0.0
        self._pids: set[int] = set()
        self.clip = root / "clip.mp4"
        if not self.clip.exists():
            self.clip.write_bytes(b"the fake does not look into it")

    def request(self, **changes: Any) -> Request:
        return Request(**{"kind": "animate", "source": str(self.clip), **changes})

    def run(self, **changes: Any) -> str:
        return self.engine.run(self.request(**changes))

    def step(self) -> None:
        began = time.perf_counter()
        self.engine.tick()
        self.longest_tick = max(self.longest_tick, time.perf_counter() - began)
        self._pids.add(self.pid)
        while self.engine.scene_work:
            effect = self.engine.scene_work.popleft()
            self.seen.append(effect)
            if isinstance(effect, ImportTake):
                self._import(effect)
        state = self.engine.state
        phase = f"{state.backend.phase}/{state.job.phase if state.job else '-'}"
        if self.phases[-1:] != [phase]:
            self.phases.append(phase)

    def until(self, condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        stop = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < stop, (
                f"{self.phases} {self.engine.state.backend}\n{self.engine.process.log_tail()}"
            )
            self.step()
            time.sleep(0.005)

    def until_over(self) -> Job:
        self.until(lambda: self.job is not None and self.job.phase in ENDED)
        assert self.job is not None
        return self.job

    def until_backend(self, phase: str) -> None:
        self.until(lambda: self.engine.state.backend.phase == phase)

    def of(self, kind: type[Any]) -> list[Any]:
        return [effect for effect in self.seen if isinstance(effect, kind)]

    @property
    def job(self) -> Job | None:
        return self.engine.state.job

    @property
    def pid(self) -> int:
        pid = self.engine.state.backend.ready.get("pid", 0)
        return pid if isinstance(pid, int) else 0

    def end(self) -> None:
        self.engine.close()
        for pid in self._pids - {0, os.getpid()}:
            if is_alive(pid):
                end(pid, force=True)

    def _import(self, effect: ImportTake) -> None:
        """What the scene side would notice: a take that cannot be read, or one without anybody."""
        try:
            take = read_take(Path(effect.take))
            if not take.valid.any():
                raise HmdiffError("take.empty", "Nobody is in it.", "Try another clip.")
        except HmdiffError as error:
            self.engine.dispatch(ImportFailed(effect.job_id, Problem.from_error(error)))
        else:
            self.engine.dispatch(Imported(effect.job_id))
