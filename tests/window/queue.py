"""The queue in a real window: clips in, start, pause, a failure, the summary, a result into the scene."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import Script, act, expect, install, module, open_tab, picture


def closed(*kept: str) -> None:
    """Only these panels of ours stay open, so that the queue is in the picture."""
    for name in dir(bpy.types):
        panel = getattr(bpy.types, name, None)
        if name.startswith("HMDIFF_PT_") and name not in kept and hasattr(panel, "bl_options"):
            panel.bl_options = {"DEFAULT_CLOSED"}


def queue(found: dict[str, Any]) -> Script:
    package = install()
    expect(package is not None, "installed")
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    for name in [name for name in dir(bpy.types) if name.startswith("HMDIFF_PT_")]:
        cls = getattr(bpy.types, name)
        if name not in ("HMDIFF_PT_main",):
            bpy.utils.unregister_class(cls)
            cls.bl_options = {"DEFAULT_CLOSED"} if name != "HMDIFF_PT_queue" else set()
    names = [c for c in module("panels").CLASSES if c.__name__.startswith("HMDIFF_PT_")]
    for cls in names:
        if not cls.is_registered:
            bpy.utils.register_class(cls)
    view, session = module("queue_view"), module("session")
    yield from open_tab()
    place = steps.HERE / "clips"
    place.mkdir()
    shutil.copy(steps.CLIP, place / "dance.mp4")
    shutil.copy(steps.CLIP, place / "second dance.mp4")
    (place / "broken.mp4").write_bytes(b"no film")
    settings = bpy.context.scene.hmdiff
    settings.preset = "preview"
    files = [{"name": name} for name in ("broken.mp4", "dance.mp4", "second dance.mp4")]
    act(bpy.ops.hmdiff.queue_add_files, directory=str(place), files=files)
    yield 1.5
    picture("1-queued")
    act(bpy.ops.hmdiff.queue_start)
    states = lambda: [entry.state for entry in view.get().batch.entries]  # noqa: E731
    yield lambda: states()[1] == "running" and session.state().active_job.done > 30
    bpy.context.window_manager.hmdiff_queue.index = 1
    yield 1.0
    picture("2-working")
    yield lambda: states() == ["failed", "done", "done"]
    bpy.context.window_manager.hmdiff_queue.index = 0
    yield lambda: not view.summary().running
    yield 1.0
    picture("3-failed")
    expect(view.summary().page is not None, f"a summary is made: {view.summary().problem}")
    found["longest_ms"] = {what: round(1e3 * spent, 1) for what, spent in session.get().work.longest.items()}
    shutil.copytree(view.summary_folder(), steps.HERE / "summary")
    bpy.context.window_manager.hmdiff_queue.index = 2
    act(bpy.ops.hmdiff.queue_import)
    yield lambda: bool(module("scene.naming").find("body")) and not session.is_changing()
    yield 1.5
    picture("4-imported")


steps.run(queue)
