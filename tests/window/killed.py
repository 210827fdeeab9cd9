"""A run, and then this Blender is killed; ``killed_again`` is what the artist finds at the next start."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import Script, act, expect, install, module, open_tab


def killed(found: dict[str, Any]) -> Script:
    install()
    bpy.ops.wm.save_userpref()
    yield from open_tab()
    session = module("session")
    settings = bpy.context.scene.hmdiff
    settings.filepath, settings.preset = str(steps.CLIP), "preview"
    chosen = bpy.context.preferences.addons["bl_ext.user_default.hmdiff"].preferences
    chosen.takes = "/tmp/hmdiff-killed"
    act(bpy.ops.hmdiff.run)
    yield lambda: (job := session.state().active_job) is not None and job.done >= 64
    expect(session.state().job.take, "it has a take")
    (steps.HERE / "result.json").write_text(json.dumps({"ok": True, "done": session.state().job.done}))
    os.kill(os.getpid(), signal.SIGKILL)


steps.run(killed)
