"""The queue in the sidebar: a list, what is marked in it, one button that starts or pauses."""

from __future__ import annotations

from typing import Any

import bpy
from hmdiff_wire.batch import Entry

from .. import queue_view, session
from ..core.words import progress_factor, progress_text
from ..core.work_queue import WorkQueue
from .base import Tab, paragraph

ICONS = {
    "waiting": "SORTTIME", "running": "PLAY", "done": "CHECKMARK", "failed": "ERROR", "stopped": "SNAP_FACE",
}  # fmt: skip
WORDS = {"waiting": "Waiting.", "running": "In work.", "done": "Done.", "failed": "Failed.", "stopped": "Stopped."}


class HMDIFF_UL_queue(bpy.types.UIList):
    def draw_item(
        self, context: Any, layout: Any, data: Any, item: Any, icon: int, active_data: Any, active_property: str
    ) -> None:
        row = layout.row(align=True)
        row.label(text=item.name, icon=ICONS.get(item.state, "NONE"))
        side = row.row()
        side.alignment = "RIGHT"
        job = session.state().active_job
        going = item.state == "running" and job is not None and not job.request.in_scene
        side.label(text=f"{progress_factor(job):.0%}" if going and job is not None else item.words)


class HMDIFF_PT_queue(Tab, bpy.types.Panel):
    bl_label = "Queue"
    bl_parent_id = "HMDIFF_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: Any) -> None:
        batch = queue_view.get().batch
        if batch.entries:
            self.layout.label(text=f"{batch.count('done')} of {len(batch.entries)} ")

    def draw(self, context: Any) -> None:
        layout, queue = self.layout, queue_view.get()
        if queue_view.out_of_date():
            bpy.app.timers.register(_sync_once, first_interval=0.0)
        row = layout.row(align=True)
        row.operator("hmdiff.queue_add", icon="ADD")
        row.operator("hmdiff.queue_add_files", text="", icon="FILEBROWSER")
        row.operator("hmdiff.queue_load", text="", icon="FILE")
        if not queue.batch.entries:
            paragraph(layout, context, "Clips to be worked off one after another, overnight for instance.")
            _problem(layout, context, queue)
            return
        _list(layout, context)
        _start(layout, context, queue)
        entry = queue_view.chosen()
        if entry is not None:
            _chosen(layout, context, entry)
        _problem(layout, context, queue)
        _summary(layout, context)


def _list(layout: Any, context: Any) -> None:
    view = context.window_manager.hmdiff_queue
    row = layout.row()
    row.template_list("HMDIFF_UL_queue", "", view, "entries", view, "index", rows=4, maxrows=8)
    column = row.column(align=True)
    column.operator("hmdiff.queue_move", text="", icon="TRIA_UP").by = -1
    column.operator("hmdiff.queue_move", text="", icon="TRIA_DOWN").by = 1
    column.separator()
    column.operator("hmdiff.queue_remove", text="", icon="REMOVE")
    column.operator("hmdiff.queue_clear", text="", icon="TRASH")


def _start(layout: Any, context: Any, queue: WorkQueue) -> None:
    if queue.foreign:
        paragraph(layout, context, "Another Blender works on the queue.", "INFO")
        return
    row = layout.row()
    row.scale_y = 1.3
    if not queue.batch.paused:
        row.operator("hmdiff.queue_pause", icon="PAUSE")
    else:
        row.enabled = queue.batch.count("waiting") > 0
        row.operator("hmdiff.queue_start", icon="PLAY")
    job = session.state().active_job
    if job is not None and not queue.batch.paused and job.request.in_scene:
        paragraph(layout, context, "It goes on after the run above.", "TIME")


def _chosen(layout: Any, context: Any, entry: Entry) -> None:
    box = layout.box()
    job = session.state().active_job
    if entry.state == "running" and job is not None and not job.request.in_scene:
        paragraph(box, context, f"{entry.name}: {progress_text(job)}")
        return
    spent = f" {entry.seconds:.0f} s." if entry.seconds >= 1 else ""
    paragraph(box, context, f"{entry.name}: {WORDS[entry.state]}{spent}", ICONS[entry.state])
    if entry.problem:
        paragraph(box, context, f"{entry.problem.get('message', '')} {entry.problem.get('fix', '')}")
    row = box.row(align=True)
    if entry.state == "waiting":
        preset = str(entry.options.get("preset", "default"))
        row.operator_menu_enum("hmdiff.queue_preset", "preset", text=queue_view.PRESET_NAMES.get(preset, preset))
    there = entry.state in ("done", "stopped") and entry.begun
    if entry.state == "done" and not there:
        paragraph(box, context, f"Its take is gone: {entry.take}", "ERROR")
    if entry.state in ("failed", "stopped") or (entry.state == "done" and not there):
        row.operator("hmdiff.queue_retry", icon="FILE_REFRESH")
    if there:
        row.operator("hmdiff.queue_import", icon="IMPORT")


def _problem(layout: Any, context: Any, queue: WorkQueue) -> None:
    if queue.problem is not None:
        box = layout.box()
        paragraph(box, context, queue.problem.message, "ERROR")
        paragraph(box, context, queue.problem.fix)


def _summary(layout: Any, context: Any) -> None:
    made = queue_view.summary()
    if made.running:
        layout.label(text="The summary is being made.", icon="SORTTIME")
        return
    if made.problem is not None:
        paragraph(layout, context, made.problem.message, "ERROR")
    text = "Open Summary" if made.page is not None else "Make Summary"
    layout.operator("hmdiff.queue_summary", text=text, icon="URL")


def _sync_once() -> None:
    from ..scene_work import redraw

    queue_view.sync()
    redraw()


CLASSES = (HMDIFF_UL_queue, HMDIFF_PT_queue)
