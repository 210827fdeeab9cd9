"""What client and backend say to each other, as frozen dataclasses; docs/protocol.md tells when each is sent."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from numpy.typing import NDArray

from .codec import Packet, shown
from .errors import HmdiffError

Kind = Literal["pose", "animate"]
WorkerState = Literal["none", "starting", "idle", "busy"]


@dataclass(frozen=True)
class Hello:
    """Client: I am here. client: name and version, for the log."""

    client: str
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Welcome:
    """Backend: so am I. capabilities: see docs/protocol.md."""

    server: str
    capabilities: dict[str, Any]


@dataclass(frozen=True)
class Submit:
    """Client: do this. source: a photo (``pose``) or a video, folder or pattern of pictures (``animate``); take: the
    folder to write, "" lets the backend choose one beside the source; outputs: further files to write.
    """

    job: str
    kind: Kind
    source: str
    options: dict[str, Any] = field(default_factory=dict)
    take: str = ""
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Accepted:
    """Backend: the job is in the queue, behind ``position`` others; take: the folder it will write."""

    job: str
    position: int
    take: str


@dataclass(frozen=True)
class Progress:
    """Backend: done of total (0 while unknown) in this stage; eta: seconds left in it, None while unknown."""

    job: str
    stage: str
    done: int
    total: int
    eta: float | None = None


@dataclass(frozen=True, eq=False)
class FrameResult:
    """Backend: one frame is finished. time: seconds, the source's own time stamp; arrays: rows of all people in it."""

    job: str
    index: int
    time: float
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class JobDone:
    """Backend: finished. take: folder; frames read; people: track ids; notes: sentences for the user; outputs: files
    written; frames_dropped: FrameResults not sent because the client did not read them (the take has them all).
    """

    job: str
    take: str
    frames: int
    people: tuple[int, ...]
    notes: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    frames_dropped: int = 0


@dataclass(frozen=True)
class JobFailed:
    """Backend: it did not work. error: HmdiffError as data; take: the folder with what was finished, "" for none."""

    job: str
    error: dict[str, Any]
    take: str = ""

    def to_exception(self) -> HmdiffError:
        return HmdiffError.from_dict(self.error)


@dataclass(frozen=True)
class Cancel:
    """Client: stop the job after the batch it is in; force: end the worker at once, losing that batch."""

    job: str
    force: bool = False


@dataclass(frozen=True)
class Cancelled:
    """Backend: the job has stopped; take: the folder with what was finished, "" if it never started."""

    job: str
    take: str = ""


@dataclass(frozen=True)
class Ping:
    """Client: still there?"""

    nonce: int = 0


@dataclass(frozen=True)
class Pong:
    """Backend: yes. queued: jobs waiting; running: the job in work or ""."""

    nonce: int
    worker: WorkerState
    queued: int
    running: str = ""


@dataclass(frozen=True)
class Error:
    """Backend: a message could not be accepted; job: the one it was about, "" where it named none."""

    error: dict[str, Any]
    job: str = ""

    def to_exception(self) -> HmdiffError:
        return HmdiffError.from_dict(self.error)


Message = (
    Hello | Welcome | Submit | Accepted | Progress | FrameResult | JobDone | JobFailed | Cancel | Cancelled
    | Ping | Pong | Error
)  # fmt: skip
TYPES: dict[str, type] = {
    "hello": Hello, "welcome": Welcome, "submit": Submit, "accepted": Accepted, "progress": Progress,
    "frame": FrameResult, "done": JobDone, "failed": JobFailed, "cancel": Cancel, "cancelled": Cancelled,
    "ping": Ping, "pong": Pong, "error": Error,
}  # fmt: skip
_NAMES = {kind: name for name, kind in TYPES.items()}


def error_data(error: HmdiffError) -> dict[str, str]:
    """The error for JobFailed and Error, cut so that it always fits into a header, whatever path or log it quotes."""
    room = {"kind": 100, "message": 600, "fix": 600, "detail": 3000}
    data = error.to_dict()
    return {key: data[key] if len(data[key]) <= most else data[key][:most] + "..." for key, most in room.items()}


def to_packet(message: Message, token: str = "") -> Packet:
    values = {one.name: getattr(message, one.name) for one in fields(message)}
    job, arrays = values.pop("job", ""), values.pop("arrays", {})
    return Packet(_NAMES[type(message)], job, token, values, arrays)


def from_packet(packet: Packet) -> Message:
    """Fields this version does not know are passed over.

    Errors: ``protocol.unknown_type``, ``protocol.malformed`` for a field that is missing or of the wrong type.
    """
    kind = TYPES.get(packet.type)
    if kind is None:
        raise HmdiffError(
            "protocol.unknown_type", f"The message {packet.type!r} is not known here.",
            "Update HMDiff on the side that is older.",
        )  # fmt: skip
    given: dict[str, Any] = {**packet.fields, "job": packet.job, "arrays": packet.arrays}
    values: dict[str, Any] = {}
    for one in fields(kind):
        if one.name in given:
            values[one.name] = _fit(packet.type, one.name, given[one.name], _hints(kind)[one.name])
        elif one.default is MISSING and one.default_factory is MISSING:
            raise _bad_field(packet.type, one.name, "is missing")
    if values.get("job") == "" and kind is not Error:
        raise _bad_field(packet.type, "job", "is empty")
    return kind(**values)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _fit(message: str, name: str, value: Any, hint: Any) -> Any:
    """The JSON value as the field's type; lists become tuples, whole numbers floats where a float is asked for."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _fit(message, name, value, next(one for one in inside if one is not type(None)))
    if origin is Literal:
        good = isinstance(value, str) and value in inside
    elif origin is tuple:
        if isinstance(value, list):
            return tuple(_fit(message, name, one, inside[0]) for one in value)
        good = False
    elif origin in (dict, Mapping):
        good = isinstance(value, Mapping)
    elif hint is float:
        try:
            good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        except OverflowError:
            good = False
        value = float(value) if good else value
    else:
        good = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    if not good:
        raise _bad_field(message, name, f"is {shown(value)}")
    return value


def _bad_field(message: str, name: str, what: str) -> HmdiffError:
    return HmdiffError(
        "protocol.malformed", f"The message {message!r} has a wrong field.",
        "Use the client and the backend of the same HMDiff release; docs/protocol.md describes the messages.",
        f"`{name}` {what}",
    )  # fmt: skip
