"""The backend process: found or started, watched, ended. Nothing here waits unless its name says so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Ping, Pong

from . import ready_files
from .alive import end, is_alive
from .backend_rules import ready_problem
from .client import Client
from .events import ProcessEnded, ProcessReady

PING_SECONDS = 0.5
KILL_SECONDS = 3.0
"""After this long without an effect the request to end becomes an order."""
LOG_LINES = 40
NOT_FOR_THE_BACKEND = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__")
"""Blender's own Python settings, which would lead another Python to the wrong packages."""


class BackendProcess:
    """The one backend of this Blender. ``poll`` it often: whatever takes time goes on there.

    folder: for the READY line and the log; it may be missing and may be shared with other Blenders.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = Path(folder)
        self.place = self.folder
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._attached = False
        self._awaiting_ready = False
        self._probe: _Probe | None = None
        self._next: tuple[list[str], list[str], dict[str, str]] | None = None
        self._owed: ProcessEnded | None = None
        self._terminate_at: float | None = None
        self._kill_at: float | None = None

    @property
    def running(self) -> bool:
        """There is a process, ours or attached, that has not been seen to end."""
        return self._child is not None or self._pid > 0

    @property
    def log_file(self) -> Path:
        return self.place / ready_files.LOG

    def log_tail(self, lines: int = LOG_LINES) -> str:
        return ready_files.log_tail(self.place, lines)

    def start(self, command: Sequence[str], roots: Sequence[Path], environ: Mapping[str, str] | None = None) -> None:
        """Use the backend that is there, else spawn ``command serve ...``; ``poll`` tells when it is ready.

        One of ours that is still ending is waited for in ``poll``. environ: on top of this process's. Raises OSError
        when it cannot be spawned at once; later that is a ProcessEnded with the reason as its log.
        """
        wanted = ([str(word) for word in command], [str(root) for root in roots], dict(environ or {}))
        self._owed = None
        if self.running and not self._attached:
            if self._terminate_at is None:
                self.stop(0.0)
            self._next = wanted
            return
        self._next = wanted
        self._forget_process()
        self._look_or_spawn()

    def attach(self, seconds: float = PING_SECONDS) -> ProcessReady | None:
        """A live backend whose READY file is there and whose port answers; waits at most ``seconds`` for that."""
        if self.running:
            return None
        found = ready_files.find(self.folder)
        if found is None or ready_problem(found.ready) is not None:
            return None
        probe = _Probe(found, self._clock() + seconds)
        while (answer := probe.poll(self._clock())) is None:
            time.sleep(0.005)
        return self._take_over(found) if answer else self._give_up(found)

    def poll(self) -> ProcessReady | ProcessEnded | None:
        """What has happened, if anything."""
        if self._probe is not None:
            return self._ask()
        if not self.running:
            owed, self._owed = self._owed, None
            return owed
        code = self._exit_code()
        if code is not None:
            return self._bury(code if self._child is not None else None)
        self._press()
        if self._awaiting_ready:
            ready = ready_files.read_json(self.place / ready_files.READY)
            if ready:
                self._awaiting_ready = False
                return ProcessReady(ready)
        return None

    def stop(self, grace: float, force: bool = False) -> None:
        """End our backend: asked to after ``grace`` seconds (it may end by itself before), ordered to later or with
        ``force``. An attached one is left alone. ``poll`` does it and tells when it has ended.
        """
        self._next = None
        self._drop_probe()
        if self._attached:
            self._forget_process()
        if not self.running:
            self._owed = ProcessEnded(None)
            return
        now = self._clock()
        self._terminate_at = min(now + grace, self._terminate_at or now + grace)
        self._kill_at = now if force else min(self._terminate_at + KILL_SECONDS, self._kill_at or float("inf"))
        self._press()

    def stop_and_wait(self, seconds: float) -> bool:
        """The same for quitting: at most ``seconds``, ordered in the last quarter. True when it has ended."""
        self.stop(seconds * 0.5)
        if self.running:
            self._kill_at = min(self._kill_at or float("inf"), self._clock() + seconds * 0.75)
        until = self._clock() + seconds
        while self.running and self._clock() < until:
            self.poll()
            time.sleep(0.01)
        return not self.running

    def _look_or_spawn(self) -> None:
        found = ready_files.find(self.folder)
        if found is not None and ready_problem(found.ready) is None:
            self._probe = _Probe(found, self._clock() + PING_SECONDS)
            return
        self._spawn()

    def _ask(self) -> ProcessReady | ProcessEnded | None:
        assert self._probe is not None
        found, answer = self._probe.found, self._probe.poll(self._clock())
        if answer is None:
            return None
        self._probe = None
        if answer:
            self._next = None
            return self._take_over(found)
        self._give_up(found)
        return self._spawn_later()

    def _take_over(self, found: ready_files.Found) -> ProcessReady:
        self.place, self._pid, self._attached = found.place, ready_files.pid_of(found.ready), not found.ours
        return ProcessReady(found.ready, attached=not found.ours)

    def _give_up(self, found: ready_files.Found) -> None:
        """A READY file whose backend does not answer: stale, and its process id may be anybody's by now."""
        ready_files.forget(found.place)

    def _spawn_later(self) -> ProcessEnded | None:
        try:
            self._spawn()
        except OSError as error:
            return ProcessEnded(None, str(error))
        return None

    def _spawn(self) -> None:
        assert self._next is not None
        command, roots, more = self._next
        self._next = None
        self.place = ready_files.free_place(self.folder)
        words = [*command, "serve"]
        for root in roots:
            words += ["--root", root]
        words += ["--parent-pid", str(os.getpid()), "--ready-file", str(self.place / ready_files.READY)]
        environ = {name: value for name, value in os.environ.items() if name not in NOT_FOR_THE_BACKEND}
        environ |= {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", **more}
        with ready_files.open_log(self.place) as log:
            self._child = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.place, env=environ,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                # Out of reach of a Ctrl-C meant for Blender, whose end the backend notices by itself.
                start_new_session=sys.platform != "win32",
            )  # fmt: skip
        self._awaiting_ready = True
        ready_files.mark_started(self.place)

    def _exit_code(self) -> int | None:
        if self._child is not None:
            return self._child.poll()
        return None if is_alive(self._pid) else 0

    def _bury(self, code: int | None) -> ProcessEnded | None:
        tail = self.log_tail()
        if not self._attached:
            ready_files.forget(self.place)
        self._forget_process()
        if self._next is None:
            return ProcessEnded(code, tail)
        try:
            self._look_or_spawn()
        except OSError as error:
            return ProcessEnded(None, str(error))
        return None

    def _press(self) -> None:
        """The step of stopping that is due."""
        now = self._clock()
        if self._kill_at is not None and now >= self._kill_at:
            self._end(force=True)
            self._kill_at = now + KILL_SECONDS
            self._terminate_at = float("inf")
        elif self._terminate_at is not None and now >= self._terminate_at:
            self._end(force=False)
            self._terminate_at = float("inf")

    def _end(self, force: bool) -> None:
        if self._child is None:
            end(self._pid, force)
        elif force:
            self._child.kill()
        else:
            self._child.terminate()

    def _forget_process(self) -> None:
        self._child, self._pid, self._attached, self._awaiting_ready = None, 0, False, False
        self._terminate_at = self._kill_at = None

    def _drop_probe(self) -> None:
        if self._probe is not None:
            self._probe.close()
            self._probe = None


class _Probe:
    """Does the backend of this READY line answer a Ping with its token?"""

    def __init__(self, found: ready_files.Found, until: float) -> None:
        self.found = found
        self._until = until
        self._client: Client | None = None
        try:
            self._client = Client(found.ready)
            self._client.send(Ping(1))
        except HmdiffError:
            self._until = 0.0

    def poll(self, now: float) -> bool | None:
        """None while it is open; afterwards the probe is closed."""
        answers = self._client.poll() if self._client is not None else []
        if not answers and now < self._until:
            return None
        self.close()
        return any(isinstance(answer, Pong) for answer in answers)

    def close(self) -> None:
        if self._client is not None:
            self._client.close(0)
            self._client = None
