"""The engine with the fake backend: real processes, real sockets, every way a run can go."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driver import Driver
from hmdiff_blender_core.alive import end, is_alive
from hmdiff_blender_core.effects import BeginPreview, DropPreview, ImportTake, ShowFrame, ShowPeople
from hmdiff_blender_core.events import CancelAsked, Dismissed, RunAsked, SourceClosed, StartAsked, StopAsked
from hmdiff_blender_core.state import resume_request
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import read_take

Make = Callable[..., Driver]
HERE = Path(__file__).parent
SLOW = {"frames": 110, "delay": 0.02}
"""Knobs of a job that a test can catch at work."""

pytest.importorskip("zmq")


def indices(driver: Driver, job: str) -> list[int]:
    return [effect.index for effect in driver.of(ShowFrame) if effect.job_id == job]


def begin_slow(driver: Driver, frames: int = 20) -> str:
    """-> the id of a job of which some frames have come."""
    job = driver.run(options={"fake": SLOW})
    driver.until(lambda: driver.job is not None and driver.job.frames >= frames)
    return job


def test_run_streams_and_imports(make_driver: Make) -> None:
    driver = make_driver("--frames", "40", "--people", "2")
    job = driver.run(label="walk")
    done = driver.until_over()
    assert done.phase == "done" and done.frames == 40 and done.notes
    assert driver.phases[0] == "starting/waiting" and driver.phases[-1] == "ready/done"
    kinds = [type(effect) for effect in driver.seen]
    assert kinds == [BeginPreview, *[ShowFrame] * 40, ImportTake] and indices(driver, job) == list(range(40))
    imported = driver.seen[-1]
    assert isinstance(imported, ImportTake) and imported.complete and imported.request.label == "walk"
    take = read_take(Path(imported.take))
    assert (take.n_people, take.n_frames) == (2, 40)
    shown = driver.of(ShowFrame)[7]
    assert shown.time == pytest.approx(take.times[7]) and shown.arrays["pose"].shape == (2, 72)


def test_a_second_run_uses_the_same_backend(make_driver: Make) -> None:
    driver = make_driver("--frames", "5")
    driver.run()
    driver.until_over()
    pid = driver.pid
    driver.clip.with_name("photo.jpg").write_bytes(b"")
    driver.run(kind="pose", source=str(driver.clip.with_name("photo.jpg")))
    assert driver.until_over().phase == "done" and driver.pid == pid
    assert driver.of(ImportTake)[-1].request.kind == "pose"


def test_people(make_driver: Make) -> None:
    driver = make_driver("--people", "3")
    driver.run(kind="people")
    assert driver.until_over().phase == "done"
    assert [type(effect) for effect in driver.seen] == [ShowPeople]
    assert driver.of(ShowPeople)[0].arrays["box"].shape == (3, 4)


def test_cancel_keeps_and_resume_goes_on(make_driver: Make) -> None:
    driver = make_driver()
    job = begin_slow(driver)
    driver.engine.dispatch(CancelAsked())
    ended = driver.until_over()
    assert ended.phase == "cancelled" and ended.resumable and not driver.of(DropPreview)
    assert not driver.of(ImportTake)[-1].complete
    kept = read_take(Path(ended.take)).n_frames
    assert 16 <= kept < SLOW["frames"] and kept == len(indices(driver, job))
    again = resume_request(ended)
    again = type(again)(**{**again.__dict__, "options": {"fake": {"frames": 110}}})
    second = driver.engine.run(again)
    assert driver.until_over().phase == "done"
    assert indices(driver, second) == list(range(kept, 110))
    assert driver.of(ImportTake)[-1].complete and read_take(Path(ended.take)).n_frames == 110


def test_forced_cancel(make_driver: Make) -> None:
    driver = make_driver()
    begin_slow(driver, 40)
    driver.engine.dispatch(CancelAsked())
    driver.engine.dispatch(CancelAsked())
    assert driver.until_over().phase == "cancelled"
    driver.run(options={"fake": {"frames": 3}})
    assert driver.until_over().phase == "done"


def test_one_at_a_time(make_driver: Make) -> None:
    driver = make_driver()
    job = begin_slow(driver, 1)
    driver.run()
    notice = driver.engine.state.notice
    assert notice is not None and notice.kind == "job.busy" and driver.job is not None and driver.job.id == job
    driver.engine.dispatch(Dismissed())
    assert driver.engine.state.notice is None


@pytest.mark.parametrize(
    ("knob", "kind"), [("fail_at", "input.unreadable"), ("oom_at", "memory"), ("die_at", "worker.died")]
)
def test_a_job_that_fails_keeps_its_frames(make_driver: Make, knob: str, kind: str) -> None:
    driver = make_driver()
    driver.run(options={"fake": {"frames": 80, knob: 70}})
    failed = driver.until_over()
    assert failed.phase == "failed" and failed.problem is not None and failed.problem.kind == kind
    assert failed.problem.message and failed.problem.fix
    assert [effect.complete for effect in driver.of(ImportTake)] == [False] and failed.resumable
    second = driver.engine.run(resume_request(failed))
    assert driver.until_over().phase == "done" and indices(driver, second)[-1] == 79
    assert read_take(Path(failed.take)).n_frames == 80


def test_a_job_that_fails_at_once_leaves_nothing(make_driver: Make) -> None:
    driver = make_driver()
    driver.run(options={"fake": {"fail_at": 0}})
    failed = driver.until_over()
    assert failed.phase == "failed" and not driver.of(ImportTake) and not driver.engine.scene_work
    assert [type(effect) for effect in driver.seen] == [BeginPreview, DropPreview]


def test_a_source_that_is_not_there(make_driver: Make, tmp_path: Path) -> None:
    driver = make_driver()
    driver.run(source=str(tmp_path / "gone.mp4"))
    failed = driver.until_over()
    assert failed.problem is not None and failed.problem.kind == "input.not_found"
    driver.run(source="/somewhere/else.mp4")
    failed = driver.until_over()
    assert failed.problem is not None and failed.problem.kind == "input.outside_roots"


def test_the_backend_is_killed_and_the_run_goes_on_in_the_next(make_driver: Make) -> None:
    driver = make_driver()
    begin_slow(driver, 50)
    first = driver.pid
    end(first, force=True)
    failed = driver.until_over()
    assert failed.phase == "failed" and failed.problem is not None and failed.problem.kind == "backend.died"
    assert driver.engine.state.backend.phase == "failed" and failed.resumable
    again = resume_request(failed)
    again = type(again)(**{**again.__dict__, "options": {"fake": {"frames": 110}}})
    driver.engine.run(again)
    assert driver.until_over().phase == "done" and driver.pid != first
    assert read_take(Path(failed.take)).n_frames == 110


class Shifted:
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.offset


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be held there")
def test_a_silent_backend_is_asked_again(make_driver: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Shifted()
    driver = make_driver()
    monkeypatch.setattr(driver.engine, "_clock", clock)
    job = begin_slow(driver)
    os.kill(driver.pid, signal.SIGSTOP)
    try:
        while driver.engine.state.backend.phase != "connecting":
            assert clock.offset < 30.0
            driver.step()
            clock.offset += 0.2
            time.sleep(0.01)
    finally:
        os.kill(driver.pid, signal.SIGCONT)
    assert driver.until_over().phase == "done"
    assert indices(driver, job) == list(range(110)) and "connecting/running" in driver.phases


def test_blender_is_frozen_for_a_while(make_driver: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody ticks for a minute (a render, a dialog): no reason to doubt the backend."""
    clock = Shifted()
    driver = make_driver()
    monkeypatch.setattr(driver.engine, "_clock", clock)
    begin_slow(driver)
    clock.offset += 60.0
    time.sleep(0.3)
    assert driver.until_over().phase == "done" and "connecting/running" not in driver.phases


