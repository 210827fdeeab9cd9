"""Finding, starting, watching and ending the backend process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hmdiff_blender_core.alive import end, is_alive
from hmdiff_blender_core.events import ProcessEnded, ProcessReady
from hmdiff_blender_core.process import BackendProcess

pytest.importorskip("zmq")
HERE = Path(__file__).parent
GONE = '{"pid": 2147480000, "port": 1, "token": "t"}'
PATIENCE_S = 30.0


class Started:
    """Backend processes of one test, all ended after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PYTHONPATH": str(HERE.parents[1] / "shared")}
        self.made: list[BackendProcess] = []
        self.pids: set[int] = set()
        self.children: list[subprocess.Popen[bytes]] = []

    def new(self) -> BackendProcess:
        self.made.append(BackendProcess(self.folder))
        return self.made[-1]

    def begin(self, mode: str = "good") -> BackendProcess:
        process = self.new()
        process.start(self.command(mode), [self.folder.parent], self.environ)
        return process

    def command(self, mode: str) -> list[str]:
        return [sys.executable, str(HERE / "small_backend.py"), mode]

    def next(self, process: BackendProcess, seconds: float = PATIENCE_S) -> ProcessReady | ProcessEnded:
        stop = time.monotonic() + seconds
        while (event := process.poll()) is None:
            assert time.monotonic() < stop, process.log_tail()
            time.sleep(0.005)
        if isinstance(event, ProcessReady):
            self.pids.add(int(event.ready["pid"]))
        return event

    def ready(self, mode: str = "good") -> tuple[BackendProcess, ProcessReady]:
        process = self.begin(mode)
        event = self.next(process)
        assert isinstance(event, ProcessReady), event
        return process, event

    def ended(self, process: BackendProcess) -> ProcessEnded:
        event = self.next(process)
        assert isinstance(event, ProcessEnded), event
        return event


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    place = Started(tmp_path / "Ordner mit Größe" / "backend")
    place.folder.parent.mkdir()
    yield place
    for process in place.made:
        process.stop(0.0)
        process.stop_and_wait(2.0)
    for child in place.children:
        child.kill()
        child.wait()
    for pid in place.pids:
        if is_alive(pid):
            end(pid, force=True)


def test_a_path_with_spaces_and_umlauts(started: Started) -> None:
    process, event = started.ready()
    assert not event.attached and event.ready["pid"] != os.getpid() and process.running
    words = process.log_file.read_text(encoding="utf-8")
    arguments = json.loads(words[len("arguments ") : words.index(" cwd ")])
    assert arguments == [
        "--root", str(started.folder.parent), "--parent-pid", str(os.getpid()),
        "--ready-file", str(started.folder / "ready.json"),
    ]  # fmt: skip
    assert f"cwd {started.folder}" in words
    process.stop(0.0)
    assert started.ended(process).code is not None and not process.running
    assert process.poll() is None
    assert not (started.folder / "ready.json").exists() and not (started.folder / "started.json").exists()


