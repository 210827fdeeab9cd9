"""What the add-on decides about the backend: start, stop, death, somebody else's."""

from __future__ import annotations

import pytest
from hmdiff_blender_core.backend_rules import START_SECONDS, STOP_SECONDS
from hmdiff_blender_core.effects import (
    CloseClient,
    DropPreview,
    ImportTake,
    StartProcess,
    StopProcess,
)
from hmdiff_blender_core.events import (
    AddonClosed,
    Dismissed,
    Imported,
    NoBackend,
    ProcessEnded,
    ProcessReady,
    RunAsked,
    StartAsked,
    StopAsked,
)
from hmdiff_blender_core.state import AppState
from hmdiff_wire.messages import (
    Accepted,
    Cancel,
    Cancelled,
    Error,
    Shutdown,
    Welcome,
)
from states import CLIP, OLD, PROBLEM, READY, error, frame
from walk import TAKE, Walk, ready, running


def test_the_backend_dies_with_a_job() -> None:
    walk = running()(ProcessEnded(-9, "Killed"))
    assert walk.state.backend.phase == "failed" and walk.state.backend.problem is not None
    assert walk.state.backend.problem.kind == "backend.died" and walk.state.backend.problem.detail == "Killed"
    assert set(walk.kinds) == {CloseClient, ImportTake}
    walk(Imported("one"))
    assert walk.job.phase == "failed" and walk.job.resumable
    walk(Dismissed())
    assert walk.state == AppState(walk.state.backend) and walk.state.backend.phase == "stopped"


def test_the_backend_dies_before_a_frame_came() -> None:
    walk = ready()(RunAsked(CLIP, "one"), Accepted("one", 0, TAKE), ProcessEnded(1, "boom"))
    assert walk.job.phase == "failed" and DropPreview("one") in walk.effects and not walk.job.resumable


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        ("/usr/bin/python: No module named hmdiff.cli; ", "backend.no_hmdiff"),
        ("/usr/bin/python: Error while finding module specification for 'hmdiff.cli' (ModuleNotFoundError: No module "
         "named 'hmdiff')", "backend.no_hmdiff"),
        ("ModuleNotFoundError: No module named 'zmq'", "backend.incomplete"),
        ("hmdiff: Unrecognized arguments: --ready-file /x.", "backend.old"),
        ("", "backend.not_started"),
    ],
)  # fmt: skip
def test_a_start_that_fails_is_explained(log: str, kind: str) -> None:
    walk = Walk()(RunAsked(CLIP, "one"), ProcessEnded(1, log))
    assert walk.phases == ("failed", "failed") and walk.job.problem == walk.state.backend.problem
    assert walk.job.problem is not None and walk.job.problem.kind == kind and walk.job.problem.detail == log


def test_a_start_that_takes_too_long() -> None:
    walk = Walk()(RunAsked(CLIP, "one")).wait(START_SECONDS)
    assert walk.phases == ("starting", "waiting")
    walk.wait(1.0)
    assert walk.phases == ("failed", "failed") and walk.effects == (StopProcess(force=True),)


def test_no_backend_at_all() -> None:
    walk = Walk()(RunAsked(CLIP, "one"), NoBackend(PROBLEM))
    assert walk.phases == ("absent", "failed") and walk.job.problem == PROBLEM
    assert walk(RunAsked(CLIP, "two")).effects == (StartProcess(),)


def test_the_wrong_version() -> None:
    walk = Walk()(RunAsked(CLIP, "one"), ProcessReady(OLD))
    assert walk.phases == ("failed", "failed") and walk.effects == (StopProcess(force=True),)
    assert walk.job.problem is not None and walk.job.problem.kind == "protocol.version"
    walk = Walk()(RunAsked(CLIP, "one"), ProcessReady(READY), Error(error("protocol.version")))
    assert walk.phases == ("failed", "failed") and StopProcess(force=True) in walk.effects


def test_not_a_backend() -> None:
    for wrong in (
        {"port": "seven"},
        {"port": 0},
        {"port": 70000},
        {"token": 5},
        {"protocol": "1.1"},
        {"protocol": [1]},
    ):
        walk = Walk()(StartAsked(), ProcessReady({**READY, **wrong}))
        assert walk.state.backend.phase == "failed" and walk.effects == (StopProcess(force=True),)
        assert walk.state.backend.problem is not None and walk.state.backend.problem.kind == "backend.bad_ready"


def test_stop_ends_the_job_first() -> None:
    walk = running()(StopAsked())
    assert walk.phases == ("stopping", "cancelling")
    assert walk.sent == [Cancel("one"), Shutdown()] and walk.effects[-1] == StopProcess()
    walk(Cancelled("one", TAKE))
    assert walk.kinds == [ImportTake]
    walk(ProcessEnded(0))
    assert walk.phases == ("stopped", "importing") and walk.kinds == [CloseClient]
    assert walk(Imported("one")).job.phase == "cancelled"


def test_stop_twice_is_at_once() -> None:
    assert ready()(StopAsked(), StopAsked()).effects == (StopProcess(force=True),)
    walk = ready()(StopAsked()).wait(STOP_SECONDS)
    assert walk.state.backend.phase == "stopping" and not walk.effects
    walk.wait(1.0)
    assert walk.state.backend.phase == "stopped" and StopProcess(force=True) in walk.effects


def test_run_while_it_stops_starts_again() -> None:
    walk = ready()(StopAsked(), RunAsked(CLIP, "one"))
    assert walk.phases == ("stopping", "waiting") and not walk.effects
    walk(ProcessEnded(0))
    assert walk.phases == ("starting", "waiting") and walk.kinds == [CloseClient, StartProcess]


def attached() -> Walk:
    return Walk()(StartAsked(), ProcessReady(READY, attached=True), Welcome("hmdiff 1", {}))


def test_somebody_elses_backend_is_left_alone() -> None:
    walk = attached()(StopAsked())
    assert walk.state.backend.phase == "stopped" and walk.kinds == [CloseClient]
    walk = attached()(RunAsked(CLIP, "one"), Accepted("one", 0, TAKE), frame("one", 1), StopAsked())
    assert walk.phases == ("stopping", "cancelling") and walk.sent == [Cancel("one")]
    walk(Cancelled("one", TAKE))
    assert walk.phases == ("stopped", "importing") and walk.kinds == [ImportTake, CloseClient]
    assert attached()(AddonClosed()).kinds == [CloseClient]
