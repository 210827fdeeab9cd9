"""The Export panel: the clip into every format this Blender can write, from the buttons, with the scene as it was."""

from __future__ import annotations

import sys
import time
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import HERE, Script, act, expect, install, module, open_tab, picture


def work_on(found: dict[str, Any]) -> Script:
    install()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    bpy.ops.ed.undo_push(message="delete the cube")
    yield 1.0
    yield from open_tab()
    session, naming, scene = module("session"), module("scene.naming"), bpy.context.scene
    scene.hmdiff.filepath = str(steps.CLIP)
    scene.hmdiff.preset, scene.hmdiff.use_range, scene.hmdiff.last = "preview", True, 40
    act(bpy.ops.hmdiff.run)
    yield lambda: session.state().active_job is None and session.state().job is not None
    expect(session.state().job.phase == "done" and naming.find("body"), f"the run ends well: {session.state().job}")
    settings, before = scene.hmdiff_export, (len(bpy.data.objects), len(bpy.data.scenes), scene.render.fps)
    bpy.context.preferences.view.ui_scale = 0.75
    found["seconds"], found["bytes"] = {}, {}
    for form in module("scene.exports").FORMATS:
        settings.format = form.name
        settings.filepath = str(HERE / f"walk{form.suffix}")
        began = time.monotonic()
        try:
            act(bpy.ops.hmdiff.export)
        except RuntimeError as error:  # Debian's Blender is built without some of them
            found["seconds"][form.name] = str(error)
            continue
        found["seconds"][form.name] = round(time.monotonic() - began, 2)
        found["bytes"][form.name] = sum(path.stat().st_size for path in HERE.glob(f"walk*{form.suffix}"))
        expect(
            before == (len(bpy.data.objects), len(bpy.data.scenes), scene.render.fps), f"{form.name} leaves no trace"
        )
        yield 0.3
    expect({"FBX", "GLB", "BVH", "AMASS", "PC2"} <= set(found["bytes"]), f"files are written: {found['seconds']}")
    settings.format = "GLB"
    yield from scroll(60)
    yield 1.0
    picture("1-export")
    settings.filepath = ""
    area, _ = steps.view()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):
        bpy.ops.hmdiff.export("INVOKE_DEFAULT")
    yield 2.0
    picture("2-file")


def scroll(lines: int) -> Script:
    area, region = steps.view()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area, region=region):
        for _ in range(lines):
            bpy.ops.view2d.scroll_down()
    yield 0.5


steps.run(work_on)
