"""What client and backend say to each other, as frozen dataclasses; docs/protocol.md tells when each is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

from .errors import HmdiffError

Kind = Literal["pose", "animate", "people", "refine"]
Input = Literal["path", "upload", "frames"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
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
    """Client: do this. source: a photo (``pose``) or a video, folder or pattern of pictures (``animate``), either for
    ``people``, which only says who is in one frame and writes no take; a take for ``refine``, which makes a new version
    of it; take: the folder to write, "" lets the backend choose one beside the source (for ``refine`` inside it);
    outputs: further files to write; resume: ``take`` holds what an earlier run left, go on with it; input: ``path``;
    ``upload``: what was uploaded under this job, ``source`` is then only a name; ``frames``: the pictures come as
    PushFrame, and ``stream`` says {"width", "height", "fps"}.
    """

    job: str
    kind: Kind
    source: str
    options: dict[str, Any] = field(default_factory=dict)
    take: str = ""
    outputs: tuple[str, ...] = ()
    resume: bool = False
    input: Input = "path"
    stream: dict[str, Any] = field(default_factory=dict)


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
class Attach:
    """Client: I am back (or new here); send me what this job does from now on, and its frames after index ``after``."""

    job: str
    after: int = -1


@dataclass(frozen=True)
class Attached:
    """Backend: the job's state; then come its frames after ``after``, and its end if that was reached. Fields as in
    Accepted and Progress; pushed: index of the last frame that came by PushFrame, -1 for none.
    """

    job: str
    state: JobState
    take: str
    stage: str = ""
    done: int = 0
    total: int = 0
    eta: float | None = None
    pushed: int = -1


@dataclass(frozen=True)
class Upload:
    """Client: a file comes for ``job``. name: file name, its ending tells the kind; size: bytes; sha256: hex, of all.

    Said again after a broken connection it goes on where the backend's ``received`` is.
    """

    job: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """Client: bytes of the upload from ``offset`` on. arrays: ``data`` (n,) uint8, n at most 512 KiB."""

    job: str
    offset: int
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Uploaded:
    """Backend: so many bytes of the upload are on disk; complete: all, and the checksum is right. Send at most
    ``window`` bytes beyond ``received``.
    """

    job: str
    received: int
    window: int
    complete: bool = False


@dataclass(frozen=True, eq=False)
class PushFrame:
    """Client: one frame of a job with input ``frames``. index: rises; time: seconds, rises; arrays: ``image`` (H,W,3)
    uint8 RGB, upright, or ``file`` (n,) uint8, the bytes of a JPEG or PNG file. Only as many as Credit allowed.
    """

    job: str
    index: int
    time: float
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class PushEnd:
    """Client: that was the last frame."""

    job: str


@dataclass(frozen=True)
class Credit:
    """Backend: so many more frames may be pushed, on top of what earlier credits left over."""

    job: str
    frames: int


@dataclass(frozen=True)
class Decode:
    """Client: meshes, please. job: one the backend knows, or any id where ``take`` names a take below its roots;
    track_id: the person; first, end: positions in the take, end not included; hypothesis: -1 for the estimate.
    """

    job: str
    track_id: int
    first: int
    end: int
    hypothesis: int = -1
    take: str = ""


@dataclass(frozen=True, eq=False)
class Meshes:
    """Backend: a part of what Decode asked for; last: nothing more follows. arrays: ``position`` (n,) int32, ``index``
    (n,) int32 frame of the source, ``time`` (n,) float64 s, ``vertices`` (n,V,3) float32 camera space m; only frames in
    which the person has a pose. ``faces`` (T,3) int32 comes with the first part.
    """

    job: str
    track_id: int
    hypothesis: int
    last: bool
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Fetch:
    """Client: bytes of a file of the job's take (or of ``take``). name: path in the take, with slashes; "" for the list
    of its files, a JSON object {name: size} that travels like a file.
    """

    job: str
    name: str = ""
    offset: int = 0
    take: str = ""


@dataclass(frozen=True, eq=False)
class Piece:
    """Backend: size: bytes of the whole file; arrays: ``data`` (n,) uint8, those from ``offset`` on."""

    job: str
    name: str
    offset: int
    size: int
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Shutdown:
    """Client: end orderly, as after SIGTERM; Windows has no such signal."""


@dataclass(frozen=True)
class Heartbeat:
    """Backend, each second to everybody who said hello: I live. workers: {device: WorkerState}; queued: jobs waiting;
    running: jobs in work.
    """

    workers: dict[str, Any]
    queued: int
    running: tuple[str, ...] = ()


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
    | Attach | Attached | Upload | Chunk | Uploaded | PushFrame | PushEnd | Credit | Decode | Meshes | Fetch | Piece
    | Shutdown | Heartbeat | Ping | Pong | Error
)  # fmt: skip
TYPES: dict[str, type] = {
    "hello": Hello, "welcome": Welcome, "submit": Submit, "accepted": Accepted, "progress": Progress,
    "frame": FrameResult, "done": JobDone, "failed": JobFailed, "cancel": Cancel, "cancelled": Cancelled,
    "attach": Attach, "attached": Attached, "upload": Upload, "chunk": Chunk, "uploaded": Uploaded,
    "push": PushFrame, "push_end": PushEnd, "credit": Credit, "decode": Decode, "meshes": Meshes,
    "fetch": Fetch, "piece": Piece, "shutdown": Shutdown, "heartbeat": Heartbeat,
    "ping": Ping, "pong": Pong, "error": Error,
}  # fmt: skip
