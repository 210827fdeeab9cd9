"""The queue on the engine with the fake backend: order, failures, pauses, closing, another Blender, full disks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hmdiff_blender_core.events import CancelAsked, NoBackend, SourceClosed
from hmdiff_blender_core.setup_rules import NOT_INSTALLED
from hmdiff_blender_core.state import AppState, Backend, Problem
from hmdiff_blender_core.transition import transition
from hmdiff_blender_core.work_queue import WorkQueue
from hmdiff_wire.batch import Entry, read_batch, write_batch
from hmdiff_wire.take import read_manifest


class Worked:
    """A queue that an engine works off."""

    def __init__(self, driver: Any, file: Path) -> None:
        self.driver, self.queue = driver, WorkQueue(file)

    def add(self, *names: str) -> list[Entry]:
        folder = self.driver.root
        entries = []
        for name in names:
            (folder / f"{name}.mp4").write_bytes(b"the fake does not look into it")
            entries.append(Entry(str(folder / f"{name}.mp4"), str(folder / f"{name}.take"), label=name, id=name))
        self.queue.add(entries)
        return entries

    def until(self, true: Callable[[], object]) -> None:
        def asked() -> bool:
            wanted = self.queue.step(self.driver.engine.state)
            if wanted is not None:
                self.driver.engine.dispatch(wanted)
            return bool(true())

        self.driver.until(asked)

    def states(self) -> dict[str, str]:
        return {entry.id: entry.state for entry in self.queue.batch.entries}


@pytest.fixture
def worked(make_driver: Callable[..., Any], tmp_path: Path) -> Callable[..., Worked]:
    return lambda *knobs: Worked(make_driver(*knobs), tmp_path / "user" / "queue.json")


def test_one_after_another_in_their_order_and_never_into_the_scene(worked: Callable[..., Worked]) -> None:
    it = worked("--frames", "20")
    it.add("a", "b", "c")
    it.queue.move("c", -2)
    assert it.queue.step(it.driver.engine.state) is None, "nothing begins before Start"
    seen: list[str] = []
    it.queue.start()

    def over() -> bool:
        if it.queue.entry_in_work and it.queue.entry_in_work not in seen:
            seen.append(it.queue.entry_in_work)
        return it.queue.just_finished

    it.until(over)
    assert seen == ["c", "a", "b"] and set(it.states().values()) == {"done"} and it.queue.batch.paused
    assert it.driver.seen == [], "no preview, no import"
    for entry in read_batch(it.queue.file).entries:
        assert read_manifest(Path(entry.take)).status == "complete" and entry.seconds > 0


def test_a_failure_is_kept_with_its_reason_and_the_next_one_runs(worked: Callable[..., Worked]) -> None:
    it = worked("--frames", "20", "--fail-at", "5")
    it.add("a", "b")
    it.queue.start()
    it.until(lambda: it.queue.just_finished)
    assert it.states() == {"a": "failed", "b": "failed"}
    problem = it.queue.batch.entries[0].problem
    assert problem is not None and problem["message"] and problem["fix"]
    it.queue.retry("a")
    assert it.states()["a"] == "waiting" and it.queue.batch.entries[0].begun, "its take is gone on with"


def test_pause_lets_the_clip_end_and_cancel_stops_it_and_pauses(worked: Callable[..., Worked]) -> None:
    it = worked("--frames", "60", "--delay", "0.005")
    it.add("a", "b", "c")
    it.queue.start()
    it.until(lambda: it.driver.job is not None and it.driver.job.frames > 3)
    it.queue.pause()
    it.until(lambda: it.states()["a"] == "done")
    assert it.queue.step(it.driver.engine.state) is None and it.states()["b"] == "waiting"
    it.queue.start()
    it.until(lambda: it.queue.entry_in_work == "b" and it.driver.job.frames > 3)
    it.driver.engine.dispatch(CancelAsked())
    it.until(lambda: it.states()["b"] == "stopped")
    assert it.queue.batch.paused and it.queue.batch.entries[1].begun
    it.queue.retry("b")
    it.queue.start()
    it.until(lambda: it.queue.just_finished)
    assert set(it.states().values()) == {"done"}


def test_another_file_in_blender_does_not_disturb_it(worked: Callable[..., Worked]) -> None:
    it = worked("--frames", "60", "--delay", "0.005")
    it.add("a")
    it.queue.start()
    it.until(lambda: it.driver.job is not None and it.driver.job.frames > 3)
    it.driver.engine.dispatch(SourceClosed())
    it.until(lambda: it.queue.just_finished)
    assert it.states() == {"a": "done"}


def test_it_survives_closing_and_killing_blender(worked: Callable[..., Worked]) -> None:
    it = worked("--frames", "200", "--delay", "0.005")
    it.add("a", "b")
    it.queue.start()
    it.until(lambda: it.driver.job is not None and it.driver.job.frames > 50)
    killed = WorkQueue(it.queue.file)  # what a Blender finds that starts after a kill: the owner is gone
    write_batch(it.queue.file, replace(it.queue.batch, owner=2**22 + 11))
    killed = WorkQueue(it.queue.file)
    assert {entry.state for entry in killed.batch.entries} == {"waiting"} and killed.batch.paused
    it.queue.leave()
    it.driver.engine.close()
    again = WorkQueue(it.queue.file)
    assert [entry.state for entry in again.batch.entries] == ["waiting", "waiting"] and not again.working
    assert again.batch.entries[0].begun and again.batch.owner == 0


def test_a_killed_backend_costs_one_clip_a_retry_and_no_work(worked: Callable[..., Worked]) -> None:
    it = worked("--frames", "150", "--delay", "0.005")
    it.add("a", "b")
    it.queue.start()
    it.until(lambda: it.driver.job is not None and it.driver.job.frames > 50)
    it.driver.engine.process.stop(0.0, force=True)
    it.until(lambda: it.states()["a"] == "failed")
    it.until(lambda: it.queue.just_finished)
    assert it.states() == {"a": "failed", "b": "done"}
    it.queue.retry("a")
    it.queue.start()
    it.until(lambda: it.queue.just_finished)
    assert it.states() == {"a": "done", "b": "done"}


def test_without_a_backend_it_waits_instead_of_failing_them_all(tmp_path: Path) -> None:
    queue = WorkQueue(tmp_path / "queue.json")
    queue.add([Entry("/clips/a.mp4", "/clips/a.take", id="a"), Entry("/clips/b.mp4", "/clips/b.take", id="b")])
    queue.start()
    asked = queue.step(AppState())
    assert asked is not None and not asked.request.in_scene
    state, _ = transition(AppState(), asked)
    missing = Problem("backend.absent", "It was not found.", "Choose one.")
    failed, _ = transition(state, NoBackend(missing))
    assert queue.step(failed) is None and queue.problem == missing and queue.batch.paused
    assert [entry.state for entry in queue.batch.entries] == ["waiting", "waiting"]
    queue.start()
    asked = queue.step(AppState(Backend("absent", NOT_INSTALLED)))
    assert asked is not None
    state, _ = transition(AppState(), asked)
    waits, _ = transition(state, NoBackend(NOT_INSTALLED))
    assert waits.active_job is not None and queue.step(waits) is None and queue.entry_in_work == "a"


def test_another_blender_that_works_on_it_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        queue = WorkQueue(tmp_path / "queue.json")
        queue.add([Entry("/clips/a.mp4", "/clips/a.take", id="a")])
        running = replace(queue.batch.entries[0], state="running")
        write_batch(queue.file, replace(queue.batch, entries=(running,), paused=False, owner=other.pid))
        mine = WorkQueue(queue.file)
        assert mine.foreign and not mine.working and mine.step(AppState()) is None
        mine.leave()
        assert read_batch(queue.file).owner == other.pid and read_batch(queue.file).entries[0].state == "running"
        other.communicate(b"\n")
    mine.look_again()
    assert WorkQueue(queue.file).batch.entries[0].state == "waiting"


def test_a_file_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "queue.json"
    file.write_text("{ half", encoding="utf-8")
    queue = WorkQueue(file)
    assert queue.problem is not None and queue.problem.kind == "batch.foreign" and queue.batch.entries == ()
    assert (tmp_path / "queue.unreadable-1.json").read_text(encoding="utf-8") == "{ half"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0 and not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_and_nothing_in_memory_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = WorkQueue(tmp_path / "queue.json")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        queue.add([Entry("/clips/a.mp4", "/clips/a.take", id="a")])
    assert queue.problem is not None and queue.problem.kind == "queue.not_saved" and len(queue.batch.entries) == 1
    queue.add([Entry("/clips/b.mp4", "/clips/b.take", id="b")])
    assert queue.problem is None and len(read_batch(queue.file).entries) == 2


def test_presets_change_until_a_clip_begins(tmp_path: Path) -> None:
    queue = WorkQueue(tmp_path / "queue.json")
    queue.add([Entry("/clips/a.mp4", str(tmp_path / "a.take"), options={"preset": "default", "hypotheses": 5}, id="a")])
    queue.set_preset("a", "quality")
    assert queue.batch.entries[0].options == {"preset": "quality"}, "and its own number of hypotheses"
    (tmp_path / "a.take").mkdir()
    (tmp_path / "a.take" / "manifest.json").write_text("{}")
    queue.set_preset("a", "preview")
    assert queue.batch.entries[0].options == {"preset": "quality"}
