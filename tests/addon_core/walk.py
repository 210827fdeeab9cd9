"""A life of the add-on with named steps, for tests of what it decides."""

from __future__ import annotations

from typing import Any

from hmdiff_blender_core.effects import (
    Effect,
    Send,
)
from hmdiff_blender_core.events import (
    Event,
    MessageIn,
    ProcessReady,
    RunAsked,
    StartAsked,
    Tick,
)
from hmdiff_blender_core.state import AppState, Job, Request
from hmdiff_blender_core.transition import transition
from hmdiff_wire.messages import (
    Accepted,
    Message,
    Progress,
    Welcome,
)
from states import CLIP, READY, frame

TAKE = "/clips/walk.take"


class Walk:
    """A life with named steps; ``effects`` are those of the newest one."""

    def __init__(self) -> None:
        self.state = AppState()
        self.effects: tuple[Effect, ...] = ()

    def __call__(self, *events: Event | Message) -> Walk:
        for event in events:
            happened: Any = event if type(event).__module__.endswith(".events") else MessageIn(event)  # type: ignore[arg-type]
            self.state, self.effects = transition(self.state, happened)
        return self

    def wait(self, seconds: float, listening: bool = True) -> Walk:
        """Ticks of half a second; ends with the first that has effects."""
        for _ in range(round(seconds * 2)):
            self(Tick(self.state.now + 0.5, listening))
            if self.effects:
                break
        return self

    @property
    def job(self) -> Job:
        assert self.state.job is not None
        return self.state.job

    @property
    def sent(self) -> list[Message]:
        return [effect.message for effect in self.effects if isinstance(effect, Send)]

    @property
    def kinds(self) -> list[type]:
        return [type(effect) for effect in self.effects]

    @property
    def phases(self) -> tuple[str, str]:
        return self.state.backend.phase, self.job.phase


def ready() -> Walk:
    return Walk()(StartAsked(), ProcessReady(READY), Welcome("hmdiff 1", {"device": "cpu"}))


def running(request: Request = CLIP) -> Walk:
    return ready()(
        RunAsked(request, "one"), Accepted("one", 0, TAKE), Progress("one", "bodies", 16, 60), frame("one", 4)
    )
