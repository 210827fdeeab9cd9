"""What the add-on decides about runs, step by step."""

from __future__ import annotations

from hmdiff_blender_core.effects import (
    BeginPreview,
    CloseClient,
    DropPreview,
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
    Imported,
    ImportFailed,
    ProcessEnded,
    ProcessReady,
    RunAsked,
    SourceClosed,
    StartAsked,
    StopAsked,
    Tick,
)
from hmdiff_blender_core.state import AppState, Backend, Job, resume_request
from hmdiff_blender_core.transition import transition
from hmdiff_wire.messages import (
    Accepted,
    Attached,
    Cancel,
    Cancelled,
    Error,
    Hello,
    JobDone,
    JobFailed,
    Progress,
    Shutdown,
    Submit,
    Welcome,
)
from states import AGAIN, CLIP, OOPS, PEOPLE, PHOTO, PROBLEM, READY, error, frame
from walk import TAKE, Walk, ready, running


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
