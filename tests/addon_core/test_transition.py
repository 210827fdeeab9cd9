"""What the add-on decides, step by step."""

from __future__ import annotations

from typing import Any

import pytest
from hmdiff_blender_core.backend_rules import GIVE_UP_SECONDS, SILENCE_SECONDS, START_SECONDS, STOP_SECONDS
from hmdiff_blender_core.effects import (
    BeginPreview,
    CloseClient,
    DropPreview,
    Effect,
    ImportTake,
    OpenClient,
    Send,
    ShowFrame,
    ShowPeople,
    StartProcess,
    StopProcess,
)
from hmdiff_blender_core.events import (
    AddonClosed,
    CancelAsked,
    Dismissed,
    Event,
    Imported,
    ImportFailed,
    MessageIn,
    NoBackend,
    ProcessEnded,
    ProcessReady,
    RunAsked,
    SourceClosed,
    StartAsked,
    StopAsked,
    Tick,
)
from hmdiff_blender_core.state import AppState, Backend, Job, Request, resume_request
from hmdiff_blender_core.transition import transition
from hmdiff_wire.messages import (
    Accepted,
    Attach,
    Attached,
    Cancel,
    Cancelled,
    Error,
    Heartbeat,
    Hello,
    JobDone,
    JobFailed,
    Message,
    Progress,
    Shutdown,
    Submit,
    Welcome,
)
from states import AGAIN, CLIP, OLD, OOPS, PEOPLE, PHOTO, PROBLEM, READY, error, frame

TAKE = "/clips/walk.take"


class Walk:
    """A life with named steps; ``effects`` are those of the newest one."""

    def __init__(self) -> None:
        self.state = AppState()
        self.effects: tuple[Effect, ...] = ()

    def __call__(self, *events: Event | Message) -> Walk:
        for event in events:
            happened: Any = event if type(event).__module__.endswith(".events") else MessageIn(event)  # type: ignore[arg-type]
            self.state, self.effects = transition(self.state, happened)
        return self

    def wait(self, seconds: float, listening: bool = True) -> Walk:
        """Ticks of half a second; ends with the first that has effects."""
        for _ in range(round(seconds * 2)):
            self(Tick(self.state.now + 0.5, listening))
            if self.effects:
                break
        return self

    @property
    def job(self) -> Job:
        assert self.state.job is not None
        return self.state.job

    @property
    def sent(self) -> list[Message]:
        return [effect.message for effect in self.effects if isinstance(effect, Send)]

    @property
    def kinds(self) -> list[type]:
        return [type(effect) for effect in self.effects]

    @property
    def phases(self) -> tuple[str, str]:
        return self.state.backend.phase, self.job.phase


def ready() -> Walk:
    return Walk()(StartAsked(), ProcessReady(READY), Welcome("hmdiff 1", {"device": "cpu"}))


def running(request: Request = CLIP) -> Walk:
    return ready()(
        RunAsked(request, "one"), Accepted("one", 0, TAKE), Progress("one", "bodies", 16, 60), frame("one", 4)
    )


def test_run_starts_what_it_needs() -> None:
    walk = Walk()(RunAsked(CLIP, "one"))
    assert walk.phases == ("starting", "waiting") and walk.effects == (StartProcess(),)
    walk(ProcessReady(READY))
    assert walk.effects[0] == OpenClient(READY) and isinstance(walk.sent[0], Hello)
    walk(Welcome("hmdiff 1", {"device": "cpu"}))
    assert walk.phases == ("ready", "sent")
    assert walk.sent == [Submit("one", "animate", CLIP.source, {"preset": "preview"})]
    walk(Accepted("one", 2, TAKE))
    assert walk.job.phase == "queued" and walk.job.position == 2
    assert walk.effects == (BeginPreview("one", CLIP, TAKE),)
    walk(Progress("one", "bodies", 16, 60, 3.0))
    assert walk.phases == ("ready", "running") and (walk.job.done, walk.job.total, walk.job.eta) == (16, 60, 3.0)
    walk(frame("one", 0))
    assert isinstance(walk.effects[0], ShowFrame) and walk.effects[0].index == 0
    walk(JobDone("one", TAKE, 60, (0,), ("A note.",)))
    assert walk.job.phase == "importing" and walk.effects == (ImportTake("one", CLIP, TAKE, complete=True),)
    walk(Imported("one"))
    assert walk.job.phase == "done" and walk.job.notes == ("A note.",) and not walk.effects


def test_frames_of_others_and_old_ones_are_passed_over() -> None:
    walk = running()
    assert (walk.job.last_index, walk.job.frames) == (4, 1)
    for late in (frame("one", 4), frame("one", 2), frame("stranger", 9)):
        assert not walk(late).effects and walk.job.frames == 1
    assert walk(frame("one", 5)).job.frames == 2


