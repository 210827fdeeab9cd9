"""The running add-on: the engine of ``core``, the timer that drives it, and the scene work that it asks for.

``pump`` is a plain function, so that tests and programs without a window can call it; with a window a timer does.
There is one session per Blender; it is made on first use, never in ``register``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError

from . import corrections, export_process, following, preferences, queue_view, surroundings
from .core import cost as costs
from .core.engine import Engine
from .core.events import BackendLooked, DragEnded, DragMoved, Event, SourceClosed
from .core.journal import Journal, tidy
from .core.setup_process import SetUpProcess
from .core.state import ENDED, AppState, Backend, Problem
from .edits.record import Edits
from .scene import naming
from .scene.opened import folder_of
from .scene.replay import iter_replay, roots_without_motion
from .scene.stored_edits import edits_of, mark_unfinished, remember
from .scene_work import SceneWork, log, redraw
from .surroundings import ADDON, Look

SLICE_SECONDS = 0.008
"""Scene work per tick; a tick as a whole stays under 10 ms (DESIGN 8)."""
SLICE_SHARE = 0.1
"""Where Blender itself takes long between two ticks (drawing a heavy scene), scene work may take this share of it, or
an import would last for minutes there; nobody sees 30 ms beside 300.
"""
MOVING = ("starting", "connecting", "stopping", "installing")
"""Phases of the backend in which something happens by itself."""
BUSY_INTERVAL, WAITING_INTERVAL, IDLE_INTERVAL = 0.01, 0.05, 0.25

_session: Session | None = None
_resting = False
"""The timer will not come round soon."""
_look: Look | None = None


def look() -> Look:
    """Asked at every drawing, found out once."""
    global _look
    if _look is None:
        _look = surroundings.look_around(_session is not None)
    return _look


def look_again() -> None:
    """Something about the backend's place has changed."""
    global _look
    _look = None
    if _session is not None:
        _session.engine.dispatch(BackendLooked(look().problem))
    redraw()


def get() -> Session:
    global _session
    if _session is None:
        _session = Session()
    return _session


def exists() -> bool:
    return _session is not None


def cost(settings: Any, frames: int) -> float:
    """Seconds that many frames of one person will take, by what this computer has measured so far."""
    known = _session.costs_known if _session else {}
    return costs.estimate(settings.preset, settings.hypotheses, frames, known=known)


def notice() -> Problem | None:
    """Something that went wrong beside any run."""
    return _session.work.notice if _session else None


def say(problem: Problem) -> None:
    """Something went wrong beside any run."""
    get().work.notice = problem
    redraw()


def state() -> AppState:
    """For panels: what there is to show, without making a session."""
    if _session is not None:
        return _session.engine.state
    known = look()
    return AppState(Backend("absent", known.problem) if known.problem else Backend(), known.left)


def dispatch(event: Event) -> None:
    """Tell the add-on what the user did, and keep it going from there."""
    session = get()
    session.work.notice = None
    session.engine.dispatch(event)
    redraw()
    wake()


def drag(event: DragMoved | DragEnded) -> None:
    """As ``dispatch``, for what comes with every move of the mouse: no panel shows it."""
    engine = get().engine
    engine.dispatch(event)
    if engine.state.drag is not None and engine.state.drag.sent:
        wake()


def show_hypothesis(root: Any, hypothesis: int) -> None:
    """Begin to show a hypothesis (0..N-1) or -1, the estimate."""
    get().work.show_hypothesis(root, hypothesis)
    wake()


def edit_clip(root: Any, edits: Edits, message: str, settle: float = 0.0, before: bool = False) -> None:
    """Begin to let a clip play what these edits say; one undo step called ``message`` when it is done. Errors: the
    take's folder is gone."""
    folder_of(root, edits.version)
    work = get().work
    if not work.is_about(message):
        work.finish_change()
        remember(root)
    work.change(iter_replay(root, edits, before), message, settle, (root[naming.CLIP], edits))
    wake()


def play_anew() -> None:
    """After an undo: long clips whose motion file of then is gone get it again."""
    for root in roots_without_motion()[:1]:
        mark_unfinished(root)
        with contextlib.suppress(HmdiffError):
            edit_clip(root, edits_of(root), "HMDiff motion file")


def edits_now(root: Any) -> Edits:
    """What the artist wants of a clip, with the change that is going on. The base of the next change."""
    going_on = _session.work.wanted if _session is not None else None
    return going_on[1] if going_on is not None and going_on[0] == root[naming.CLIP] else edits_of(root)


def finish_change() -> None:
    """What is going on in a clip comes to its end at once."""
    if _session is not None:
        _session.work.finish_change()


