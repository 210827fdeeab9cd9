"""Every state with every event, and long random lives of the add-on: what must hold in all of them."""

from __future__ import annotations

from typing import Any

from hmdiff_blender_core.effects import (
    BeginPreview,
    CloseClient,
    DropPreview,
    Effect,
    ImportTake,
    OpenClient,
    Send,
    ShowFrame,
    ShowLive,
    ShowPeople,
    StartProcess,
    StopProcess,
)
from hmdiff_blender_core.events import (
    AddonClosed,
    Dismissed,
    DragMoved,
    Event,
    Imported,
    MessageIn,
    ProcessReady,
    RunAsked,
    SourceClosed,
    Tick,
)
from hmdiff_blender_core.state import BACKEND_PHASES, ENDED, JOB_PHASES, AppState
from hmdiff_blender_core.transition import transition
from hmdiff_blender_core.words import backend_words, job_words, progress_factor, progress_text
from hmdiff_wire.messages import Accepted, Cancel, Cancelled, Error, JobDone, JobFailed, Progress, Submit, Welcome
from hypothesis import given, settings
from hypothesis import strategies as st
from states import ASK, CLIP, JOB_IDS, LIVE, READY, all_states, events, frame

SCENE = (BeginPreview, ShowFrame, ShowPeople, ImportTake, DropPreview)


def check(before: AppState, event: Event, after: AppState, effects: tuple[Effect, ...]) -> None:
    assert after.backend.phase in BACKEND_PHASES
    assert after.job is None or after.job.phase in JOB_PHASES
    assert after.now >= before.now
    check_effects(before, after, effects)
    check_job(before, event, after, effects)
    check_drag(before, event, after, effects)
    check_words(after)


def check_effects(before: AppState, after: AppState, effects: tuple[Effect, ...]) -> None:
    current = {job.id for job in (before.job, after.job) if job is not None}
    asked = {drag.sent for drag in (before.drag, after.drag) if drag is not None and drag.sent}
    for effect in effects:
        if isinstance(effect, SCENE):
            assert effect.job_id in current
        if isinstance(effect, Send):
            assert getattr(effect.message, "job", None) in {None, *current, *asked}
    kinds = [type(effect) for effect in effects]
    for once in (StartProcess, StopProcess, OpenClient, CloseClient, BeginPreview, ImportTake, DropPreview):
        assert kinds.count(once) <= 1
    if ImportTake in kinds:
        assert DropPreview not in kinds
        assert after.job is not None and after.job.phase == "importing" and after.job.request.kind != "people"
        imported = next(effect for effect in effects if isinstance(effect, ImportTake))
        assert imported.take and imported.take == after.job.take and imported.complete == (after.job.ending == "done")
    if StartProcess in kinds:
        assert after.backend.phase == "starting"
    if before.backend.attached and before.backend.phase in ("connecting", "ready", "stopping"):
        assert StopProcess not in kinds, "somebody else's backend"


def check_job(before: AppState, event: Event, after: AppState, effects: tuple[Effect, ...]) -> None:
    old, new = before.job, after.job
    if old is None or new is None or old.id != new.id:
        if new is not None and new is not old:
            assert isinstance(event, RunAsked) and new.id == event.job_id and (old is None or not old.active)
        if new is None and old is not None:
            assert isinstance(event, SourceClosed | AddonClosed) or (isinstance(event, Dismissed) and not old.active)
        return
    if old.phase in ENDED:
        assert new == old, "what has ended stays as it is"
        assert not [effect for effect in effects if isinstance(effect, SCENE)]
    if new.phase == "failed" and old.phase != "failed":
        assert new.problem is not None and new.problem.message
    if old.phase == "importing":
        assert new.phase in ("importing", *ENDED)
    assert new.last_index >= old.last_index and new.frames >= old.frames


def check_drag(before: AppState, event: Event, after: AppState, effects: tuple[Effect, ...]) -> None:
    """One question at a time, only to a backend that can answer and has nothing else of ours to do."""
    messages = [effect.message for effect in effects if isinstance(effect, Send)]
    job = after.job.id if after.job is not None else ""
    asked = [one for one in messages if isinstance(one, Submit) and one.job != job]
    old, new = before.drag, after.drag
    told = getattr(event.message, "job", "") if isinstance(event, MessageIn) else ""
    if asked:
        assert len(asked) == 1 and new is not None and new.sent == asked[0].job and not new.fresh and not new.broken
        assert asked[0].options == new.options and asked[0].kind == "refine" and not asked[0].take
        assert after.backend.capabilities == LIVE
        if old is not None and old.sent:
            over = told == old.sent and isinstance(getattr(event, "message", None), JobDone | Cancelled)
            assert over or Cancel(old.sent) in messages
    if new is not None and new.sent:
        assert after.backend.phase == "ready" and after.active_job is None
    if old is not None and old.sent and (new is None or new.sent != old.sent) and after.backend.phase == "ready":
        over = told == old.sent and isinstance(getattr(event, "message", None), JobDone | JobFailed | Cancelled | Error)
        assert over or Cancel(old.sent) in messages
    for shown in (effect for effect in effects if isinstance(effect, ShowLive)):
        assert old is not None and shown.drag == old.id and shown.job_id == old.sent == told
    if old is not None and new is not None and old.id == new.id and old.broken:
        assert new.broken and not asked