def test_one_at_a_time() -> None:
    walk = running()
    job = walk.job
    walk(RunAsked(PHOTO, "two"))
    assert walk.job is job and not walk.effects and walk.state.notice is not None
    assert walk.state.notice.kind == "job.busy"
    walk(Dismissed())
    assert walk.state.notice is None and walk.job is job


def test_people_are_shown_and_nothing_is_imported() -> None:
    walk = ready()(RunAsked(PEOPLE, "one"), Accepted("one", 0, ""))
    assert not walk.effects
    assert [type(one) for one in walk(frame("one", 12)).effects] == [ShowPeople]
    walk(JobDone("one", "", 1, (0, 1)))
    assert walk.job.phase == "done" and not walk.effects


def test_a_photo_has_a_preview_and_an_import() -> None:
    walk = ready()(RunAsked(PHOTO, "one"), Accepted("one", 0, TAKE))
    assert walk.kinds == [BeginPreview]
    assert walk(JobDone("one", TAKE, 1, (0,))).kinds == [ImportTake]


def test_cancel_before_the_backend_is_ready() -> None:
    walk = Walk()(RunAsked(CLIP, "one"), CancelAsked())
    assert walk.phases == ("starting", "cancelled") and not walk.effects
    walk(ProcessReady(READY), Welcome("hmdiff 1", {}))
    assert walk.state.backend.phase == "ready" and not walk.sent


def test_cancel_keeps_what_is_there() -> None:
    walk = running()(CancelAsked())
    assert walk.job.phase == "cancelling" and walk.sent == [Cancel("one")]
    walk(frame("one", 5), Progress("one", "bodies", 17, 60))
    assert walk.job.phase == "cancelling" and walk.job.frames == 2
    walk(Cancelled("one", TAKE))
    assert walk.effects == (ImportTake("one", CLIP, TAKE, complete=False),)
    assert walk(Imported("one")).job.phase == "cancelled" and walk.job.resumable


def test_the_second_cancel_does_not_wait() -> None:
    assert running()(CancelAsked(), CancelAsked()).sent == [Cancel("one", force=True)]
    assert running()(CancelAsked(force=True)).sent == [Cancel("one", force=True)]


def test_cancel_with_nothing_to_keep() -> None:
    walk = ready()(RunAsked(CLIP, "one"), Accepted("one", 0, TAKE), CancelAsked(), Cancelled("one"))
    assert walk.job.phase == "cancelled" and walk.effects == (DropPreview("one"),) and not walk.job.resumable


def test_it_ends_just_as_it_is_cancelled() -> None:
    walk = running()(CancelAsked(), JobDone("one", TAKE, 60, (0,)), Error(error("job.unknown"), "one"))
    assert walk.job.phase == "importing" and walk.job.ending == "done" and not walk.effects


def test_a_failure_keeps_frames_and_offers_to_resume() -> None:
    walk = running()(JobFailed("one", OOPS, TAKE))
    assert walk.effects == (ImportTake("one", CLIP, TAKE, complete=False),)
    walk(Imported("one"))
    assert walk.job.phase == "failed" and walk.job.problem is not None and walk.job.problem.kind == "memory"
    again = resume_request(walk.job)
    walk(RunAsked(again, "two"))
    assert walk.sent == [Submit("two", "animate", CLIP.source, {"preset": "preview"}, TAKE, resume=True)]


def test_a_failure_without_frames_leaves_nothing() -> None:
    walk = ready()(RunAsked(CLIP, "one"), Accepted("one", 0, TAKE), JobFailed("one", OOPS, TAKE))
    assert walk.job.phase == "failed" and walk.effects == (DropPreview("one"),)


def test_a_refused_job_says_why() -> None:
    walk = ready()(RunAsked(CLIP, "one"), Error(error("input.outside_roots"), "one"))
    assert walk.job.phase == "failed" and walk.job.problem is not None
    assert walk.job.problem.kind == "input.outside_roots" and not walk.effects


def test_an_import_that_fails() -> None:
    walk = running()(JobDone("one", TAKE, 60, (0,)), ImportFailed("one", PROBLEM))
    assert walk.job.phase == "failed" and walk.job.problem == PROBLEM and walk.effects == (DropPreview("one"),)
    walk = running()(CancelAsked(), Cancelled("one", TAKE), ImportFailed("one", PROBLEM))
    assert walk.job.phase == "cancelled" and walk.job.notes == (PROBLEM.message,)
    walk = running()(JobFailed("one", OOPS, TAKE), ImportFailed("one", PROBLEM))
    assert walk.job.phase == "failed" and walk.job.problem is not None and walk.job.problem.kind == "memory"


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


