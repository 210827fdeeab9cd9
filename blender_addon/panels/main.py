"""The backend, the button that runs, and how far it is."""

from __future__ import annotations

from typing import Any

import bpy

from .. import footage_choice, session
from ..core.cost import spoken
from ..core.state import AppState, Job
from ..core.words import backend_words, job_words, progress_factor, progress_text
from ..scene import clips
from .base import Tab, paragraph, problem_box
from .lost import draw_lost_take
from .setup import draw_set_up, needs_set_up

OPERATORS = {
    "start": "hmdiff.start_backend", "stop": "hmdiff.stop_backend", "run": "hmdiff.run", "cancel": "hmdiff.cancel",
    "resume": "hmdiff.resume", "dismiss": "hmdiff.dismiss", "log": "hmdiff.copy_report",
    "setup": "hmdiff.set_up", "repair": "hmdiff.set_up", "allow": "hmdiff.allow_online",
}  # fmt: skip
ICONS = {
    "stopped": "RADIOBUT_OFF", "absent": "ERROR", "starting": "SORTTIME", "connecting": "SORTTIME",
    "ready": "RADIOBUT_ON", "busy": "RADIOBUT_ON", "stopping": "SORTTIME", "failed": "ERROR", "installing": "IMPORT",
}  # fmt: skip


class HMDIFF_PT_main(Tab, bpy.types.Panel):
    bl_label = "HMDiff"

    def draw(self, context: Any) -> None:
        layout, state = self.layout, session.state()
        _backend(layout, context, state)
        _source(layout, context)
        _run(layout, context, state)
        draw_lost_take(layout, context)


def _backend(layout: Any, context: Any, state: AppState) -> None:
    if needs_set_up(state) or state.backend.phase == "installing":
        draw_set_up(layout, context, state)
        return
    words = backend_words(state.backend, state.job, session.look().possible)
    row = layout.row()
    paragraph(row, context, "No backend." if words.alert else words.text, ICONS[state.condition], 0.68)
    if words.button:
        side = row.row()
        side.alignment = "RIGHT"
        button = side.operator(OPERATORS[words.button.action], text=words.button.label)
        if words.button.action == "repair":
            button.anew = True
    draw_set_up(layout, context, state)


def _source(layout: Any, context: Any) -> None:
    settings = context.scene.hmdiff
    column = layout.column()
    column.prop(settings, "source", text="")
    if settings.source in ("FILE", "SEQUENCE"):
        row = column.row(align=True)
        row.prop(settings, "sequence" if settings.source == "SEQUENCE" else "filepath", text="")
        row.operator("hmdiff.choose_footage", text="", icon="FILEBROWSER")
    line = footage_choice.described(settings, context.scene)
    if line:
        paragraph(column, context, line)


def _run(layout: Any, context: Any, state: AppState) -> None:
    settings, job = context.scene.hmdiff, state.active_job
    if job is not None:
        _progress(layout, context, job)
    else:
        frames = footage_choice.frames_to_do(settings)
        seconds = session.cost(settings, frames)
        column = layout.column(align=True)
        row = column.row(align=True)
        row.scale_y = 1.5
        row.operator("hmdiff.run", text=f"Run ({spoken(seconds)})" if frames else "Run", icon="PLAY")
        column.operator("hmdiff.photo", icon="IMAGE_DATA")
    for problem in _problems(state):
        problem_box(layout, context, problem)
    if job is None and state.job is not None and state.job.problem is None:
        for note in state.job.notes:
            paragraph(layout, context, note, "INFO")
    unfinished = _unfinished(context, state)
    if job is None and unfinished:
        row = layout.row()
        row.label(text=f"{unfinished}: not finished", icon="INFO")
        row.operator("hmdiff.resume")


def _unfinished(context: Any, state: AppState) -> str:
    """What Resume would go on with, by its name."""
    root = clips.chosen_root(context)
    if root is not None and not clips.info(root).complete:
        return root.name
    return state.job.request.label if state.job is not None and state.job.resumable else ""


def _progress(layout: Any, context: Any, job: Job) -> None:
    words = job_words(job)
    column = layout.column(align=True)
    text = progress_text(job) if job.phase == "running" else words.text
    column.progress(factor=progress_factor(job), type="BAR", text=text)
    if words.button:
        row = column.row(align=True)
        row.scale_y = 1.5
        row.operator(OPERATORS[words.button.action], text=words.button.label, icon="CANCEL")


def _problems(state: AppState) -> list[Any]:
    """Each once, the newest first."""
    job = state.job
    backend = None if needs_set_up(state) else state.backend.problem
    found = [session.notice(), state.notice, job.problem if job else None, backend]
    return list(dict.fromkeys(problem for problem in found if problem is not None))


CLASSES = (HMDIFF_PT_main,)