def check_words(state: AppState) -> None:
    for words in (backend_words(state.backend, state.job), job_words(state.job)):
        assert words.text.strip() and len(words.text) < 200
    if state.job is not None:
        assert progress_text(state.job) and 0.0 <= progress_factor(state.job) <= 1.0


def test_every_state_with_every_event() -> None:
    states, happenings = all_states(), events()
    assert len(states) * len(happenings) > 50_000
    for state in states:
        for event in happenings:
            check(state, event, *transition(state, event))


def test_the_same_twice_gives_the_same() -> None:
    for state in all_states()[::7]:
        for event in events()[::3]:
            first, again = transition(state, event), transition(state, event)
            assert first[0] == again[0] and len(first[1]) == len(again[1])


class Life:
    """A state from the beginning on, and what the engine would have open."""

    def __init__(self) -> None:
        self.state = AppState()
        self.open = False
        self.asked: set[str] = set()
        self.previews: set[str] = set()

    def happen(self, event: Event) -> None:
        before = self.state
        if isinstance(event, MessageIn) and isinstance(event.message, JobDone | JobFailed | Cancelled | Error):
            self.asked.discard(event.message.job)
        self.state, effects = transition(before, event)
        check(before, event, self.state, effects)
        for effect in effects:
            self.follow(effect)
        phase, job = self.state.backend.phase, self.state.job
        assert self.open == (phase in ("connecting", "ready", "stopping") and self.open)
        assert phase not in ("connecting", "ready") or self.open
        assert phase not in ("stopped", "failed", "absent", "starting") or not self.open
        if job is not None and job.active:
            problem = self.state.backend.problem
            waits = job.phase == "waiting" and problem is not None and problem.about_set_up
            assert phase not in ("stopped", "absent", "failed") or job.phase == "importing" or waits
        drag = self.state.drag
        assert self.asked <= ({drag.sent} if drag is not None else set()), "never two on their way"
        assert self.previews <= ({job.id} if job is not None and job.active else set())

    def follow(self, effect: Effect) -> None:
        match effect:
            case OpenClient():
                self.open = True
            case CloseClient():
                self.open = False
                self.asked.clear()
            case Send(Submit() as sent) if sent.options == ASK:
                self.asked.add(sent.job)
            case Send(Cancel(job)):
                self.asked.discard(job)
            case BeginPreview(job_id):
                assert job_id not in self.previews
                self.previews.add(job_id)
            case DropPreview(job_id):
                self.previews.discard(job_id)
            case ShowFrame():
                assert effect.job_id in self.previews
            case ImportTake():
                self.previews.discard(effect.job_id)


def usual(job: str, live: str) -> list[Event]:
    """What mostly happens; without a bias towards it random lives rarely get as far as a running job."""
    take = f"/clips/{job}.take"
    messages = [
        Welcome("hmdiff 1", LIVE), Accepted(job, 0, take), Progress(job, "bodies", 16, 60, 3.0), frame(job, 3),
        frame(job, 9), JobDone(job, take, 60, (0,)), Cancelled(job, take), frame(live, 3), JobDone(live, "", 1, (0,)),
    ]  # fmt: skip
    dragged = [DragMoved("drag", f"/clips/{number}.take", ASK) for number in range(3)]
    return [*dragged, RunAsked(CLIP, "new"), ProcessReady(READY), Imported(job), *(MessageIn(one) for one in messages)]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_random_lives(data: Any) -> None:
    life = Life()
    for number in range(data.draw(st.integers(1, 40))):
        current = life.state.job.id if life.state.job is not None else "nobody"
        live = life.state.drag.sent if life.state.drag is not None else "nothing"
        likely = data.draw(st.booleans())
        event = data.draw(st.sampled_from(usual(current, live) if likely else events((current, live, *JOB_IDS[1:]))))
        if data.draw(st.integers(0, 15)) == 0:
            for _ in range(data.draw(st.sampled_from((3, 7, 35)))):
                life.happen(Tick(life.state.now + 1.0))
        if isinstance(event, RunAsked):
            event = RunAsked(event.request, f"job-{number}")
        life.happen(event)


def test_a_message_is_compared_by_identity() -> None:
    """Messages hold arrays; comparing events must not compare those."""
    found = [event for event in events() if isinstance(event, MessageIn)]
    assert all((one == other) == (one is other) for one in found for other in found)
