"""The body that follows a drag: what is decided, and answers of the fake and the real backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driver import Driver
from hmdiff_blender_core.client import Client
from hmdiff_blender_core.effects import ImportTake, Send, ShowLive
from hmdiff_blender_core.events import (
    DragEnded,
    DragMoved,
    Imported,
    MessageIn,
    ProcessReady,
    RunAsked,
    SourceClosed,
    StartAsked,
    Tick,
)
from hmdiff_blender_core.state import AppState, Drag, Request
from hmdiff_blender_core.transition import transition
from hmdiff_wire.messages import Accepted, Cancel, Cancelled, Hello, JobDone, JobFailed, Message, Submit, Welcome
from hmdiff_wire.take import Take, read_take
from states import LIVE, OOPS, READY, frame

TAKE = "/clips/walk.take"
FIX = Request("refine", TAKE, {"edits": []}, clip="clip")
Make = Callable[..., Driver]


class Hand:
    """A drag against the pure function; ``said``: what the newest step sends."""

    def __init__(self, capabilities: Mapping[str, Any] = LIVE) -> None:
        self.state, self.effects = AppState(), ()
        self(StartAsked(), ProcessReady(READY), MessageIn(Welcome("hmdiff 1", dict(capabilities))))

    def __call__(self, *events: Any) -> Hand:
        for event in events:
            self.state, self.effects = transition(self.state, event)
        return self

    def to(self, x: float, drag: str = "d") -> Hand:
        return self(DragMoved(drag, TAKE, {"x": x}))

    def hears(self, *messages: Message) -> Hand:
        return self(*(MessageIn(one) for one in messages))

    @property
    def said(self) -> list[Message]:
        return [effect.message for effect in self.effects if isinstance(effect, Send)]

    @property
    def drag(self) -> Drag:
        assert self.state.drag is not None
        return self.state.drag


def ask(number: int, x: float, drag: str = "d") -> Submit:
    return Submit(f"{drag}-{number}", "refine", TAKE, {"x": x})


def over(number: int, drag: str = "d") -> JobDone:
    return JobDone(f"{drag}-{number}", "", 1, (0,))


def test_one_question_at_a_time_and_always_the_newest() -> None:
    hand = Hand().to(1)
    assert hand.said == [ask(0, 1)]
    for x in (2, 3, 4):
        assert not hand.to(x).said
    hand.hears(Accepted("d-0", 0, ""), frame("d-0", 7))
    shown = hand.effects[0]
    assert isinstance(shown, ShowLive) and (shown.drag, shown.job_id, shown.index) == ("d", "d-0", 7)
    assert hand.hears(over(0)).said == [ask(1, 4)]
    assert not hand.hears(over(1)).said, "nothing has moved"
    assert not hand.to(4).said and not hand(Tick(hand.state.now + 1)).said
    assert hand.to(5).said == [ask(2, 5)]


def test_letting_go_calls_the_question_off() -> None:
    hand = Hand().to(1)
    assert hand(DragEnded("another")).drag.sent == "d-0"
    assert hand(DragEnded("d")).said == [Cancel("d-0")] and hand.state.drag is None
    assert not hand.hears(frame("d-0", 7), Cancelled("d-0")).effects, "nobody waits for it"
    assert not Hand().to(1).hears(over(0))(DragEnded("d")).said


def test_what_writes_goes_before() -> None:
    hand = Hand().to(1)(RunAsked(FIX, "fix"))
    assert hand.said == [Cancel("d-0"), Submit("fix", "refine", TAKE, {"edits": []})]
    assert not hand.to(2).said and not hand.hears(Cancelled("d-0"), Accepted("fix", 0, TAKE)).said
    hand.hears(JobDone("fix", TAKE, 1, (0,)))
    assert hand.state.job is not None and hand.state.job.phase == "importing" and not hand.to(3).said
    assert hand(Imported("fix")).said == [ask(1, 3)]
    resting = Hand().to(1)(RunAsked(FIX, "fix")).hears(JobFailed("fix", OOPS))
    assert resting.said == [ask(1, 1)], "what was called off is asked again, though nothing moved"


def test_without_a_backend_that_can_nothing_is_asked() -> None:
    assert not Hand({}).to(1).said and not Hand({"refine_qualities": ["fast"]}).to(1).said
    assert not transition(AppState(), DragMoved("d", TAKE, {}))[1], "a drag starts no backend"
    waits = Hand({}).to(1).to(2)
    assert waits.hears(Welcome("hmdiff 2", dict(LIVE))).said == [ask(0, 2)]


def test_trouble_ends_the_following_and_is_nobodys_news() -> None:
    hand = Hand().to(1).hears(JobFailed("d-0", OOPS))
    assert hand.drag.broken and hand.state.notice is None and not hand.to(2).said
    assert hand(DragEnded("d")).to(3, "e").said == [ask(0, 3, "e")], "the next drag tries again"


def test_a_new_connection_asks_anew() -> None:
    hand = Hand().to(1)
    for _ in range(12):
        hand(Tick(hand.state.now + 0.5))
    assert hand.state.backend.phase == "connecting" and hand.drag.sent == ""
    assert hand.hears(Welcome("hmdiff 1", dict(LIVE))).said == [ask(1, 1)]


def test_another_file_ends_the_drag() -> None:
    hand = Hand().to(1)(SourceClosed())
    assert hand.state.drag is None and hand.said == [Cancel("d-0")]


# Through the wire


def live(take: Take, x: float, **more: Any) -> DragMoved:
    """The left wrist of frame 20, dragged ``x`` px to the right."""
    at_x, y = take.joints_2d[0, 20, 20].tolist()
    edit = {"frame": 20, "track_id": 0, "joint": "left_wrist", "x": at_x + x, "y": y}
    options = {
        "edits": [edit], "frame_range": [20, 21], "track_ids": [0], "spread": 0, "write": False, "quality": "live",
        "vertices": True, **more,
    }  # fmt: skip
    return DragMoved("drag", str(take.folder), options)


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """All that is sent."""
    pytest.importorskip("zmq")
    sent: list[Message] = []
    send = Client.send

    def note(self: Client, message: Message) -> bool:
        if not isinstance(message, Hello):
            sent.append(message)
        return send(self, message)

    monkeypatch.setattr(Client, "send", note)
    return sent


def walked(driver: Driver, frames: int = 40) -> Take:
    driver.run(options={"fake": {"frames": frames, "people": 2}})
    return read_take(Path(driver.until_over().take))


def wrist(shown: ShowLive, take: Take) -> float:
    """How far to the right of where it was, px."""
    assert shown.arrays["track_id"].tolist() == [0] and shown.index == 20
    assert shown.arrays["vertices"].shape == (1, take.body.n_vertices, 3)
    return float(shown.arrays["joints_2d"][0, 20, 0] - take.joints_2d[0, 20, 20, 0])


def test_answers_come_while_the_mouse_moves(make_driver: Make, spoken: list[Message]) -> None:
    driver = make_driver()
    take = walked(driver)
    spoken.clear()
    for x in range(1, 61):
        driver.engine.dispatch(live(take, x))
        driver.step()
        time.sleep(0.01)
    driver.until(lambda: driver.engine.state.drag.sent == "" and not driver.engine.state.drag.fresh)
    asked = [one for one in spoken if isinstance(one, Submit)]
    answers = driver.of(ShowLive)
    assert len(answers) == len(asked) and 3 <= len(asked) <= 60
    moved = [wrist(one, take) for one in answers]
    assert moved == sorted(moved) and moved[-1] == pytest.approx(60, abs=0.5), "the newest place is answered"
    driver.engine.dispatch(DragEnded("drag"))
    assert not any(isinstance(one, Cancel) for one in spoken) and not (take.folder / "versions").exists()


def test_a_slow_backend_has_no_queue_and_the_writing_goes_before(make_driver: Make, spoken: list[Message]) -> None:
    driver = make_driver()
    take = walked(driver)
    spoken.clear()
    for x in range(1, 101):
        driver.engine.dispatch(live(take, x, fake={"delay": 1.0}))
        driver.step()
        time.sleep(0.005)
    assert len([one for one in spoken if isinstance(one, Submit)]) <= 2
    driver.engine.dispatch(DragEnded("drag"))
    answers = len(driver.of(ShowLive))
    fix = Request("refine", str(take.folder), {"edits": live(take, 100).options["edits"]}, clip="clip")
    driver.engine.dispatch(RunAsked(fix, "fix"))
    assert [type(one) for one in spoken[-2:]] == [Cancel, Submit]
    done = driver.until_over()
    assert done.phase == "done" and Path(done.take).name == "000002"
    new = read_take(Path(done.take))
    assert new.joints_2d[0, 20, 20, 0] - take.joints_2d[0, 20, 20, 0] == pytest.approx(100, abs=0.5)
    assert len(driver.of(ShowLive)) == answers <= 1, "what was asked before is not shown any more"


def test_a_backend_that_cannot_answer_leaves_the_drag_alone(make_driver: Make, spoken: list[Message]) -> None:
    driver = make_driver()
    take = walked(driver)
    driver.engine.dispatch(live(take, 5, fake={"fail_at": 20}))
    driver.until(lambda: driver.engine.state.drag.broken)
    driver.engine.dispatch(live(take, 6))
    driver.engine.dispatch(DragEnded("drag"))
    assert driver.engine.state.notice is None and driver.engine.state.backend.phase == "ready"
    driver.engine.dispatch(
        RunAsked(Request("refine", str(take.folder), {"edits": live(take, 6).options["edits"]}), "x")
    )
    assert driver.until_over().phase == "done"


def test_the_real_backend_answers_a_drag(make_driver: Make, spoken: list[Message]) -> None:
    """On the fake's people, whose walk is known; the release that follows lies near the last answer."""
    pytest.importorskip("torch")
    fake = make_driver(folder="fake")
    take = walked(fake)
    fake.end()
    driver = make_driver("--device", "cpu", module="hmdiff.cli")
    driver.engine.dispatch(StartAsked())
    driver.until_backend("ready")
    for x in range(5, 26):
        driver.engine.dispatch(live(take, x))
        for _ in range(5):
            driver.step()
            time.sleep(0.01)
    driver.until(lambda: driver.engine.state.drag.sent == "" and not driver.engine.state.drag.fresh)
    answers = driver.of(ShowLive)
    assert 2 <= len(answers) <= 21 and wrist(answers[-1], take) == pytest.approx(25, abs=10)
    assert np.isfinite(answers[-1].arrays["vertices"]).all()
    driver.engine.dispatch(DragEnded("drag"))
    fix = Request("refine", str(take.folder), {"edits": live(take, 25).options["edits"], "spread": 2}, clip="clip")
    driver.engine.dispatch(RunAsked(fix, "fix"))
    assert driver.until_over().phase == "done"
    written = read_take(Path(driver.of(ImportTake)[-1].take)).joints[0, 20]
    assert np.linalg.norm(written - answers[-1].arrays["joints"][0], axis=-1).mean() < 0.05