def test_stop_and_start(make_driver: Make) -> None:
    driver = make_driver()
    driver.engine.dispatch(StartAsked())
    driver.until_backend("ready")
    pid = driver.pid
    driver.engine.dispatch(StopAsked())
    driver.until_backend("stopped")
    assert not is_alive(pid) and not driver.engine.process.running and driver.engine.client is None
    driver.engine.dispatch(StartAsked())
    driver.until_backend("ready")
    assert driver.pid != pid


def test_stop_during_a_run_closes_its_take(make_driver: Make) -> None:
    driver = make_driver()
    begin_slow(driver)
    driver.engine.dispatch(StopAsked())
    ended = driver.until_over()
    driver.until_backend("stopped")
    assert ended.phase == "cancelled" and driver.of(ImportTake) and read_take(Path(ended.take)).n_frames >= 16


def test_run_while_it_stops(make_driver: Make) -> None:
    driver = make_driver("--frames", "3")
    driver.engine.dispatch(StartAsked())
    driver.until_backend("ready")
    driver.engine.dispatch(StopAsked())
    driver.run()
    assert driver.until_over().phase == "done" and "stopping/waiting" in driver.phases


def test_another_file_is_loaded_during_a_run(make_driver: Make) -> None:
    driver = make_driver()
    job = begin_slow(driver)
    driver.engine.tick()
    driver.engine.dispatch(SourceClosed())
    assert list(driver.engine.scene_work) == [DropPreview(job)], "frames of the forgotten job stay behind"
    pid, seen = driver.pid, len(indices(driver, job))
    driver.run(options={"fake": {"frames": 4}})
    assert driver.until_over().phase == "done" and driver.pid == pid and len(indices(driver, job)) == seen