def test_another_file_is_loaded() -> None:
    walk = running()(SourceClosed())
    assert walk.state.job is None and walk.state.backend.phase == "ready"
    assert walk.sent == [Cancel("one")] and walk.effects[-1] == DropPreview("one")
    assert not walk(frame("one", 9), Cancelled("one", TAKE), Imported("one")).effects and walk.state.job is None
    walk(RunAsked(CLIP, "two"))
    assert isinstance(walk.sent[0], Submit)


def test_a_file_is_loaded_during_an_import() -> None:
    walk = running()(JobDone("one", TAKE, 60, (0,)), SourceClosed())
    assert walk.state.job is None and walk.effects == (DropPreview("one"),)


def test_the_addon_goes() -> None:
    walk = running()(AddonClosed())
    assert walk.state.job is None and walk.state.backend.phase == "stopped"
    assert walk.sent == [Cancel("one"), Shutdown()]
    assert walk.kinds == [Send, DropPreview, Send, StopProcess, CloseClient]
    assert Walk()(AddonClosed()).effects == ()
    assert Walk()(StartAsked(), AddonClosed()).effects == (StopProcess(),)


def test_resume_is_a_run_of_its_own() -> None:
    walk = ready()(RunAsked(AGAIN, "five"))
    assert walk.sent == [Submit("five", "animate", AGAIN.source, {}, AGAIN.take, resume=True)]
    walk(Accepted("five", 0, AGAIN.take), ProcessEnded(-9, ""))
    assert walk.job.take == AGAIN.take and ImportTake("five", AGAIN, AGAIN.take, complete=False) in walk.effects


def test_time_does_not_run_backwards() -> None:
    assert Walk()(Tick(5.0), Tick(2.0)).state.now == 5.0


def test_what_is_closed_first() -> None:
    walk = running()(JobFailed("one", OOPS, TAKE), Imported("one"), ProcessEnded(1, "boom"), RunAsked(CLIP, "two"))
    assert walk.state.notice is None and walk.phases == ("starting", "waiting")
    walk = running()(JobFailed("one", OOPS, TAKE), Imported("one"), ProcessEnded(1, "boom"), Error(error("x.y")))
    walk(Dismissed())
    assert walk.state.job is None and walk.state.backend.phase == "failed"
    walk(Dismissed())
    assert walk.state.backend.phase == "stopped" and walk(Dismissed()).state.backend.phase == "stopped"


def test_dismissing_nothing() -> None:
    walk = running()(Dismissed())
    assert walk.phases == ("ready", "running")


def test_a_stopping_backend_fails_its_job_which_is_a_cancel_to_us() -> None:
    stopping = JobFailed("one", error("server.stopping"), TAKE)
    walk = running()(StopAsked(), stopping)
    assert walk.job.ending == "cancelled" and walk.kinds == [ImportTake]
    assert running()(stopping).job.ending == "failed"
    assert running()(CancelAsked(), JobFailed("one", OOPS, TAKE)).job.ending == "failed"


def test_attached_fills_in_what_is_known() -> None:
    walk = running()(Attached("one", "queued", ""))
    assert (walk.job.phase, walk.job.stage, walk.job.done, walk.job.total) == ("running", "bodies", 16, 60)
    assert walk.job.take == TAKE and not walk.effects


def test_a_refused_resume_imports_nothing_anew() -> None:
    walk = ready()(RunAsked(AGAIN, "five"), Error(error("take.damaged"), "five"))
    assert walk.job.phase == "failed" and not walk.effects and walk.job.resumable


def test_a_complaint_in_passing_does_not_end_the_run() -> None:
    for complaint in (Error(error("protocol.unexpected"), "one"), Error(error("protocol.malformed"))):
        walk = running()(complaint)
        assert walk.phases == ("ready", "running") and walk.state.notice is not None
        assert walk.state.notice.kind == complaint.error["kind"]


def test_the_end_of_another_blenders_backend_costs_no_work() -> None:
    """It ends with the Blender that started it: the run that it had for us can be gone on with by one of our own."""
    job = Job("one", CLIP, "running", take="/clips/walk.take", last_index=40, frames=41, done=41, total=60)
    state = AppState(Backend("ready", attached=True, ready=READY), job, 1.0)
    state, effects = transition(state, ProcessEnded(None))
    assert state.backend.problem is not None and state.backend.problem.kind == "backend.left"
    assert any(isinstance(effect, ImportTake) for effect in effects), "what it had done comes in"
    state, _ = transition(state, Imported("one"))
    assert state.job is not None and state.job.resumable
    state, effects = transition(state, RunAsked(resume_request(state.job), "two"))
    assert state.backend.phase == "starting" and StartProcess() in effects
