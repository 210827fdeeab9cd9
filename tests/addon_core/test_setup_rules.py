"""The set-up as part of ``transition``: what is offered, what waits for it, what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hmdiff_blender_core.effects import CloseClient, Send, StartProcess, StartSetUp, StopProcess, StopSetUp
from hmdiff_blender_core.events import (
    AddonClosed,
    BackendLooked,
    CancelAsked,
    Dismissed,
    NoBackend,
    ProcessEnded,
    RunAsked,
    SetUpAsked,
    SetUpEnded,
    SetUpProgressed,
    StartAsked,
    StopAsked,
)
from hmdiff_blender_core.setup_rules import INTERRUPTED, NOT_INSTALLED, OFFLINE
from hmdiff_blender_core.state import AppState, Backend, Job, Problem
from hmdiff_blender_core.transition import transition
from hmdiff_blender_core.words import backend_words, job_words, set_up_text
from hmdiff_wire.messages import Shutdown
from states import BROKE_OFF, CLIP

BARE = AppState(Backend("absent", NOT_INSTALLED), now=1.0)


def lived(state: AppState, *events: object) -> AppState:
    for event in events:
        state, _ = transition(state, event)  # type: ignore[arg-type]
    return state


def test_a_run_without_a_backend_waits_offers_the_set_up_and_goes_on_after_it() -> None:
    asked, effects = transition(AppState(now=1.0), RunAsked(CLIP, "one"))
    assert effects == (StartProcess(),)
    state = lived(asked, NoBackend(NOT_INSTALLED))
    assert state.backend.phase == "absent" and state.job is not None and state.job.phase == "waiting"
    words = backend_words(state.backend, state.job)
    assert words.button is not None and (words.button.label, words.button.action) == ("Set Up", "setup")
    state, effects = transition(state, SetUpAsked(online=True))
    assert state.backend.phase == "installing" and effects == (StartSetUp(),)
    state = lived(state, SetUpProgressed("Fetching torch, 120 of 374 MB", 0.4, 61.0))
    assert set_up_text(state.backend) == "Fetching torch, 120 of 374 MB · 1 min left"
    state, effects = transition(state, SetUpEnded(None))
    assert state.backend.phase == "starting" and effects == (StartProcess(),)
    assert state.job is not None and state.job.request == CLIP


def test_with_nothing_waiting_the_backend_is_simply_there_afterwards() -> None:
    state = lived(BARE, SetUpAsked(online=True), SetUpEnded(None))
    assert (state.backend.phase, state.backend.problem, state.job) == ("stopped", None, None)


def test_offline_it_is_not_begun_and_the_button_allows_it() -> None:
    state, effects = transition(BARE, SetUpAsked(online=False))
    assert effects == () and state.backend.problem == OFFLINE
    button = backend_words(state.backend).button
    assert button is not None and button.action == "allow"
    assert lived(state, SetUpAsked(online=True)).backend.phase == "installing"


def test_a_broken_download_keeps_the_waiting_run_and_offers_to_go_on() -> None:
    state = lived(BARE, RunAsked(CLIP, "one"), NoBackend(NOT_INSTALLED), SetUpAsked(online=True), SetUpEnded(BROKE_OFF))
    assert state.backend.phase == "failed" and state.job is not None and state.job.phase == "waiting"
    words = backend_words(state.backend)
    assert words.text == BROKE_OFF.message and words.button is not None and words.button.label == "Go On"
    assert lived(state, Dismissed()) == state, "what only a set-up solves is not closed away"
    again = lived(state, SetUpAsked(online=True), SetUpEnded(None))
    assert again.backend.phase == "starting"
    cancelled = lived(state, CancelAsked())
    assert cancelled.job is not None and cancelled.job.phase == "cancelled"


def test_stopping_it_keeps_what_was_fetched_and_lets_the_run_go() -> None:
    state = lived(BARE, RunAsked(CLIP, "one"), NoBackend(NOT_INSTALLED), SetUpAsked(online=True))
    state, effects = transition(state, StopAsked())
    assert effects == (StopSetUp(),) and state.backend.problem == INTERRUPTED
    assert state.job is not None and state.job.phase == "cancelled" and job_words(state.job).text
    _, effects = transition(lived(BARE, SetUpAsked(online=True)), AddonClosed())
    assert effects == (StopSetUp(),)


def test_an_upgrade_ends_our_idle_backend_first_but_never_a_run() -> None:
    ready = AppState(Backend("ready", ready={"pid": 1}), now=1.0)
    state, effects = transition(ready, SetUpAsked(online=True))
    assert [type(effect) for effect in effects] == [Send, CloseClient, StopProcess, StartSetUp]
    assert isinstance(effects[0], Send) and isinstance(effects[0].message, Shutdown)
    assert lived(state, ProcessEnded(0)) == state, "its end is no news while the new one is fetched"
    _, effects = transition(
        replace(ready, backend=replace(ready.backend, attached=True)), SetUpAsked(online=True, anew=True)
    )
    assert [type(effect) for effect in effects] == [CloseClient, StartSetUp] and effects[-1] == StartSetUp(True)
    busy = replace(ready, job=Job("one", CLIP, "running"))
    state, effects = transition(busy, SetUpAsked(online=True))
    assert effects == () and state.backend == busy.backend and state.notice is not None


def test_while_it_is_set_up_nothing_else_starts() -> None:
    state = lived(BARE, SetUpAsked(online=True))
    for event in (StartAsked(), SetUpAsked(online=True), BackendLooked(None)):
        assert transition(state, event) == (state, ())
    state, effects = transition(state, RunAsked(CLIP, "one"))
    assert effects == () and state.job is not None and state.job.phase == "waiting"
    assert lived(state, SetUpEnded(None)).backend.phase == "starting"


def test_another_place_is_looked_at() -> None:
    assert lived(BARE, BackendLooked(None)).backend.phase == "stopped"
    assert lived(AppState(now=1.0), BackendLooked(NOT_INSTALLED)).backend.problem == NOT_INSTALLED


@pytest.mark.parametrize("kind", ["backend.no_hmdiff", "backend.incomplete", "protocol.version", "setup.broken"])
def test_what_a_set_up_repairs_offers_that_where_one_is_possible(kind: str) -> None:
    backend = Backend("failed", Problem(kind, "It is broken.", "Mend it."))
    button = backend_words(backend, None, can_set_up=True).button
    assert button is not None and button.action == "repair"
    button = backend_words(backend, None, can_set_up=False).button
    assert button is not None and button.action == ("setup" if kind.startswith("setup.") else "start")
