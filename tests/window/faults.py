"""Show 4 in a real window and with the real backend: what breaks ends with a sentence, a button and no lost work.

The disk is a small one mounted for this, the footage changes under a stopped run, the take's folder is moved, the
backend is killed. (A killed Blender: ``killed.py``.)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import Script, act, expect, install, module, open_tab, picture

SMALL = steps.HERE / "small disk"


def faults(found: dict[str, Any]) -> Script:
    install()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    yield from open_tab()
    session, naming, clips = module("session"), module("scene.naming"), module("scene.clips")
    settings = bpy.context.scene.hmdiff
    state = session.state
    over = lambda: state().active_job is None  # noqa: E731

    clip = steps.HERE / "dance.mp4"
    shutil.copy(steps.CLIP, clip)
    settings.filepath, settings.preset = str(clip), "preview"

    SMALL.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(SMALL)], check=True)
    chosen = bpy.context.preferences.addons["bl_ext.user_default.hmdiff"].preferences
    chosen.takes = str(SMALL)
    act(bpy.ops.hmdiff.run)
    yield over
    yield 1.5
    picture("1-disk-full")
    job = state().job
    found["disk"] = job.problem.message
    expect(job.problem.kind == "disk.full" and job.resumable, f"a full disk is said: {job}")
    subprocess.run(["mount", "-o", "remount,size=200m", str(SMALL)], check=True)
    act(bpy.ops.hmdiff.resume)
    yield over
    expect(state().job.phase == "done", f"with room it goes on: {state().job}")
    expect(len(naming.find("body")) == 1, "to the same clip")
    yield 1.0
    picture("2-resumed")

    take = naming.folder_of(clips.roots()[0])
    moved = SMALL / "archive" / take.name
    moved.parent.mkdir()
    shutil.move(take, moved)
    session.redraw()
    yield 1.5
    picture("3-take-gone")
    act(bpy.ops.hmdiff.find_take, directory=str(moved))
    yield 1.0
    expect(str(naming.folder_of(clips.roots()[0])) == str(moved), "and it is found again")

    act(bpy.ops.hmdiff.run)
    yield lambda: (job := state().active_job) is not None and job.done >= 32
    session.get().engine.process.stop(0.0, True)
    yield over
    yield 1.5
    picture("4-backend-killed")
    found["killed"] = state().job.problem.message
    expect(state().job.resumable, "a killed backend leaves a take to resume")

    shutil.copy(steps.HERE / "long.mp4", clip)
    act(bpy.ops.hmdiff.resume)
    yield over
    yield 1.5
    picture("5-footage-changed")
    found["footage"] = state().job.problem.message
    expect(state().job.problem.kind == "take.other_footage", f"other footage is noticed: {state().job.problem}")
    shutil.copy(steps.CLIP, clip)
    act(bpy.ops.hmdiff.run_anew)
    yield over
    expect(state().job.phase == "done", f"a new take is begun: {state().job.problem}")


def ended(found: dict[str, Any]) -> Script:
    try:
        yield from faults(found)
    finally:
        subprocess.run(["umount", "-l", str(SMALL)], check=False)


steps.run(ended)
