"""What is to be done. The engine does the first kind itself; the second is for the side that has bpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hmdiff_wire.messages import Message
from numpy.typing import NDArray

from .state import Request


@dataclass(frozen=True)
class StartProcess:
    """Use the backend that is there, or start one."""


@dataclass(frozen=True)
class StopProcess:
    """force: now, instead of waiting for the orderly end it was asked for."""

    force: bool = False


@dataclass(frozen=True)
class StartSetUp:
    """anew: build the environment again even where it looks whole."""

    anew: bool = False


@dataclass(frozen=True)
class StopSetUp:
    """What was fetched stays."""


@dataclass(frozen=True)
class OpenClient:
    """Connect to the backend of this READY line."""

    ready: Mapping[str, Any]


@dataclass(frozen=True)
class CloseClient:
    """flush: give what was just sent a moment to leave."""

    flush: bool = True


@dataclass(frozen=True, eq=False)
class Send:
    message: Message


@dataclass(frozen=True)
class BeginPreview:
    """The backend took the job: make room for its frames. take: the folder it will write."""

    job_id: str
    request: Request
    take: str


@dataclass(frozen=True, eq=False)
class ShowFrame:
    """A frame for the preview; index, time, arrays: as in FrameResult (docs/protocol.md)."""

    job_id: str
    index: int
    time: float
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class ShowPeople:
    """Who is in one picture of the source; arrays: as in FrameResult."""

    job_id: str
    index: int
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class ShowLive:
    """Where the body would be, of a drag that goes on; index, arrays: as in FrameResult, ``vertices`` among them."""

    job_id: str
    drag: str
    index: int
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class ImportTake:
    """Put the take in the preview's place and answer with Imported or ImportFailed. complete: all frames are in it."""

    job_id: str
    request: Request
    take: str
    complete: bool


@dataclass(frozen=True)
class DropPreview:
    """Remove what BeginPreview and ShowFrame made; leave off an import of this job."""

    job_id: str


SceneEffect = BeginPreview | ShowFrame | ShowPeople | ShowLive | ImportTake | DropPreview
EngineEffect = StartProcess | StopProcess | StartSetUp | StopSetUp | OpenClient | CloseClient | Send
Effect = EngineEffect | SceneEffect
