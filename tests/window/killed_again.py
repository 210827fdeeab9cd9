"""The first start after Blender was killed during a run: it is said, one button goes on, nothing was lost."""

from __future__ import annotations

import sys
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import Script, act, expect, module, open_tab, picture


def again(found: dict[str, Any]) -> Script:
    yield from open_tab()
    session, naming = module("session"), module("scene.naming")
    left = session.state().job
    expect(left is not None and left.resumable, f"the run is offered again: {left}")
    found["said"] = left.problem.message
    yield 1.0
    picture("1-next-start")
    done: list[int] = []
    act(bpy.ops.hmdiff.resume)

    def over() -> bool:
        job = session.state().active_job
        if job is not None and job.phase == "running" and job.stage == "bodies":
            done.append(job.done)
        return job is None

    yield over
    expect(session.state().job.phase == "done", f"it goes on to its end: {session.state().job}")
    expect(len(naming.find("body")) == 1, "and its body is in the scene")
    found["first_progress"] = done[0] if done else None
    expect(done and done[0] >= 32, f"it went on instead of beginning anew: {done[:3]}")
    yield 1.0
    picture("2-resumed")


steps.run(again)
