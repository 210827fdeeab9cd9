"""What can happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hmdiff_wire.messages import Message

from .state import Problem, Request


@dataclass(frozen=True)
class RunAsked:
    """The user wants a run. job_id: new, ``[A-Za-z0-9_-]`` and at most 64 characters."""

    request: Request
    job_id: str


@dataclass(frozen=True)
class CancelAsked:
    """The user wants the run stopped; asked twice, or with ``force``, without waiting for its batch."""

    force: bool = False


@dataclass(frozen=True)
class DragMoved:
    """A joint is dragged, and here it is now. drag: new for every drag, as RunAsked's job_id but of at most 50
    characters; source, options: of the refine job that tells where the body is then, and writes nothing.
    """

    drag: str
    source: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class DragEnded:
    """The joint was let go, or the drag given up."""

    drag: str


@dataclass(frozen=True)
class StartAsked:
    """The user wants the backend started."""


@dataclass(frozen=True)
class StopAsked:
    """The user wants the backend stopped; asked twice, at once."""


@dataclass(frozen=True)
class SetUpAsked:
    """The user wants the backend set up on this computer. online: Blender may use the internet; anew: build it again
    even where it looks whole.
    """

    online: bool
    anew: bool = False


@dataclass(frozen=True)
class BackendLooked:
    """Somebody has looked for the backend again, because its place was changed. problem: what a set-up would solve."""

    problem: Problem | None


@dataclass(frozen=True)
class SetUpProgressed:
    """text: what is being done; share: 0 to 1 of the whole; eta: seconds left, None while unknown."""

    text: str
    share: float
    eta: float | None = None


@dataclass(frozen=True)
class SetUpEnded:
    """problem: None when the backend is there now."""

    problem: Problem | None


@dataclass(frozen=True)
class Dismissed:
    """The user has read the notice or error and closes it."""


@dataclass(frozen=True)
class NoBackend:
    """There is no command that starts one, it cannot be started, or no connection can be made at all."""

    problem: Problem


@dataclass(frozen=True)
class ProcessReady:
    """The backend listens. ready: its READY line; attached: it was there before and is not ours."""

    ready: Mapping[str, Any]
    attached: bool = False


@dataclass(frozen=True)
class ProcessEnded:
    """The backend process is no more. code: exit code, None where it was not our child."""

    code: int | None
    log_tail: str = ""


@dataclass(frozen=True, eq=False)
class MessageIn:
    message: Message


@dataclass(frozen=True)
class Tick:
    """Time passes; comes after the messages of the same moment. listening: False when none were looked for."""

    now: float
    listening: bool = True


@dataclass(frozen=True)
class Imported:
    """The scene side has put the take into the scene."""

    job_id: str


@dataclass(frozen=True)
class ImportFailed:
    job_id: str
    problem: Problem


@dataclass(frozen=True)
class SourceClosed:
    """Another .blend is being loaded: the run has nowhere to go to."""


@dataclass(frozen=True)
class AddonClosed:
    """The add-on is switched off or Blender quits."""


Event = (
    RunAsked | CancelAsked | StartAsked | StopAsked | SetUpAsked | BackendLooked | SetUpProgressed | SetUpEnded
    | Dismissed | NoBackend | ProcessReady | ProcessEnded | MessageIn | Tick | Imported | ImportFailed | SourceClosed
    | AddonClosed | DragMoved | DragEnded
)  # fmt: skip