def change_clip(slices: Generator[object, None, Any], message: str) -> None:
    """Begin a change of a clip that is done in slices; one undo step called ``message`` when it is done."""
    get().work.change(slices, message)
    wake()


def is_changing() -> bool:
    """A clip is being changed just now."""
    return _session is not None and _session.work.in_slices


def is_importing() -> bool:
    return _session is not None and _session.work.importing


def wake() -> None:
    """The next tick comes soon."""
    global _resting
    if _resting and bpy.app.timers.is_registered(_on_timer):
        bpy.app.timers.unregister(_on_timer)
    _resting = False
    if not bpy.app.timers.is_registered(_on_timer):
        bpy.app.timers.register(_on_timer, first_interval=BUSY_INTERVAL, persistent=True)


def close() -> None:
    """Cancel, disconnect and end the backend that we started. What is on disk stays and can be resumed."""
    global _session
    if bpy.app.timers.is_registered(_on_timer):
        bpy.app.timers.unregister(_on_timer)
    if _session is not None:
        _session.end()
        _session = None
    _forget_look()


def pump() -> float | None:
    """One tick: seconds until the next, None when nothing is going on that needs one."""
    return _session.tick() if _session else None


def _on_timer() -> float | None:
    """Blender drops a timer that raises, and with it the run: better a tick lost."""
    global _resting
    _resting = False  # it must not be taken out while it runs
    try:
        interval = pump()
    except Exception as error:
        log(error)
        interval = IDLE_INTERVAL
    _resting = interval == IDLE_INTERVAL
    return interval


class Session:
    """Engine, scene work, and what runs have taught about their cost."""

    def __init__(self) -> None:
        self.folder = preferences.user_folder() / "backend"
        self.set_up = SetUpProcess(preferences.environment_folder, ADDON, preferences.accelerator)
        known = look()
        self.engine = Engine(
            self.folder, surroundings.find_command, surroundings.roots, set_up=self.set_up, problem=known.problem,
            left=known.left,
        )  # fmt: skip
        self.journal = Journal(self.folder)
        tidy(self.folder)
        self.work = SceneWork(self.engine)
        self.costs_known = costs.load(self.folder)
        self._last_tick = 0.0

    def tick(self) -> float | None:
        began = time.perf_counter()
        away = min(began - self._last_tick, 0.3) if self.work.in_slices else 0.0
        before = self.engine.state
        self.engine.tick()
        if corrections.waits():
            corrections.submit_next()
        following.settle()
        asked = queue_view.step(self.engine.state)
        if asked is not None:
            self.engine.dispatch(asked)
        self.work.notice = export_process.step() or self.work.notice
        self.work.note("engine", began)
        self.work.do(began + max(SLICE_SECONDS, SLICE_SHARE * away))
        after = self.engine.state
        self._learn_cost(before, after)
        self.journal.follow(after)
        if before.backend.phase == "installing" != after.backend.phase:
            _forget_look()
        if _visible(before) != _visible(after) or queue_view.out_of_date():
            queue_view.sync()
            redraw()
        self.work.note("tick", began)
        self._last_tick = time.perf_counter()
        if self.work.busy or (after.drag is not None and after.drag.sent):
            return BUSY_INTERVAL
        if asked or after.active_job is not None or after.backend.phase in MOVING or export_process.busy():
            return WAITING_INTERVAL
        return IDLE_INTERVAL if after.backend.phase == "ready" or queue_view.busy() else None

    def file_closing(self) -> None:
        self.work.close()
        self.engine.dispatch(SourceClosed())
        self.engine.scene_work.clear()  # it is about the file that closes

    def end(self) -> None:
        self.work.close()
        self.engine.close()

    def _learn_cost(self, before: AppState, after: AppState) -> None:
        job = after.job
        if job is None or before.job is None or before.job.phase in ENDED or job.phase != "done":
            return
        if job.request.kind == "animate" and job.request.in_scene and not job.request.resume and job.frames:
            preset = str(job.request.options.get("preset", "default"))
            people = max(1, len(_people_of(job.take)))
            spent = time.monotonic() - self.work.began
            hypotheses = int(job.request.options.get("hypotheses", 0)) or None
            if costs.remember(preset, spent, job.frames, people, self.folder, hypotheses):
                self.costs_known = costs.load(self.folder)


def _visible(state: AppState) -> object:
    """What of the state a panel shows."""
    return state.backend.phase, state.backend.problem, state.backend.set_up, state.job, state.notice


def _people_of(take: str) -> list[Any]:
    folder = str(Path(take).resolve())
    return [item for item in naming.find("body") if str(naming.folder_of(item) or "") == folder]


def _forget_look() -> None:
    global _look
    _look = None
