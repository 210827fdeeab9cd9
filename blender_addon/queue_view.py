"""The queue of this user as the sidebar shows it: the one ``WorkQueue``, and its copy for Blender's list widget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import CollectionProperty, IntProperty, PointerProperty, StringProperty
from hmdiff_wire.batch import Entry, free_take
from hmdiff_wire.errors import HmdiffError

from . import preferences, surroundings
from .core.state import AppState, Problem, Request
from .core.summary_process import SummaryProcess
from .core.work_queue import WorkQueue
from .properties import QUALITIES
from .scene_work import redraw

FILE = "queue.json"
_queue: WorkQueue | None = None
_summary = SummaryProcess()
_shown = -1


def get() -> WorkQueue:
    """Read from the user's folder on first use."""
    global _queue
    if _queue is None:
        _queue = WorkQueue(preferences.user_folder() / FILE)
    return _queue


def summary() -> SummaryProcess:
    return _summary


def summary_folder() -> Path:
    return preferences.user_folder() / "queue summary"


def entry_for(request: Request) -> Entry:
    """A run as the panel describes it, as a clip of the queue. Errors: a kind that writes no take."""
    if request.kind not in ("animate", "pose"):
        raise HmdiffError("queue.kind", "Only photos and clips can wait in the queue.", "Run it by hand.")
    take = free_take(Path(request.take).parent, Path(request.take).stem, get().batch)
    return Entry(request.source, str(take), request.kind, request.label, dict(request.options))


def chosen() -> Entry | None:
    """The one that is marked in the list."""
    view = bpy.context.window_manager.hmdiff_queue
    entries = get().batch.entries
    return entries[view.index] if 0 <= view.index < len(entries) else None


def sync() -> None:
    """Let the list show the queue as it is; not from drawing."""
    global _shown
    queue, view = get(), bpy.context.window_manager.hmdiff_queue
    if _shown == queue.version and len(view.entries) == len(queue.batch.entries):
        return
    _shown = queue.version
    view.entries.clear()
    for entry in queue.batch.entries:
        row = view.entries.add()
        row.name, row.state = entry.name, entry.state
        preset = str(entry.options.get("preset", "default"))
        row.entry = entry.id
        row.words = PRESET_NAMES.get(preset, preset)
    view.index = min(max(view.index, 0), max(len(view.entries) - 1, 0))


def out_of_date() -> bool:
    view = bpy.context.window_manager.hmdiff_queue
    return _shown != get().version or len(view.entries) != len(get().batch.entries)


def step(state: AppState) -> Any:
    """What the queue does at this tick: the run it asks for, if any; the summary when it has run empty."""
    queue = get()
    asked = queue.step(state)
    if queue.just_finished:
        queue.just_finished = False
        make_summary()
    if _summary.poll():
        redraw()
    return asked


def make_summary() -> None:
    """Errors: those of finding the backend go into the summary's problem."""
    try:
        _summary.start(surroundings.find_command(), get().file, summary_folder())
    except HmdiffError as error:
        _summary.problem = Problem.from_error(error)


def busy() -> bool:
    """The timer has to go on for it."""
    return (_queue is not None and (_queue.working or bool(_queue.entry_in_work))) or _summary.running


def close() -> None:
    """Blender closes or the add-on is switched off."""
    global _queue, _shown
    if _queue is not None:
        _queue.leave()
    _queue, _shown = None, -1
    _summary.stop()


PRESET_NAMES = {name: label for name, label, _ in QUALITIES}


class HMDIFF_PG_queued(bpy.types.PropertyGroup):
    """One row of the list."""

    entry: StringProperty()
    state: StringProperty()
    words: StringProperty()


class HMDIFF_PG_queue(bpy.types.PropertyGroup):
    """WindowManager.hmdiff_queue, never saved: the queue is in the user's folder and of no .blend."""

    entries: CollectionProperty(type=HMDIFF_PG_queued)
    index: IntProperty(default=0, min=0)


CLASSES = (HMDIFF_PG_queued, HMDIFF_PG_queue)


def register() -> None:
    bpy.types.WindowManager.hmdiff_queue = PointerProperty(type=HMDIFF_PG_queue)


def unregister() -> None:
    close()
    del bpy.types.WindowManager.hmdiff_queue
