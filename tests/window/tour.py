"""From a bare Blender to a body over the footage: install, open the tab, run the shipped clip, look, switch, undo."""

from __future__ import annotations

import sys
import time
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import Pauses, Script, act, expect, install, module, open_tab, picture


def tour(found: dict[str, Any]) -> Script:
    picture("1-bare")
    install()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    bpy.ops.ed.undo_push(message="delete the cube")
    yield 1.0
    yield from open_tab()
    picture("2-tab")

    session, naming, clips = module("session"), module("scene.naming"), module("scene.clips")
    settings = bpy.context.scene.hmdiff
    settings.filepath = str(steps.CLIP)
    expect(settings.count == 120, "Blender counts the clip's frames")
    yield 1.0
    picture("3-footage")

    idle = Pauses()
    idle.start()
    yield 3.0
    found["pauses_idle"] = idle.stop()

    pauses, began = Pauses(), time.monotonic()
    pauses.start()
    act(bpy.ops.hmdiff.run)
    yield lambda: session.state().backend.phase in ("ready", "failed", "absent")
    expect(session.state().backend.phase == "ready", f"the backend starts: {session.state().backend.problem}")
    found["backend_ready_s"] = time.monotonic() - began
    yield lambda: bool(naming.find("preview body")) or not session.state().active_job
    found["first_body_s"] = time.monotonic() - began
    expect(naming.find("preview body"), f"bodies appear while it runs: {session.state().job}")
    act(bpy.ops.hmdiff.look_through_camera)
    yield 2.5
    picture("4-running")
    yield lambda: session.state().active_job is None
    found["whole_run_s"] = time.monotonic() - began
    found["pauses_run"] = pauses.stop()
    found["longest_ms"] = {what: round(1e3 * spent, 1) for what, spent in session.get().work.longest.items()}
    job = session.state().job
    expect(job.phase == "done", f"the run ends well: {job}")
    expect(not naming.find("preview body") and len(naming.find("body")) == 1, "the finished body took its place")
    expect(bpy.context.scene.camera and bpy.context.scene.camera.get(naming.ROLE) == "camera", "the camera stays set")
    bpy.context.scene.frame_set(60)
    yield 1.5
    picture("5-done")

    root = clips.chosen_root(bpy.context)
    before = clips.info(root).shown
    act(bpy.ops.hmdiff.show_hypothesis)
    yield lambda: clips.info(clips.chosen_root(bpy.context)).shown == before + 1
    yield 1.0
    picture("6-hypothesis")

    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    yield 0.5
    expect(not naming.find("body") and not naming.find("preview body"), "one undo step takes the clip away")
    bpy.ops.ed.redo()
    yield 0.5
    expect(len(naming.find("body")) == 1, "and redo brings it back")
    bpy.ops.wm.save_as_mainfile(filepath="/tmp/hmdiff-window/tour.blend")
    bpy.ops.wm.open_mainfile(filepath="/tmp/hmdiff-window/tour.blend")
    yield 1.5
    expect(len(naming.find("body")) == 1, "a saved file reopens with everything in place")
    yield from open_tab()
    bpy.context.scene.frame_set(100)
    yield 1.5
    picture("7-reopened")

    for way in ("cold", "warm"):
        began = time.monotonic()
        act(bpy.ops.hmdiff.photo, filepath=str(steps.HERE / "photo.jpg"))
        yield lambda: session.state().active_job is None
        found[f"photo_{way}_s"] = time.monotonic() - began
        expect(session.state().job.phase == "done", f"the photo becomes a body: {session.state().job}")
    act(bpy.ops.hmdiff.look_through_camera)
    yield 1.5
    picture("8-photo")

    settings = bpy.context.scene.hmdiff
    settings.people = "chosen"
    act(bpy.ops.hmdiff.find_people)
    yield lambda: session.state().active_job is None
    people = bpy.context.window_manager.hmdiff.people
    expect(len(people) == 1 and people[0].icon, "the person is found, with a picture")
    yield 1.0
    picture("9-people")

    settings.filepath = "/nowhere/dance.mp4"
    try:
        act(bpy.ops.hmdiff.run)
    except RuntimeError as said:
        expect("dance.mp4" in str(said), "a missing file is said")
    session.get().engine.process.stop(0.0, True)
    settings.people, settings.filepath = "all", str(steps.CLIP)
    act(bpy.ops.hmdiff.run)
    yield lambda: session.state().backend.phase == "failed" or session.state().active_job is None
    yield 1.5
    picture("10-killed")


steps.run(tour)
