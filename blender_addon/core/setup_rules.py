"""The set-up of the backend, as part of ``transition``."""

from __future__ import annotations

from dataclasses import replace

from hmdiff_wire.messages import Shutdown

from . import backend_rules, job_rules
from .effects import CloseClient, Effect, Send, StartSetUp, StopProcess, StopSetUp
from .events import SetUpAsked, SetUpProgressed
from .state import AppState, Backend, Problem, SetUp

Step = tuple[AppState, tuple[Effect, ...]]

NOT_INSTALLED = Problem(
    "setup.none", "HMDiff's backend is not on this computer yet.",
    "Press Set Up: it is fetched once and goes into a folder of its own.",
)  # fmt: skip
INTERRUPTED = Problem(
    "setup.interrupted", "The set-up of the backend was interrupted.", "Press Go On; what was fetched is kept."
)
BROKEN = Problem(
    "setup.broken", "The backend's environment is damaged.", "Press Repair; little has to be fetched for that."
)
OFFLINE = Problem(
    "setup.offline", "Blender is set to stay offline, and the backend has to be fetched.",
    "Allow online access, then press Set Up. It is used for nothing else.",
)  # fmt: skip
BUSY = Problem("setup.busy", "A run is going on.", "Wait for it or cancel it, then set the backend up.")
REPAIRABLE = (
    "setup.broken", "setup.check", "backend.no_hmdiff", "backend.incomplete", "backend.old", "backend.not_started",
    "backend.bad_ready", "protocol.version",
)  # fmt: skip
"""Setting it up again may help."""


def ask(state: AppState, event: SetUpAsked) -> Step:
    """Begin, from wherever no job is at work. A backend of ours that runs is ended first."""
    before, job = state.backend, state.active_job
    if before.phase == "installing":
        return state, ()
    if job is not None and job.phase != "waiting":
        return replace(state, notice=BUSY), ()
    if not event.online:
        if before.phase in ("absent", "failed", "stopped"):
            return replace(state, backend=Backend("absent", OFFLINE, state.now)), ()
        return replace(state, notice=OFFLINE), ()
    effects: tuple[Effect, ...] = ()
    if before.phase in ("connecting", "ready", "stopping"):
        told = () if before.attached or before.phase == "stopping" else (Send(Shutdown()),)
        effects = (*told, CloseClient())
    if before.phase in ("starting", "connecting", "ready", "stopping") and not before.attached:
        effects = (*effects, StopProcess())
    backend = Backend("installing", since=state.now, set_up=SetUp("Beginning"))
    return replace(state, backend=backend, notice=None), (*effects, StartSetUp(event.anew))


def looked(state: AppState, problem: Problem | None) -> AppState:
    if state.backend.phase not in ("stopped", "absent") or state.active_job is not None:
        return state
    return replace(state, backend=Backend("absent" if problem else "stopped", problem, state.now))


def progressed(state: AppState, event: SetUpProgressed) -> AppState:
    if state.backend.phase != "installing":
        return state
    return replace(state, backend=replace(state.backend, set_up=SetUp(event.text, event.share, event.eta)))


def ended(state: AppState, problem: Problem | None) -> Step:
    """With success a run that waited for it goes on; with a problem it goes on waiting, until it is cancelled."""
    if state.backend.phase != "installing":
        return state, ()
    if problem is not None:
        return backend_rules.no_backend(state, problem)
    state = replace(state, backend=Backend(since=state.now))
    job = state.active_job
    return backend_rules.start(state) if job is not None and job.phase == "waiting" else (state, ())


def stop(state: AppState) -> Step:
    """The user stops it; a run that waited for it will not come."""
    state = replace(state, backend=Backend("absent", INTERRUPTED, state.now))
    state, effects = job_rules.lost(state, INTERRUPTED, "cancelled")
    return state, (StopSetUp(), *effects)
