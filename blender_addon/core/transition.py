"""``transition(state, event)``: every decision of the add-on. Pure; ``Engine`` does what comes out."""

from __future__ import annotations

from dataclasses import replace

from hmdiff_wire.messages import Cancel, Shutdown

from . import backend_rules, job_rules, live_rules, setup_rules
from .effects import CloseClient, DropPreview, Effect, Send, StopProcess, StopSetUp
from .events import (
    AddonClosed,
    BackendLooked,
    CancelAsked,
    Dismissed,
    DragEnded,
    DragMoved,
    Event,
    Imported,
    ImportFailed,
    MessageIn,
    NoBackend,
    ProcessEnded,
    ProcessReady,
    RunAsked,
    SetUpAsked,
    SetUpEnded,
    SetUpProgressed,
    SourceClosed,
    StartAsked,
    StopAsked,
    Tick,
)
from .state import AT_BACKEND, AppState, Backend, Job, Problem

Step = tuple[AppState, tuple[Effect, ...]]

BUSY = Problem("job.busy", "A run is already going on.", "Wait for it or cancel it, then press Run again.")


def transition(state: AppState, event: Event) -> Step:
    """The state after ``event`` and what is to be done, in this order. Defined for every pair, raises nothing."""
    return _let_go(*live_rules.go_on(*_decide(state, event)))


def _decide(state: AppState, event: Event) -> Step:
    match event:
        case RunAsked():
            return _run(state, event)
        case CancelAsked(force):
            return job_rules.cancel(state, force)
        case DragMoved():
            return live_rules.moved(state, event)
        case DragEnded():
            return live_rules.ended(state, event)
        case StartAsked():
            return backend_rules.start(state)
        case StopAsked():
            return _stop(state)
        case Dismissed():
            return _dismiss(state), ()
        case SetUpAsked():
            return setup_rules.ask(state, event)
        case BackendLooked(problem):
            return setup_rules.looked(state, problem), ()
        case SetUpProgressed():
            return setup_rules.progressed(state, event), ()
        case SetUpEnded(problem):
            return setup_rules.ended(state, problem)
        case NoBackend(problem):
            return backend_rules.no_backend(state, problem)
        case ProcessReady(ready, attached):
            return backend_rules.process_ready(state, ready, attached)
        case ProcessEnded(code, log_tail):
            return backend_rules.process_ended(state, code, log_tail)
        case MessageIn(message):
            return backend_rules.message(state, message)
        case Tick(now, listening):
            return backend_rules.tick(state, now, listening)
        case Imported(job_id):
            return job_rules.imported(state, job_id)
        case ImportFailed(job_id, problem):
            return job_rules.import_failed(state, job_id, problem)
        case SourceClosed():
            return _source_closed(state)
        case AddonClosed():
            return _addon_closed(state)


def _run(state: AppState, event: RunAsked) -> Step:
    if state.active_job is not None:
        return replace(state, notice=BUSY), ()
    job = Job(event.job_id, event.request, take=event.request.take, began=state.now)
    state = replace(state, job=job, notice=None)
    if state.backend.phase == "ready":
        return job_rules.submit(state)
    return backend_rules.start(state)


def _stop(state: AppState) -> Step:
    """A job of ours is stopped first: the backend closes its take before it ends. Asked twice, it ends at once."""
    phase, job, attached = state.backend.phase, state.active_job, state.backend.attached
    if phase == "installing":
        return setup_rules.stop(state)
    if phase in ("stopped", "failed", "absent"):
        return state, ()
    effects: tuple[Effect, ...] = ()
    if job is not None and job.phase != "cancelling":
        state, effects = job_rules.cancel(state, force=False)
    if phase == "stopping":
        return state, effects if attached else (*effects, StopProcess(force=True))
    backend = replace(state.backend, phase="stopping", problem=None, since=state.now)
    if not attached:
        told = (Send(Shutdown()),) if phase != "starting" else ()
        effects = (*effects, *told, StopProcess())
    return replace(state, backend=backend), effects


def _let_go(state: AppState, effects: tuple[Effect, ...]) -> Step:
    """Somebody else's backend that we are leaving: it goes on without us once our job has ended there."""
    backend, job = state.backend, state.active_job
    if backend.phase != "stopping" or not backend.attached or (job is not None and job.phase in AT_BACKEND):
        return state, effects
    return replace(state, backend=Backend(since=state.now)), (*effects, CloseClient())


def _dismiss(state: AppState) -> AppState:
    """The newest thing first: the notice, then the ended job, then the backend's problem (with the job if the same)."""
    if state.notice is not None:
        return replace(state, notice=None)
    job, backend = state.job, state.backend
    if job is not None and not job.active:
        state = replace(state, job=None)
        if job.problem is None or job.problem != backend.problem:
            return state
    if backend.phase in ("failed", "absent") and not (backend.problem and backend.problem.about_set_up):
        return replace(state, backend=Backend(since=state.now))
    return state


def _source_closed(state: AppState) -> Step:
    state, effects = live_rules.forget(state)
    job = state.active_job
    if job is not None and not job.request.in_scene:  # of the queue, which is of no file
        return replace(state, notice=None), effects
    return replace(state, job=None, notice=None), (*effects, *_abandon(state))


def _addon_closed(state: AppState) -> Step:
    phase, effects = state.backend.phase, list(_abandon(state))
    connected = phase in ("connecting", "ready", "stopping")
    if phase == "installing":
        effects.append(StopSetUp())
    elif phase not in ("stopped", "failed", "absent") and not state.backend.attached:
        if phase in ("connecting", "ready"):
            effects.append(Send(Shutdown()))
        effects.append(StopProcess())
    if connected:
        effects.append(CloseClient())
    return AppState(Backend(since=state.now), now=state.now), tuple(effects)


def _abandon(state: AppState) -> tuple[Effect, ...]:
    job = state.active_job
    if job is None:
        return ()
    told = (Send(Cancel(job.id)),) if job.phase in AT_BACKEND else ()
    return (*told, DropPreview(job.id)) if job.preview or job.phase == "importing" else told
