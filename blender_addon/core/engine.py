"""Runs the add-on: one state, one process, one socket, moved on by ``tick`` from a timer. No threads, no waiting."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Error, Message
from hmdiff_wire.packing import error_data

from .backend_rules import advance
from .client import Client, preload
from .effects import (
    CloseClient,
    DropPreview,
    Effect,
    EngineEffect,
    OpenClient,
    SceneEffect,
    Send,
    ShowFrame,
    ShowLive,
    StartProcess,
    StartSetUp,
    StopProcess,
    StopSetUp,
)
from .events import AddonClosed, Event, MessageIn, NoBackend, RunAsked, Tick
from .locate import command_environ
from .process import BackendProcess
from .setup_process import SetUpProcess
from .state import AppState, Backend, Job, Problem, Request
from .transition import transition

Roots = Sequence[Path] | Callable[[], Sequence[Path]]

MOST_UNSHOWN = 512
"""Beyond them the oldest is left out of the preview; the take has it."""
BACKLOG = 256
"""With so many frames unshown every other tick fetches nothing, so that showing them gets its turn."""
TICK_SECONDS = 0.004
GRACE_SECONDS = 8.0
CLOSE_SECONDS = 2.5


class Engine:
    """folder: for the backend's READY file and log; find_command: as ``locate.find_command``, called at each start;
    roots: folders the backend may use, or a function that says so at each start; environ: for the backend, on top of
    this process's; set_up: what can set the backend up here, if anything can; problem: why there is none, where that is
    known from the start; left: a run that an earlier Blender has left behind.

    state: read it as you like. scene_work: effects for the scene side, oldest first; take them from the left.
    """

    def __init__(
        self, folder: Path, find_command: Callable[[], list[str]], roots: Roots,
        environ: Mapping[str, str] | None = None, clock: Callable[[], float] = time.monotonic,
        set_up: SetUpProcess | None = None, problem: Problem | None = None, left: Job | None = None,
    ) -> None:  # fmt: skip
        absent = Backend("absent", problem, clock()) if problem else Backend()
        self.state = AppState(absent, left, clock())
        self.set_up = set_up
        self.scene_work: deque[SceneEffect] = deque()
        self.process = BackendProcess(Path(folder), clock)
        self.client: Client | None = None
        self._find_command = find_command
        self._roots = roots
        self._environ = dict(environ or {})
        self._clock = clock
        self._events: deque[Event] = deque()
        self._dispatching = False
        self._listened = False

    def run(self, request: Request) -> str:
        """Ask for a run; its job id, also where the answer is a notice that another is going on."""
        job_id = uuid.uuid4().hex
        self.dispatch(RunAsked(request, job_id))
        return job_id

    def dispatch(self, event: Event) -> None:
        """Let something happen and do what follows from it."""
        self._events.append(event)
        if self._dispatching:
            return
        self._dispatching = True
        try:
            while self._events:
                self.state, effects = transition(advance(self.state, self._clock()), self._events.popleft())
                for effect in effects:
                    self._do(effect)
        finally:
            self._dispatching = False

    def tick(self) -> None:
        """Look at the process, the socket and the clock, for a few milliseconds at most."""
        happened = self.process.poll()
        if happened is not None:
            self.dispatch(happened)
        if self.set_up is not None and (told := self.set_up.poll()) is not None:
            self.dispatch(told)
        listening = not self._listened or self._unshown() < BACKLOG
        self._listened = listening
        if self.client is not None and listening:
            for message in self.client.poll(seconds=TICK_SECONDS):
                self.dispatch(MessageIn(message))
        self.dispatch(Tick(self._clock(), listening))

    def close(self) -> None:
        """For unregister and quit: cancel, disconnect, end the backend if it is ours; takes at most three seconds.

        What is left in ``scene_work`` afterwards is the removal of an unfinished preview.
        """
        self.dispatch(AddonClosed())
        self.process.stop_and_wait(CLOSE_SECONDS)

    def _unshown(self) -> int:
        return sum(isinstance(effect, ShowFrame) for effect in self.scene_work)

    def _do(self, effect: Effect) -> None:
        if isinstance(effect, EngineEffect):
            try:
                self._do_here(effect)
            except HmdiffError as error:
                self._events.append(NoBackend(Problem.from_error(error)))
            return
        if isinstance(effect, DropPreview):
            kept = [one for one in self.scene_work if one.job_id != effect.job_id]
            self.scene_work.clear()
            self.scene_work.extend(kept)
        elif isinstance(effect, ShowLive):  # an older one that nobody has looked at is of no use
            for old in [one for one in self.scene_work if isinstance(one, ShowLive)]:
                self.scene_work.remove(old)
        elif isinstance(effect, ShowFrame) and self._unshown() >= MOST_UNSHOWN:
            self.scene_work.remove(next(one for one in self.scene_work if isinstance(one, ShowFrame)))
        self.scene_work.append(effect)

    def _do_here(self, effect: EngineEffect) -> None:
        match effect:
            case StartProcess():
                self._start_process()
            case StopProcess(force):
                self.process.stop(GRACE_SECONDS if self.client is not None else 0.0, force)
            case StartSetUp(anew):
                if self.set_up is None or not self.set_up.possible:
                    raise HmdiffError(
                        "setup.no_bundle", "This copy of the add-on brings no backend along.",
                        "Install the extension's zip, or choose a backend in the add-on's preferences.",
                    )  # fmt: skip
                self.set_up.start(anew)
            case StopSetUp():
                if self.set_up is not None:
                    self.set_up.stop()
            case OpenClient(ready):
                self._close_client(0)
                self.client = Client(ready)
            case CloseClient(flush):
                self._close_client(200 if flush else 0)
            case Send(message):
                self._send(message)

    def _start_process(self) -> None:
        command = self._find_command()
        roots = self._roots() if callable(self._roots) else self._roots
        there = [Path(root) for root in roots if Path(root).is_dir()]
        try:
            self.process.start(command, there, {**command_environ(command), **self._environ})
        except OSError as error:
            raise HmdiffError(
                "backend.absent", f"{command[0]} cannot be started.",
                "Choose another Python in the add-on's preferences.", repr(error),
            ) from error  # fmt: skip
        preload()

    def _send(self, message: Message) -> None:
        if self.client is None:
            return
        try:
            self.client.send(message)
        except HmdiffError as error:  # options that cannot travel: an answer as the backend would give it
            self._events.append(MessageIn(Error(error_data(error), getattr(message, "job", ""))))

    def _close_client(self, linger_ms: int) -> None:
        if self.client is not None:
            self.client.close(linger_ms)
            self.client = None
