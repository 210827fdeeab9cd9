"""What Copy Report puts into the clipboard."""

from __future__ import annotations

import sys

import bpy

from . import session, surroundings


def text() -> str:
    """What a maintainer needs to know: versions, the newest problem, the end of the backend's log."""
    known = session.state()
    job = known.job
    problems = [known.notice, known.backend.problem, job.problem if job else None, session.notice()]
    lines = [f"Blender {bpy.app.version_string}, HMDiff add-on {surroundings.version()}, {sys.platform}"]
    lines += [f"Backend: {known.backend.phase} {dict(known.backend.capabilities)}"]
    lines += [f"{p.kind}: {p.message}\n{p.fix}\n{p.detail}" for p in problems if p]
    if session.look().possible or (known.backend.problem and known.backend.problem.about_set_up):
        lines += ["", "Set-up:", session.get().set_up.log_tail(60)]
    lines += ["", "Backend's log:", session.get().engine.process.log_tail(60)]
    return "\n".join(lines)
