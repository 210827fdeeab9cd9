"""The backend's process and connection, as part of ``transition``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Error, Hello, Message, Welcome
from hmdiff_wire.version import check_version

from . import job_rules, live_rules
from .effects import CloseClient, Effect, OpenClient, Send, StartProcess, StopProcess
from .state import AppState, Backend, Problem

Step = tuple[AppState, tuple[Effect, ...]]

CLIENT = "hmdiff for blender"
START_SECONDS = 30.0
SILENCE_SECONDS = 5.0
"""A heartbeat comes each second; after this long without any message the connection is made anew."""
GIVE_UP_SECONDS = 30.0
GAP_SECONDS = 2.0
STOP_SECONDS = 20.0
FATAL = ("protocol.version", "protocol.token")
_RESUME = "Run starts it again; where something was finished, Resume goes on with it. The log says more."


def start(state: AppState) -> Step:
    """Into ``starting`` from where nothing runs; from ``stopping`` a waiting job brings it back at the end."""
    if state.backend.phase not in ("stopped", "failed", "absent"):
        return state, ()
    return replace(state, backend=Backend("starting", since=state.now)), (StartProcess(),)


def no_backend(state: AppState, problem: Problem) -> Step:
    phase = state.backend.phase
    if phase in ("connecting", "ready"):
        return _give_up(state, problem)
    if phase == "stopping":
        return state, ()
    now = "failed" if phase == "installing" else "absent"  # the set-up could not even begin
    state = replace(state, backend=Backend(now, problem, state.now))
    job = state.active_job
    if problem.about_set_up and job is not None and job.phase == "waiting":
        return state, ()  # the run goes on when the backend has been set up
    return job_rules.lost(state, problem)


def process_ready(state: AppState, ready: Mapping[str, Any], attached: bool) -> Step:
    if state.backend.phase != "starting":
        return state, ()
    state = replace(state, backend=replace(state.backend, attached=attached, ready=ready))
    problem = ready_problem(ready)
    if problem is not None:
        return _give_up(state, problem)
    return _connect(replace(state, backend=replace(state.backend, last_heard=state.now)))


def process_ended(state: AppState, code: int | None, log_tail: str) -> Step:
    phase = state.backend.phase
    if phase in ("stopped", "absent", "failed", "installing"):
        return state, ()
    closed = () if phase == "starting" else (CloseClient(flush=False),)
    if phase == "stopping":
        state = replace(state, backend=Backend(since=state.now))
        if state.job is not None and state.job.phase == "waiting":
            state, effects = start(state)
        else:
            state, effects = job_rules.lost(state, job_rules.LOST, "cancelled")
        return state, (*closed, *effects)
    problem = start_problem(code, log_tail) if phase == "starting" else death_problem(code, log_tail)
    problem = LEFT if state.backend.attached else problem
    state = replace(state, backend=Backend("failed", problem, state.now))
    state, effects = job_rules.lost(state, problem)
    return state, (*closed, *effects)


def message(state: AppState, message: Message) -> Step:
    """Anything the backend says while there is a connection."""
    phase = state.backend.phase
    if phase not in ("connecting", "ready", "stopping"):
        return state, ()
    state = replace(state, backend=replace(state.backend, last_heard=state.now))
    if isinstance(message, Welcome):
        if phase == "stopping":
            return state, ()
        backend = replace(state.backend, phase="ready", since=state.now, capabilities=message.capabilities)
        state = replace(state, backend=backend)
        return job_rules.reconnected(state) if phase == "connecting" else (state, ())
    if isinstance(message, Error):
        problem = Problem.from_dict(message.error)
        if problem.kind in FATAL and phase != "stopping":
            return _give_up(state, problem)
        if not message.job:
            return replace(state, notice=problem), ()
    return live_rules.receive(state, message) or job_rules.receive(state, message)


def advance(state: AppState, now: float) -> AppState:
    """The same at a later time. A time in which nobody looked (a render, a sleeping computer) is nobody's silence."""
    gap = now - state.now
    if gap <= 0.0:
        return state
    if gap > GAP_SECONDS:
        backend = state.backend
        backend = replace(backend, since=backend.since + gap, last_heard=backend.last_heard + gap)
        state = replace(state, backend=backend)
    return replace(state, now=now)


