"""How long the add-on holds Blender up during a run of 1,000 frames: ticks and scene evaluation in the real event loop.

The virtual screen has no graphics card, and drawing a 3D view in software takes longer than anything measured here. So
the run goes on beside a console instead of the view; the gaps with the view are reported too, beside those of a view
that is only drawn.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import HERE, Pauses, Script, act, expect, install, module, open_tab, picture


def pauses(found: dict[str, Any]) -> Script:
    install()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    session, naming = module("session"), module("scene.naming")
    bpy.context.scene.hmdiff.filepath = str(HERE / "thousand.mp4")
    expect(bpy.context.scene.hmdiff.count == 1000, "the clip has 1,000 frames")
    bpy.context.scene.hmdiff.preset = "preview"  # the backend is slower than the add-on by far with every preset
    yield from open_tab()

    def drawn() -> Script:
        """Nothing but drawing, for comparison."""
        for _ in range(20):
            steps.view()[0].tag_redraw()
            yield 0.1

    alone = Pauses()
    alone.start()
    yield from drawn()
    found["view_drawn_without_us"] = alone.stop()

    for name, kind in (("view", "VIEW_3D"), ("console", "CONSOLE")):
        area = steps.view()[0] if kind != "VIEW_3D" else None
        operator = bpy.ops.hmdiff.run
        bpy.context.scene.frame_set(1)
        if session.exists():
            session.get().work.longest.clear()
        measured, began = Pauses(), time.monotonic()
        measured.start()
        act(operator)
        if area is not None:
            area.type = kind
        yield lambda: session.state().active_job is None
        found[f"run_beside_{name}"] = {
            **measured.stop(), "seconds": round(time.monotonic() - began, 1),
            "longest_ms": {what: round(1e3 * spent, 1) for what, spent in session.get().work.longest.items()},
        }  # fmt: skip
        if area is not None:
            area.type = "VIEW_3D"
        expect(session.state().job.phase == "done", f"the run ends well: {session.state().job}")
        expect(len(naming.find("body")) == len(naming.find("clip")), "a body for every clip")
    yield 1.0
    picture("end")


steps.PATIENCE_S = 500
steps.run(pauses)
