"""The queue's buttons in Blender: in, order, start, failure, retry, results into a file, the summary, closing."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from hmdiff_blender import queue_view, registration, surroundings
from hmdiff_blender.scene import naming
from hmdiff_wire.batch import Batch, Entry, read_batch, write_batch

REPO = Path(__file__).resolve().parents[2]


def queue():
    return queue_view.get()


def states() -> list[str]:
    return [row.state for row in bpy.context.window_manager.hmdiff_queue.entries]


def mark(number: int) -> None:
    bpy.context.window_manager.hmdiff_queue.index = number


def add(here, *names: str, **settings) -> None:
    chosen = bpy.context.scene.hmdiff
    for name in names:
        clip = here.clip.with_name(name)
        clip.write_bytes(b"the fake does not look into it")
        chosen.filepath = str(clip)
        for key, value in settings.items():
            setattr(chosen, key, value)
        assert bpy.ops.hmdiff.queue_add() == {"FINISHED"}


def drawn() -> str:
    """What the panel says, by a layout that notes the words."""
    from hmdiff_blender.panels import queue as panel

    said: list[str] = []

    class Layout(SimpleNamespace):
        def label(self, text: str = "", **_):
            said.append(text)

        def operator(self, name: str, text: str = "", **_):
            said.append(f"[{text or name}]")
            return SimpleNamespace()

        def operator_menu_enum(self, name: str, property: str, text: str = "", **_):
            said.append(f"[{text}]")

        def __getattr__(self, name: str):
            return lambda *_, **__: Layout()

    preferences = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))
    context = SimpleNamespace(preferences=preferences, region=None, window_manager=bpy.context.window_manager)
    panel.HMDIFF_PT_queue.draw(SimpleNamespace(layout=Layout()), context)
    return " ".join(said)


def test_clips_are_worked_off_and_their_takes_go_into_any_file(addon):
    here = addon("--frames", "20")
    add(here, "a.mp4", "b.mp4", preset="preview")
    assert states() == ["waiting", "waiting"] and "[Preview]" in drawn() and "[hmdiff.queue_start]" in drawn()
    mark(1)
    bpy.ops.hmdiff.queue_move(by=-1)
    assert [row.name for row in bpy.context.window_manager.hmdiff_queue.entries] == ["b", "a"]
    assert bpy.context.window_manager.hmdiff_queue.index == 0
    bpy.ops.hmdiff.queue_preset(preset="quality")
    assert queue().batch.entries[0].options["preset"] == "quality"
    bpy.ops.hmdiff.queue_start()
    here.pump(lambda: "running" in states())
    assert "[hmdiff.queue_pause]" in drawn()
    bpy.ops.wm.read_factory_settings(use_empty=True)  # another file does not disturb it
    here.pump(lambda: states() == ["done", "done"])
    assert not naming.find("body"), "nothing comes into a scene by itself"
    assert queue().batch.paused and "Done." in drawn()
    mark(1)
    bpy.ops.hmdiff.queue_import()
    here.pump(lambda: naming.find("body"))
    assert str(naming.folder_of(naming.find("body")[0])) == queue().batch.entries[1].take
    bpy.ops.hmdiff.queue_clear()
    assert not states() and Path(here.clip.with_name("queue.json")).exists() is False
    assert "overnight" in drawn()


def test_a_failure_says_why_and_can_be_tried_again(addon):
    here = addon("--frames", "20", "--fail-at", "5")
    add(here, "a.mp4")
    bpy.ops.hmdiff.queue_start()
    here.pump(lambda: states() == ["failed"])
    entry = queue().batch.entries[0]
    assert entry.problem is not None
    words = drawn()
    assert all(word in words for word in entry.problem["message"].split()) and "[hmdiff.queue_retry]" in words
    here.pump(lambda: not here.session.is_changing())
    bpy.ops.hmdiff.queue_retry()
    here.pump(lambda: states() == ["done"])  # the fake fails at one frame, and the take has gone beyond it


def test_a_lost_take_is_said_and_worked_out_anew(addon):
    import shutil

    here = addon("--frames", "20")
    add(here, "a.mp4")
    bpy.ops.hmdiff.queue_start()
    here.pump(lambda: states() == ["done"])
    shutil.rmtree(queue().batch.entries[0].take)
    with pytest.raises(RuntimeError, match=r"(?s)is gone.*Put the folder back"):
        bpy.ops.hmdiff.queue_import()
    bpy.ops.hmdiff.queue_retry()
    here.pump(lambda: states() == ["running"])
    here.pump(lambda: states() == ["done"])
    bpy.ops.hmdiff.queue_import()
    here.pump(lambda: naming.find("body"))


def test_closing_blender_keeps_it_and_a_run_by_hand_waits_its_turn(addon):
    here = addon("--frames", "120", "--delay", "0.01")
    add(here, "a.mp4", "b.mp4")
    bpy.ops.hmdiff.queue_start()
    here.pump(lambda: here.job is not None and here.job.frames > 10)
    with pytest.raises(RuntimeError):
        here.run()
    registration.unregister()
    registration.register()
    assert [entry.state for entry in queue().batch.entries] == ["waiting", "waiting"] and not queue().working
    queue_view.sync()
    assert states() == ["waiting", "waiting"] and queue().batch.entries[0].begun


def test_files_from_the_browser_and_a_batch_of_the_command_line(addon, tmp_path):
    addon()
    for name in ("one.mp4", "two.JPG", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    files = [{"name": name} for name in ("one.mp4", "two.JPG", "notes.txt")]
    bpy.ops.hmdiff.queue_add_files(directory=str(tmp_path), files=files)
    assert [(entry.name, entry.kind) for entry in queue().batch.entries] == [("one", "animate"), ("two", "pose")]
    batch = tmp_path / "batch.json"
    done = Entry("/clips/x.mp4", str(tmp_path / "x.take"), label="x", state="done", id="x")
    write_batch(batch, Batch("cli", (done,)))
    for _ in range(2):
        bpy.ops.hmdiff.queue_load(filepath=str(batch))
    assert states() == ["waiting", "waiting", "done"]
    mark(0)
    bpy.ops.hmdiff.queue_remove()
    assert states() == ["waiting", "done"] and len(read_batch(queue().file).entries) == 2


def test_the_summary_is_made_beside_blender(addon, monkeypatch):
    here = addon("--frames", "20")
    places = os.pathsep.join([str(REPO / "backend"), str(REPO / "shared")])
    add(here, "a.mp4")
    bpy.ops.hmdiff.queue_start()
    here.pump(lambda: states() == ["done"] and not queue_view.summary().running)
    assert queue_view.summary().problem is not None, "the fake backend makes none, and that is said"
    assert "could not be made" in drawn()
    python = os.environ.get("HMDIFF_BACKEND_PYTHON", sys.executable)
    monkeypatch.setattr(surroundings, "find_command", lambda: [python, "-m", "hmdiff.cli"])
    program = importlib.import_module("hmdiff_blender.core.summary_process")
    monkeypatch.setattr(program, "command_environ", lambda command: {"PYTHONPATH": places})
    bpy.ops.hmdiff.queue_summary()
    here.pump(lambda: not queue_view.summary().running)
    page = queue_view.summary().page
    assert page is not None and "1 of 1 clip done" in page.read_text(encoding="utf-8"), queue_view.summary().problem
    assert "[Open Summary]" in drawn()
