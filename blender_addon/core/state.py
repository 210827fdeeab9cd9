"""What the add-on knows at one moment. Times are seconds of the engine's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Kind

BackendPhase = Literal["stopped", "starting", "connecting", "ready", "stopping", "failed", "absent", "installing"]
JobPhase = Literal[
    "waiting", "sent", "queued", "running", "cancelling", "importing", "done", "cancelled", "failed"
]  # fmt: skip
Ending = Literal["", "done", "cancelled", "failed"]

BACKEND_PHASES: tuple[BackendPhase, ...] = (
    "stopped", "starting", "connecting", "ready", "stopping", "failed", "absent", "installing",
)  # fmt: skip
JOB_PHASES: tuple[JobPhase, ...] = (
    "waiting", "sent", "queued", "running", "cancelling", "importing", "done", "cancelled", "failed",
)  # fmt: skip
AT_BACKEND: tuple[JobPhase, ...] = ("sent", "queued", "running", "cancelling")
"""The backend has the job (or is about to be told of it): its messages count."""
ENDED: tuple[JobPhase, ...] = ("done", "cancelled", "failed")


@dataclass(frozen=True)
class Problem:
    """An HmdiffError as data: kind for programs, one sentence and a fix for people, detail for the log."""

    kind: str
    message: str
    fix: str = ""
    detail: str = ""

    @classmethod
    def from_error(cls, error: HmdiffError) -> Problem:
        return cls(error.kind, error.message, error.fix, error.detail)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Problem:
        return cls.from_error(HmdiffError.from_dict(dict(data)))

    @property
    def about_set_up(self) -> bool:
        """The set-up of the backend would solve it."""
        return self.kind.startswith("setup.")

    def to_error(self) -> HmdiffError:
        return HmdiffError(self.kind, self.message, self.fix, self.detail)


@dataclass(frozen=True)
class Request:
    """What the user wants. source: footage as the backend reads it; options: of the Submit message; take: folder to
    write, or to go on with where ``resume``; label: for the panel; start_frame: scene frame of the first picture;
    frames: how many are expected, 0 if unknown; clip: of a ``refine``, the uuid of the clip that is to follow it;
    in_scene: its bodies go into the open file, as they come and at the end.
    """

    kind: Kind
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    take: str = ""
    resume: bool = False
    label: str = ""
    start_frame: int = 1
    frames: int = 0
    clip: str = ""
    in_scene: bool = True


@dataclass(frozen=True)
class SetUp:
    """How far the set-up is. text: what is being done; share: 0 to 1 of the whole; eta: seconds left."""

    text: str = ""
    share: float = 0.0
    eta: float | None = None


@dataclass(frozen=True)
class Backend:
    """since: when the phase (or the newest connection) began; last_heard: when the last message came; capabilities: of
    its Welcome; attached: somebody else started it, so it is not ours to stop; ready: its READY line; set_up: how far
    it is while the phase is ``installing``.
    """

    phase: BackendPhase = "stopped"
    problem: Problem | None = None
    since: float = 0.0
    last_heard: float = 0.0
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    attached: bool = False
    ready: Mapping[str, Any] = field(default_factory=dict)
    set_up: SetUp = SetUp()


@dataclass(frozen=True)
class Job:
    """stage, done, total, eta: as in Progress; take: the folder it writes or left ("" when nothing can be kept);
    last_index: of the last frame received; frames: how many were received; notes: sentences for the user; preview: the
    scene side was told to begin one; ending: what it becomes once its take is imported.
    """

    id: str
    request: Request
    phase: JobPhase = "waiting"
    position: int = 0
    stage: str = ""
    done: int = 0
    total: int = 0
    eta: float | None = None
    take: str = ""
    last_index: int = -1
    frames: int = 0
    problem: Problem | None = None
    notes: tuple[str, ...] = ()
    began: float = 0.0
    ended: float = 0.0
    preview: bool = False
    ending: Ending = ""

    @property
    def active(self) -> bool:
        return self.phase not in ENDED

    @property
    def has_frames(self) -> bool:
        """Something is in its take that is worth keeping; of a refinement there is all or nothing."""
        return (
            self.request.kind != "refine"
            and bool(self.take)
            and (self.frames > 0 or self.done > 0 or self.request.resume)
        )

    @property
    def resumable(self) -> bool:
        asked = self.request
        return self.phase in ("cancelled", "failed") and asked.kind == "animate" and bool(self.take) and asked.in_scene


@dataclass(frozen=True)
class Drag:
    """A joint that is being dragged, and what the backend is asked meanwhile. id: new for every drag, as a job's;
    source, options: of the refine job that tells where the body is with the newest place; fresh: that place was not
    asked about yet; sent: id of the job that is on its way, "" for none; count: how many were sent; broken: one has
    failed, so no more are.
    """

    id: str
    source: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False
    sent: str = ""
    count: int = 0
    broken: bool = False


@dataclass(frozen=True)
class AppState:
    """job: the current or the last one; notice: something said in passing, until it is dismissed; drag: None while no
    joint is dragged, or where the body is not to follow.
    """

    backend: Backend = field(default_factory=Backend)
    job: Job | None = None
    now: float = 0.0
    notice: Problem | None = None
    drag: Drag | None = None

    @property
    def condition(self) -> str:
        """The backend's phase as people think of it: ``busy`` where it works for us, else the phase."""
        job = self.active_job
        if self.backend.phase == "ready" and job is not None and job.phase in AT_BACKEND:
            return "busy"
        return self.backend.phase

    @property
    def active_job(self) -> Job | None:
        return self.job if self.job is not None and self.job.active else None


def resume_request(job: Job) -> Request:
    """The same again, going on with what the job left."""
    return replace(job.request, take=job.take, resume=True)