def test_blenders_python_settings_stay_here(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME"):
        monkeypatch.setenv(name, "/blender/python")
    process, _ = started.ready()
    assert f"path {started.environ['PYTHONPATH']}" in process.log_tail()


def test_the_token_stays_out_of_the_report(started: Started) -> None:
    process, event = started.ready()
    assert event.ready["token"] == "secret" and "secret" in process.log_file.read_text(encoding="utf-8")
    assert '"token": "..."' in process.log_tail() and "secret" not in process.log_tail()
    if sys.platform != "win32":
        assert process.log_file.stat().st_mode & 0o077 == 0


def test_the_log_before_is_kept(started: Started) -> None:
    for text in ("first", "second"):
        process = started.begin("broken")
        assert "größe" in started.ended(process).log_tail
        (started.folder / "backend.log").write_text(text, encoding="utf-8")
    started.ended(started.begin("broken"))
    assert (started.folder / "backend.log.1").read_text(encoding="utf-8") == "second"
    assert sorted(path.name for path in started.folder.iterdir()) == ["backend.log", "backend.log.1"]


def test_it_ends_before_it_is_ready(started: Started) -> None:
    event = started.ended(started.begin("broken"))
    assert event.code == 3 and "something is wrong" in event.log_tail


def test_a_python_without_hmdiff(started: Started) -> None:
    process = started.new()
    bare = [sys.executable, "-I", "-S", "-m", "hmdiff.cli"]
    process.start(bare, [started.folder.parent])
    event = started.ended(process)
    assert event.code == 1 and "hmdiff" in event.log_tail and "No module named" in event.log_tail


def test_no_python_at_all(started: Started) -> None:
    process = started.new()
    with pytest.raises(OSError):
        process.start([str(started.folder / "bin" / "python"), "-m", "hmdiff.cli"], [])
    assert not process.running


def test_one_that_is_not_ready_can_be_stopped(started: Started) -> None:
    process = started.begin("slow")
    time.sleep(0.3)
    assert process.poll() is None and process.running
    process.stop(0.0)
    started.ended(process)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no request to end that could be ignored")
def test_one_that_will_not_end_is_ended(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hmdiff_blender_core.process.KILL_SECONDS", 0.3)
    process, _ = started.ready("deaf")
    began = time.perf_counter()
    process.stop(0.2)
    assert time.perf_counter() - began < 0.1, "stop waits"
    assert started.ended(process).code == -9
    assert 0.5 <= time.perf_counter() - began < 5.0


def test_quitting_is_bounded(started: Started) -> None:
    process, event = started.ready("deaf")
    began = time.perf_counter()
    assert process.stop_and_wait(1.0)
    assert time.perf_counter() - began < 2.0 and not is_alive(int(event.ready["pid"]))


def test_starting_never_waits(started: Started) -> None:
    began = time.perf_counter()
    process = started.begin("slow")
    process.poll()
    assert time.perf_counter() - began < 0.25


def test_the_same_blender_finds_its_backend_again(started: Started) -> None:
    _, first = started.ready()
    process = started.new()
    event = process.attach()
    assert event is not None and event.ready == first.ready and not event.attached
    process.stop(0.0)
    started.ended(process)
    assert not is_alive(int(first.ready["pid"]))


def test_start_takes_over_what_is_there(started: Started) -> None:
    _, first = started.ready()
    again = started.begin("broken")
    event = started.next(again)
    assert isinstance(event, ProcessReady) and event.ready == first.ready and not event.attached


def by_hand(started: Started, mode: str, wait_until: Callable[..., None]) -> subprocess.Popen[bytes]:
    started.folder.mkdir(exist_ok=True)
    ready = started.folder / "ready.json"
    child = subprocess.Popen(
        [*started.command(mode), "serve", "--ready-file", str(ready)], env={**os.environ, **started.environ},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until(ready.exists)
    started.children.append(child)
    return child


def test_one_started_by_hand_is_used_and_left_alone(started: Started, wait_until: Callable[..., None]) -> None:
    child = by_hand(started, "good", wait_until)
    process, event = started.ready("broken")
    assert event.attached and event.ready["pid"] == child.pid
    process.stop(0.0, force=True)
    assert isinstance(started.next(process), ProcessEnded) and not process.running
    time.sleep(0.1)
    assert child.poll() is None
    _, again = started.ready("broken")
    assert again.attached
    child.kill()
    assert started.ended(started.made[-1]).code is None


def test_one_of_another_version_is_passed_over(started: Started, wait_until: Callable[..., None]) -> None:
    child = by_hand(started, "old", wait_until)
    process, event = started.ready()
    assert not event.attached and event.ready["pid"] != child.pid
    assert process.place == started.folder / f"blender-{os.getpid()}"
    assert child.poll() is None and (started.folder / "ready.json").exists()


def test_one_that_does_not_answer_is_passed_over(started: Started, wait_until: Callable[..., None]) -> None:
    child = by_hand(started, "deaf", wait_until)
    began = time.perf_counter()
    process = started.begin()
    assert time.perf_counter() - began < 0.25
    event = started.next(process)
    assert isinstance(event, ProcessReady) and not event.attached and event.ready["pid"] != child.pid
    child.kill()


def test_another_blenders_backend_is_used_too_and_left_alone(started: Started) -> None:
    _, first = started.ready()
    (started.folder / "started.json").write_text(json.dumps({"parent": os.getppid()}), encoding="utf-8")
    process, event = started.ready()
    assert event.ready["pid"] == first.ready["pid"] and event.attached
    process.stop(0.0, force=True)
    assert isinstance(started.next(process), ProcessEnded) and not process.running
    assert is_alive(int(first.ready["pid"])) and json.loads((started.folder / "ready.json").read_text()) == first.ready


@pytest.mark.parametrize("content", ["", "[1]", '{"pid": "x"}', '{"pid": 1e99}', f'{{"pid": {10**30}}}', GONE])
def test_stale_ready_files(started: Started, content: str) -> None:
    started.folder.mkdir()
    for name in ("ready.json", "started.json"):
        (started.folder / name).write_text(content, encoding="utf-8")
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    left = started.folder / f"blender-{gone.stdout.strip()}"
    left.mkdir()
    assert started.new().attach() is None and not (started.folder / "ready.json").exists()
    _, event = started.ready()
    assert event.ready["token"] == "secret" and not event.attached and not left.exists()


def test_a_process_id_that_is_somebody_elses_now(started: Started) -> None:
    """The file names a living process, but nobody answers at its port."""
    started.folder.mkdir()
    stale = {"pid": os.getpid(), "port": 9, "token": "t", "protocol": [1, 1]}
    (started.folder / "ready.json").write_text(json.dumps(stale), encoding="utf-8")
    _, event = started.ready()
    assert event.ready["pid"] != os.getpid() and not event.attached


def test_start_during_the_end_of_the_last(started: Started) -> None:
    process, first = started.ready()
    process.stop(0.0)
    process.start(started.command("good"), [started.folder.parent], started.environ)
    event = started.next(process)
    assert isinstance(event, ProcessReady) and event.ready["pid"] != first.ready["pid"]
    assert not is_alive(int(first.ready["pid"]))


def test_the_folder_cannot_be_made(tmp_path: Path, started: Started) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    process = BackendProcess(tmp_path / "file" / "backend")
    with pytest.raises(OSError):
        process.start(started.command("good"), [tmp_path])
    assert process.log_tail() == "" and not process.running


def test_stopping_nothing_says_so_once(started: Started) -> None:
    process: Any = started.new()
    process.stop(0.0)
    assert process.poll() == ProcessEnded(None) and process.poll() is None
    assert process.stop_and_wait(0.1)


def test_a_backend_killed_from_outside(started: Started) -> None:
    process, event = started.ready()
    end(int(event.ready["pid"]), force=True)
    assert started.ended(process).code != 0
    assert not (started.folder / "ready.json").exists()
    shutil.rmtree(started.folder)
