"""What the add-on decides when the backend is silent or forgets."""

from __future__ import annotations

from typing import Any

import pytest
from hmdiff_blender_core.backend_rules import GIVE_UP_SECONDS, SILENCE_SECONDS, START_SECONDS
from hmdiff_blender_core.effects import (
    BeginPreview,
    CloseClient,
    ImportTake,
    OpenClient,
    Send,
    StopProcess,
)
from hmdiff_blender_core.events import (
    CancelAsked,
    Imported,
    RunAsked,
    StartAsked,
    Tick,
)
from hmdiff_wire.messages import (
    Attach,
    Attached,
    Cancel,
    Error,
    Heartbeat,
    Hello,
    JobDone,
    Submit,
    Welcome,
)
from states import CLIP, READY, error, frame
from walk import TAKE, Walk, ready, running


def test_silence_makes_a_new_connection_and_asks_after_the_job() -> None:
    walk = running().wait(SILENCE_SECONDS)
    assert not walk.effects
    walk.wait(0.5)
    assert walk.effects[:2] == (CloseClient(flush=False), OpenClient(READY)) and isinstance(walk.sent[0], Hello)
    assert walk.phases == ("connecting", "running")
    walk(Welcome("hmdiff 1", {}))
    assert walk.sent == [Attach("one", 4)] and walk.phases == ("ready", "running")
    walk(Attached("one", "running", TAKE, "bodies", 32, 60, 2.0), frame("one", 5))
    assert (walk.job.done, walk.job.last_index) == (32, 5)


def test_a_heartbeat_is_enough_to_stay_connected() -> None:
    walk = ready()
    for _ in range(40):
        assert not walk.wait(1.0)(Heartbeat({}, 0)).effects
    assert walk.state.backend.phase == "ready"


def test_not_having_listened_is_no_silence() -> None:
    walk = running().wait(60.0, listening=False)
    assert not walk.effects and not walk.wait(SILENCE_SECONDS).effects and walk.phases == ("ready", "running")


def test_time_in_which_nobody_looked_is_no_silence() -> None:
    walk = running()(Tick(3600.0))
    assert not walk.effects and not walk.wait(SILENCE_SECONDS).effects
    assert walk.wait(1.0).kinds == [CloseClient, OpenClient, Send]
    starting = Walk()(StartAsked(), Tick(3600.0))
    assert starting.state.backend.phase == "starting" and starting.wait(START_SECONDS + 1).kinds == [StopProcess]


def test_silence_for_too_long_is_the_end() -> None:
    walk = running()
    reopened = 0
    while walk.state.backend.phase != "failed" and walk.state.now < 60:
        walk.wait(10.0)
        reopened += OpenClient in walk.kinds
    assert walk.state.now == pytest.approx(GIVE_UP_SECONDS, abs=1.0) and 3 <= reopened <= 6
    assert walk.effects[:2] == (CloseClient(flush=False), StopProcess(force=True))
    assert walk.state.backend.problem is not None and walk.state.backend.problem.kind == "backend.silent"
    assert walk.job.phase == "importing" and walk.job.ending == "failed"


@pytest.mark.parametrize("state", ["done", "failed", "cancelled", "running"])
def test_the_end_may_have_come_while_we_were_away(state: Any) -> None:
    walk = running().wait(6.0)(Welcome("hmdiff 1", {}), Attached("one", state, TAKE))
    assert walk.job.phase == "running"
    walk(frame("one", 59), JobDone("one", TAKE, 60, (0,)))
    assert walk.effects == (ImportTake("one", CLIP, TAKE, complete=True),)


def test_a_backend_that_forgot_the_job() -> None:
    walk = running().wait(6.0)(Welcome("hmdiff 1", {}), Error(error("job.unknown"), "one"))
    assert walk.effects == (ImportTake("one", CLIP, TAKE, complete=False),)
    walk(Imported("one"))
    assert walk.job.phase == "failed" and walk.job.resumable and walk.job.problem is not None
    assert walk.job.problem.kind == "job.lost"


def test_a_submit_that_got_lost_is_sent_again() -> None:
    walk = ready()(RunAsked(CLIP, "one")).wait(6.0)(Welcome("hmdiff 1", {}))
    assert walk.sent == [Attach("one", -1)]
    walk(Error(error("job.unknown"), "one"))
    assert isinstance(walk.sent[0], Submit) and walk.job.phase == "sent"


def test_an_answer_that_got_lost() -> None:
    walk = ready()(RunAsked(CLIP, "one")).wait(6.0)(Welcome("hmdiff 1", {}), Attached("one", "queued", TAKE))
    assert walk.effects == (BeginPreview("one", CLIP, TAKE),) and walk.job.phase == "queued"


def test_cancel_while_the_connection_is_gone() -> None:
    walk = running().wait(6.0)(CancelAsked())
    assert walk.phases == ("connecting", "cancelling") and not walk.effects
    assert walk(Welcome("hmdiff 1", {})).sent == [Attach("one", 4), Cancel("one")]
