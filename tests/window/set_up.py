"""The set-up as an artist sees it: a bare Blender, Run, one button, a connection that breaks, Go On, a body.

The real packages are fetched (1.3 GB on disk), into a folder with a space and an umlaut. ``tests/window/run set_up``
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import Pauses, Script, act, expect, install, module, open_tab, picture


def set_up(found: dict[str, Any]) -> Script:
    install()
    place = steps.HERE / "Käthe Müller" / "Blender Daten"
    chosen = bpy.context.preferences.addons["bl_ext.user_default.hmdiff"].preferences
    chosen.backend, chosen.environment = "", str(place)
    bpy.context.preferences.system.use_online_access = False
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    yield from open_tab()
    picture("1-first-use")
    session, naming = module("session"), module("scene.naming")
    expect(session.state().backend.problem.kind == "setup.none", "nothing is there, and that is said")

    settings = bpy.context.scene.hmdiff
    settings.filepath, settings.preset = str(steps.CLIP), "preview"
    act(bpy.ops.hmdiff.run)
    yield 1.0
    expect(session.state().job.phase == "waiting", "the run waits for the set-up")
    picture("2-run-waits")
    act(bpy.ops.hmdiff.set_up)
    yield 1.0
    expect(session.state().backend.problem.kind == "setup.offline", "Blender's own setting is respected")
    picture("3-offline")

    pauses, began = Pauses(), time.monotonic()
    pauses.start()
    act(bpy.ops.hmdiff.allow_online)
    yield lambda: session.state().backend.set_up.share > 0.3 or session.state().backend.phase != "installing"
    picture("4-fetching")
    expect(session.state().backend.phase == "installing", f"it is on its way: {session.state().backend.problem}")
    found["first_part_s"] = time.monotonic() - began
    os.kill(session.get().set_up._pid, signal.SIGKILL)
    yield lambda: session.state().backend.phase == "failed"
    yield 1.0
    picture("5-broken-off")
    expect(session.state().job.phase == "waiting", "the run still waits")

    again = time.monotonic()
    act(bpy.ops.hmdiff.set_up)
    yield lambda: session.state().backend.phase not in ("installing",)
    expect(session.state().backend.phase != "failed", f"it goes on: {session.state().backend.problem}")
    found["second_part_s"] = time.monotonic() - again
    yield lambda: session.state().backend.phase == "ready"
    yield lambda: session.state().active_job is None
    found["pauses"] = pauses.stop()
    found["longest_ms"] = {what: round(1e3 * spent, 1) for what, spent in session.get().work.longest.items()}
    found["whole_s"] = time.monotonic() - began
    expect(session.state().job.phase == "done", f"and the run that waited is done: {session.state().job}")
    expect(len(naming.find("body")) == 1, "with a body in the scene")
    found["used"] = str(session.look())
    act(bpy.ops.hmdiff.look_through_camera)
    bpy.context.scene.frame_set(60)
    yield 1.5
    picture("6-done")

    bpy.ops.preferences.addon_show(module="bl_ext.user_default.hmdiff")
    yield 2.0
    picture("7-preferences")


steps.run(set_up)