def tick(state: AppState, now: float, listening: bool) -> Step:
    """Too long without an answer?"""
    state = advance(state, now)
    if not listening:
        state = replace(state, backend=replace(state.backend, last_heard=state.now))
    backend = state.backend
    lasted, silent = state.now - backend.since, state.now - backend.last_heard
    if backend.phase == "starting" and lasted > START_SECONDS:
        return _give_up(state, SLOW)
    if backend.phase in ("connecting", "ready"):
        if silent > GIVE_UP_SECONDS:
            return _give_up(state, SILENT)
        if silent > SILENCE_SECONDS and lasted > SILENCE_SECONDS:
            state, effects = _connect(state)
            return state, (CloseClient(flush=False), *effects)
    if backend.phase == "stopping" and lasted > STOP_SECONDS:
        return _stopped_at_last(state)
    return state, ()


def ready_problem(ready: Mapping[str, Any]) -> Problem | None:
    """Why nobody could connect with this READY line, or None."""
    port, token, protocol = ready.get("port"), ready.get("token"), ready.get("protocol")
    try:
        if not isinstance(port, int) or not 0 < port < 65536 or not isinstance(token, str):
            raise ValueError("port or token")
        if not isinstance(protocol, list | tuple):
            raise ValueError("protocol")
        major, minor = protocol
        check_version((int(major), int(minor)))
    except HmdiffError as error:
        return Problem.from_error(error)
    except (TypeError, ValueError) as error:
        return Problem(
            "backend.bad_ready", "The program that was started is not an HMDiff backend.",
            "Choose the Python in which HMDiff is installed in the add-on's preferences.",
            f"no usable {error} in its READY line",
        )  # fmt: skip
    return None


SLOW = Problem(
    "backend.slow", f"The backend did not start within {START_SECONDS:.0f} seconds.",
    "Press Start again; a first start after an installation takes longest. The log says what it was doing.",
)  # fmt: skip
LEFT = Problem("backend.left", "The backend has ended with the Blender or program that had started it.", _RESUME)
SILENT = Problem("backend.silent", "The backend does not answer any more.", _RESUME)


def death_problem(code: int | None, log_tail: str) -> Problem:
    return Problem("backend.died", f"The backend stopped by itself{_spoken_code(code)}.", _RESUME, log_tail)


def start_problem(code: int | None, log_tail: str) -> Problem:
    """Why it ended before it was ready, as far as its log tells."""
    missing = re.search(r"No module named '?([\w.]+)", log_tail)
    if missing and missing[1].split(".")[0] in ("hmdiff", "hmdiff_wire"):
        return Problem(
            "backend.no_hmdiff", "HMDiff is not installed in the Python that was chosen.",
            "Install it there, or choose another Python in the add-on's preferences.", log_tail,
        )  # fmt: skip
    if missing:
        return Problem(
            "backend.incomplete", f"The backend's Python lacks the package {missing[1]}.",
            "Run `hmdiff doctor` with it, or install HMDiff into it again.", log_tail,
        )  # fmt: skip
    if re.search(r"unrecognized arguments|invalid choice: 'serve'", log_tail, re.IGNORECASE):
        return Problem(
            "backend.old", "The installed backend is older than this add-on.",
            "Install the add-on and the backend of the same HMDiff release.", log_tail,
        )  # fmt: skip
    return Problem(
        "backend.not_started", f"The backend ended before it was ready{_spoken_code(code)}.",
        "The log says why; `hmdiff doctor` in a terminal checks the installation.", log_tail,
    )  # fmt: skip


def _spoken_code(code: int | None) -> str:
    if code is None:
        return ""
    return f" (signal {-code})" if code < 0 else f" (code {code})"


def _connect(state: AppState) -> Step:
    """A new connection, with what was heard before remembered."""
    backend = replace(state.backend, phase="connecting", problem=None, since=state.now)
    return replace(state, backend=backend), (OpenClient(backend.ready), Send(Hello(CLIENT)))


def _give_up(state: AppState, problem: Problem) -> Step:
    """Leave a backend that is of no use; end it where it is ours."""
    before = state.backend
    closed = () if before.phase == "starting" else (CloseClient(flush=False),)
    ended = () if before.attached else (StopProcess(force=True),)
    state = replace(state, backend=Backend("failed", problem, state.now))
    state, effects = job_rules.lost(state, problem)
    return state, (*closed, *ended, *effects)


def _stopped_at_last(state: AppState) -> Step:
    ended = () if state.backend.attached else (StopProcess(force=True),)
    state, effects = process_ended(state, None, "")
    return state, (*ended, *effects)