def test_closing_during_a_run(make_driver: Make) -> None:
    driver = make_driver()
    job = begin_slow(driver)
    assert driver.job is not None
    take, pid = Path(driver.job.take), driver.pid
    began = time.perf_counter()
    driver.engine.close()
    assert time.perf_counter() - began < 3.0
    assert not is_alive(pid) and list(driver.engine.scene_work) == [DropPreview(job)]
    assert read_take(take).n_frames >= 1
    assert not list((driver.root / "hmdiff").glob("*.json"))


def test_the_addon_is_loaded_again(make_driver: Make) -> None:
    """The old engine is dropped without a word; the new one finds the backend."""
    old = make_driver("--frames", "6")
    old.run()
    old.until_over()
    new = make_driver("--frames", "6")
    new.run()
    assert new.until_over().phase == "done"
    assert new.pid == old.pid and not new.engine.state.backend.attached
    new.engine.close()
    assert not is_alive(old.pid)


def test_frames_that_nobody_takes(make_driver: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    most, frames = 100, 300
    monkeypatch.setattr("hmdiff_blender_core.engine.MOST_UNSHOWN", most)
    monkeypatch.setattr("hmdiff_blender_core.engine.BACKLOG", 50)
    driver = make_driver("--frames", str(frames))
    driver.run()
    work = driver.engine.scene_work
    stop = time.monotonic() + 60
    while not any(isinstance(effect, ImportTake) for effect in work):
        assert time.monotonic() < stop
        driver.engine.tick()
        time.sleep(0.002)
        assert len(work) <= most + 2
    assert work is driver.engine.scene_work and isinstance(work[0], BeginPreview)
    shown = [effect.index for effect in work if isinstance(effect, ShowFrame)]
    assert len(shown) == most and shown == list(range(frames - most, frames))
    assert driver.until_over().phase == "done"


def test_the_wrong_version(make_driver: Make) -> None:
    driver = make_driver()
    driver.command = [sys.executable, str(HERE / "small_backend.py"), "old"]
    driver.run()
    failed = driver.until_over()
    assert failed.problem is not None and failed.problem.kind == "protocol.version"
    assert failed.problem == driver.engine.state.backend.problem and failed.problem.fix
    driver.until(lambda: not driver.engine.process.running)


def test_a_backend_that_talks_nonsense(make_driver: Make) -> None:
    driver = make_driver()
    driver.command = [sys.executable, str(HERE / "small_backend.py"), "garbage"]
    driver.engine.dispatch(StartAsked())
    driver.until_backend("ready")
    assert driver.engine.state.notice is not None and driver.engine.state.notice.kind.startswith("protocol.")


def test_no_command(make_driver: Make) -> None:
    driver = make_driver()

    def nothing() -> list[str]:
        raise HmdiffError("backend.absent", "There is none.", "Install it.")

    driver.engine._find_command = nothing
    driver.run()
    failed = driver.until_over()
    assert driver.engine.state.backend.phase == "absent" and failed.problem is not None
    assert failed.problem.message == "There is none." and not driver.seen


def test_a_command_that_cannot_run(make_driver: Make, tmp_path: Path) -> None:
    driver = make_driver()
    driver.command = [str(tmp_path / "python")]
    driver.engine.dispatch(StartAsked())
    problem = driver.engine.state.backend.problem
    assert driver.engine.state.backend.phase == "absent" and problem is not None and "python" in problem.message


def test_a_python_without_hmdiff(make_driver: Make) -> None:
    driver = make_driver()
    driver.command = [sys.executable, "-I", "-S", "-m", "hmdiff.cli"]
    driver.run()
    failed = driver.until_over()
    assert failed.problem is not None and failed.problem.kind == "backend.no_hmdiff"
    assert "No module named" in failed.problem.detail


def test_options_that_cannot_travel(make_driver: Make) -> None:
    driver = make_driver()
    driver.run(options={"smooth": float("inf")})
    failed = driver.until_over()
    assert failed.problem is not None and failed.problem.kind == "protocol.malformed"
    driver.run(options={"fake": {"frames": 2}})
    assert driver.until_over().phase == "done"


def test_a_job_id_is_used_as_given(make_driver: Make) -> None:
    driver = make_driver("--frames", "2")
    driver.engine.dispatch(RunAsked(driver.request(take=str(driver.root / "my take")), "mine"))
    done = driver.until_over()
    imported: Any = driver.seen[-1]
    assert done.id == "mine" and imported.take == str(driver.root / "my take")
