"""The life of one job, as part of ``transition``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hmdiff_wire.messages import (
    Accepted,
    Attach,
    Attached,
    Cancel,
    Cancelled,
    Error,
    FrameResult,
    JobDone,
    JobFailed,
    Message,
    Progress,
    Submit,
)

from .effects import BeginPreview, DropPreview, Effect, ImportTake, Send, ShowFrame, ShowPeople
from .state import AT_BACKEND, AppState, Ending, Job, Problem

Step = tuple[AppState, tuple[Effect, ...]]

LOST = Problem(
    "job.lost", "The backend no longer knows this run.", "What was finished is kept; press Resume to go on from there."
)


def submit(state: AppState) -> Step:
    """Send the waiting job."""
    job = state.job
    if job is None:
        return state, ()
    asked = job.request
    message = Submit(job.id, asked.kind, asked.source, dict(asked.options), asked.take, resume=asked.resume)
    return _with(state, job, phase="sent"), (Send(message),)


def reconnected(state: AppState) -> Step:
    """The backend said Welcome: hand over the waiting job, or ask after the one it should have."""
    job = state.active_job
    if job is None or job.phase == "importing":
        return state, ()
    if job.phase == "waiting":
        return submit(state)
    effects: list[Effect] = [Send(Attach(job.id, job.last_index))]
    if job.phase == "cancelling":
        effects.append(Send(Cancel(job.id)))
    return state, tuple(effects)


def cancel(state: AppState, force: bool) -> Step:
    job = state.active_job
    if job is None or job.phase == "importing":
        return state, ()
    if job.phase == "waiting":
        return _with(state, job, phase="cancelled", ended=state.now, take=job.take if job.request.resume else ""), ()
    # While the connection is being made anew, Cancel follows on Welcome.
    linked = state.backend.phase in ("ready", "stopping")
    told = (Send(Cancel(job.id, force or job.phase == "cancelling")),) if linked else ()
    return _with(state, job, phase="cancelling"), told


def receive(state: AppState, message: Message) -> Step:
    """A message about a job; one that is not ours, or no longer, is passed over."""
    job = state.job
    if job is None or job.phase not in AT_BACKEND or getattr(message, "job", "") != job.id:
        return state, ()
    match message:
        case Accepted():
            return _begin(state, job, message.take, phase=_going(job, "queued"), position=message.position)
        case Attached():
            phase = _going(job, "queued" if message.state == "queued" else "running")
            return _begin(
                state, job, message.take, phase=phase, stage=message.stage or job.stage,
                done=max(job.done, message.done), total=message.total or job.total, eta=message.eta,
            )  # fmt: skip
        case Progress():
            return _with(
                state, job, phase=_going(job, "running"), position=0, stage=message.stage, done=message.done,
                total=message.total, eta=message.eta,
            ), ()  # fmt: skip
        case FrameResult():
            return _frame(state, job, message)
        case JobDone():
            job = replace(job, notes=(*job.notes, *message.notes), take=message.take, done=job.total, eta=None)
            return finish(replace(state, job=job), "done", keep=True)
        case Cancelled():
            return finish(replace(state, job=replace(job, take=message.take)), "cancelled", keep=True)
        case JobFailed():
            return _failed(state, replace(job, take=message.take), Problem.from_dict(message.error))
        case Error():
            return _refused(state, job, Problem.from_dict(message.error))
    return state, ()


def lost(state: AppState, problem: Problem, ending: Ending = "failed") -> Step:
    """The backend that had the job (or was to have it) is gone; its take stays, for the scene and for Resume."""
    job = state.active_job
    if job is None or job.phase == "importing":
        return state, ()
    job = replace(job, take=job.take if job.has_frames else "")
    keep = job.has_frames and job.phase not in ("waiting", "sent")
    return finish(replace(state, job=job), ending, problem if ending == "failed" else None, keep)


def finish(state: AppState, ending: Ending, problem: Problem | None = None, keep: bool = False) -> Step:
    """The backend's part is over. keep: what is in the take goes into the scene first."""
    job = state.job
    if job is None or not ending:
        return state, ()
    job = replace(job, problem=problem, eta=None, position=0)
    if keep and job.take and job.request.kind != "people" and job.request.in_scene:
        effect = ImportTake(job.id, job.request, job.take, complete=ending == "done")
        return _with(state, job, phase="importing", ending=ending), (effect,)
    drop = (DropPreview(job.id),) if job.preview else ()
    return _with(state, job, phase=ending, ending=ending, ended=state.now, preview=False), drop


def imported(state: AppState, job_id: str) -> Step:
    job = _importing(state, job_id)
    if job is None:
        return state, ()
    return _with(state, job, phase=job.ending or "done", ended=state.now, preview=False), ()


def import_failed(state: AppState, job_id: str, problem: Problem) -> Step:
    """Of a run that had not finished anyway its own end stays the news; the import's trouble becomes a note."""
    job = _importing(state, job_id)
    if job is None:
        return state, ()
    drop = (DropPreview(job.id),)
    if job.ending in ("", "done"):
        return _with(state, job, phase="failed", problem=problem, ended=state.now, preview=False), drop
    notes = (*job.notes, problem.message)
    return _with(state, job, phase=job.ending, notes=notes, ended=state.now, preview=False), drop


def _importing(state: AppState, job_id: str) -> Job | None:
    job = state.job
    return job if job is not None and job.id == job_id and job.phase == "importing" else None


def _begin(state: AppState, job: Job, take: str, **changes: Any) -> Step:
    take = take or job.take
    if job.preview or job.request.kind in ("people", "refine") or not job.request.in_scene:
        return _with(state, job, take=take, **changes), ()
    return _with(state, job, take=take, preview=True, **changes), (BeginPreview(job.id, job.request, take),)


def _frame(state: AppState, job: Job, message: FrameResult) -> Step:
    if message.index <= job.last_index:
        return state, ()
    state, effects = _begin(
        state, job, job.take, phase=_going(job, "running"), position=0, last_index=message.index, frames=job.frames + 1
    )
    if job.request.kind == "people":
        return state, (*effects, ShowPeople(job.id, message.index, message.arrays))
    if job.request.kind == "refine" or not job.request.in_scene:  # the take has all of it
        return state, effects
    return state, (*effects, ShowFrame(job.id, message.index, message.time, message.arrays))


def _failed(state: AppState, job: Job, problem: Problem) -> Step:
    state = replace(state, job=job)
    if problem.kind == "server.stopping" and job.phase == "cancelling":
        return finish(state, "cancelled", keep=job.has_frames)
    return finish(state, "failed", problem, keep=job.has_frames)


def _refused(state: AppState, job: Job, problem: Problem) -> Step:
    if problem.kind == "job.unknown":
        if job.phase == "sent":  # it never arrived
            return submit(state)
        return lost(state, LOST, "cancelled" if job.phase == "cancelling" else "failed")
    if job.phase == "sent":
        if problem.kind == "job.exists":  # it did arrive, the answer did not
            return state, (Send(Attach(job.id, job.last_index)),)
        return lost(state, problem)
    return replace(state, notice=problem), ()


def _going(job: Job, phase: Any) -> Any:
    """A job that is being cancelled stays so whatever else is heard of it, a running one is not queued again."""
    return job.phase if job.phase == "cancelling" or (job.phase == "running" and phase == "queued") else phase


def _with(state: AppState, job: Job, **changes: Any) -> AppState:
    return replace(state, job=replace(job, **changes))
