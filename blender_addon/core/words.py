"""Every phase as one sentence and one button, for the panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .cost import duration
from .setup_rules import OFFLINE, REPAIRABLE
from .state import AT_BACKEND, Backend, Job, Problem

Action = Literal["start", "stop", "run", "cancel", "resume", "dismiss", "log", "setup", "repair", "allow"]

STAGES = {
    "starting": "Starting", "people": "People", "bodies": "Bodies", "motion": "Motion", "refining": "Refining",
    "writing": "Writing",
}  # fmt: skip
"""Of Progress; a stage not listed is shown by its own name."""


@dataclass(frozen=True)
class Button:
    label: str
    action: Action


@dataclass(frozen=True)
class Words:
    """text: one sentence; fix: what to do, "" where nothing is to be done; button: None where nothing is to be pressed;
    alert: something went wrong.
    """

    text: str
    button: Button | None
    fix: str = ""
    alert: bool = False


def backend_words(backend: Backend, job: Job | None = None, can_set_up: bool = False) -> Words:
    """can_set_up: a set-up by the add-on is possible and would be what it starts."""
    match backend.phase:
        case "stopped":
            return Words("The backend is not running; Run starts it.", Button("Start", "start"))
        case "starting":
            return Words("The backend is starting.", Button("Stop", "stop"))
        case "connecting" if job is not None and job.active and job.phase != "waiting":
            return Words("Connecting to the backend again.", Button("Stop", "stop"))
        case "connecting":
            return Words("Connecting to the backend.", Button("Stop", "stop"))
        case "ready" if job is not None and job.active and job.phase in AT_BACKEND:
            return Words(f"The backend is working{_device(backend)}.", Button("Stop", "stop"))
        case "ready" if backend.attached:
            return Words(f"Connected to a running backend{_device(backend)}.", Button("Disconnect", "stop"))
        case "ready":
            return Words(f"The backend is ready{_device(backend)}.", Button("Stop", "stop"))
        case "stopping":
            return Words("The backend is stopping.", Button("Stop Now", "stop"))
        case "installing":
            return Words(f"{set_up_text(backend)}.", Button("Stop", "stop"))
        case "failed":
            button = _set_up_button(backend.problem, can_set_up) or Button("Start Again", "start")
            return _trouble(backend, "The backend failed.", button)
        case "absent":
            button = _set_up_button(backend.problem, can_set_up) or Button("Try Again", "start")
            return _trouble(backend, "The backend was not found.", button)


def set_up_text(backend: Backend) -> str:
    """``Fetching torch, 120 of 374 MB · 2 min left``."""
    now = backend.set_up
    return f"{now.text or 'Setting up'} · {duration(now.eta)} left" if now.eta else now.text or "Setting up"


def _set_up_button(problem: Problem | None, can_set_up: bool) -> Button | None:
    if problem is None:
        return None
    if problem == OFFLINE:
        return Button("Allow Online Access", "allow")
    if problem.kind == "setup.none":
        return Button("Set Up", "setup")
    if problem.kind in REPAIRABLE and can_set_up:
        return Button("Repair", "repair")
    return Button("Go On", "setup") if problem.about_set_up else None


def job_words(job: Job | None) -> Words:
    if job is None:
        return Words("Choose footage and press Run.", Button("Run", "run"))
    match job.phase:
        case "waiting":
            return Words("Waiting for the backend.", Button("Cancel", "cancel"))
        case "sent":
            return Words("Handing the footage to the backend.", Button("Cancel", "cancel"))
        case "queued":
            before = f" behind {job.position} other{'s' if job.position > 1 else ''}" if job.position else ""
            return Words(f"Waiting in the backend's queue{before}.", Button("Cancel", "cancel"))
        case "running":
            return Words(f"{progress_text(job)}.", Button("Cancel", "cancel"))
        case "cancelling":
            return Words("Stopping after this batch; what is done is kept.", Button("Stop Now", "cancel"))
        case "importing":
            return Words("Putting the bodies into the scene.", None)
        case "done":
            return Words(_done(job), Button("Close", "dismiss"))
        case "cancelled":
            kept = "what was finished is kept" if job.take else "nothing was kept"
            button = Button("Resume", "resume") if job.resumable else Button("Close", "dismiss")
            return Words(f"Cancelled; {kept}.", button)
        case "failed":
            button = Button("Resume", "resume") if job.resumable else Button("Close", "dismiss")
            message, fix = (job.problem.message, job.problem.fix) if job.problem else ("The run failed.", "")
            return Words(message, button, fix, alert=True)


def progress_text(job: Job) -> str:
    """``Bodies 48 of 300 · 12 s left``."""
    text = STAGES.get(job.stage, job.stage.replace("_", " ").capitalize()) or "Running"
    if job.total > 0:
        text += f" {min(job.done, job.total)} of {job.total}"
    elif job.done > 0:
        text += f" {job.done}"
    return f"{text} · {duration(job.eta)} left" if job.eta else text


def progress_factor(job: Job) -> float:
    """0 to 1 within the stage; 0 while unknown."""
    if job.phase in ("done", "importing"):
        return 1.0
    return min(1.0, max(0.0, job.done / job.total)) if job.total > 0 else 0.0


def _device(backend: Backend) -> str:
    device = backend.capabilities.get("device")
    return f" ({device})" if isinstance(device, str) and device and device != "auto" else ""


def _trouble(backend: Backend, plain: str, button: Button) -> Words:
    problem = backend.problem
    return Words(problem.message if problem else plain, button, problem.fix if problem else "", alert=True)


def _done(job: Job) -> str:
    if job.request.kind == "people":
        return "The people in this picture are marked."
    if job.request.kind == "refine":
        return "The clip follows the correction."
    if job.request.kind == "pose":
        return "The posed bodies are in the scene."
    return "The animated bodies are in the scene."
