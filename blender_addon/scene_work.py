"""What a run asks of the scene, done in slices: the preview, the import, the change of a hypothesis, the undo step.

``SceneWork`` holds no reference to Blender's data between ticks but through ``PreviewWork`` and the slices, which
``interrupt`` ends before Blender's data changes under them.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError

from . import preferences
from .core.effects import BeginPreview, DropPreview, ImportTake, SceneEffect, ShowFrame, ShowLive, ShowPeople
from .core.engine import Engine
from .core.events import Imported, ImportFailed
from .core.state import Problem
from .edits.record import Edits
from .preview_work import PreviewWork


@dataclass(frozen=True)
class _UndoStep:
    """again: what to do where an undo comes first and takes away what the step was to hold. due: not before this moment
    (``time.monotonic``), so that a dragged slider becomes one step."""

    message: str
    then: Callable[[], None]
    again: Callable[[], None]
    due: float = 0.0


class SceneWork:
    """longest: seconds the main thread was ever held by each kind of work; notice: what went wrong beside any run;
    began: when the backend took the newest job (``time.monotonic``).
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.longest: dict[str, float] = {}
        self.notice: Problem | None = None
        self.began = 0.0
        self._preview = PreviewWork()
        self._import: ImportTake | None = None
        self._slices: Generator[object, None, Any] | None = None
        self._done: Callable[[Any], None] = lambda result: None
        self._failed: Callable[[Problem], None] = lambda problem: None
        self._finished_clips: set[str] = set()
        self._after: _UndoStep | None = None
        self._message = ""
        self.wanted: tuple[str, Edits] | None = None

    @property
    def busy(self) -> bool:
        return self._slices is not None or self._preview.there or self._after is not None

    @property
    def in_slices(self) -> bool:
        return self._slices is not None

    def note(self, what: str, began: float) -> None:
        """That a kind of work began then (``time.perf_counter``) and is over."""
        spent = time.perf_counter() - began
        if spent > self.longest.get(what, 0.0):
            self.longest[what] = spent

    def do(self, until: float) -> None:
        """Scene work until the time is used up or there is nothing to do just now."""
        if self._after is not None:
            if time.monotonic() >= self._after.due:
                self._finish_step()
            return
        while (began := time.perf_counter()) < until and self._after is None:
            if self._slices is not None:
                waits = self._advance_slices() == "wait"
                self.note("import", began)
            elif self._preview.there and (done := self._advance_preview()) is not None:
                waits = done == "wait"
                self.note("preview", began)
            elif self.engine.scene_work:
                waits = False
                self._begin(self.engine.scene_work.popleft())
                self.note("begin", began)
            else:
                return
            if waits and not self._message:
                return
            if waits:  # a change that somebody looks at is worth the wait for its thread, within the tick
                time.sleep(0.0005)

    def _begin(self, effect: SceneEffect) -> None:
        match effect:
            case BeginPreview():
                self.began = time.monotonic()
                self._preview.begin(effect)
            case ShowFrame():
                overtaken = any(isinstance(later, ImportTake) for later in self.engine.scene_work)
                if not overtaken:
                    self._preview.feed(effect)
            case ShowPeople():
                from .people import show_people

                show_people(effect.arrays)
                redraw()
            case ShowLive():
                from . import following

                following.answered(effect)
            case ImportTake():
                self._preview.close()
                self._end_slices()
                if effect.request.kind == "refine":
                    self._start_refined(effect)
                else:
                    self._start_import(effect)
            case DropPreview():
                self._preview.drop(effect.job_id)
                if self._import is not None and self._import.job_id == effect.job_id:
                    self._end_slices()

    def _finish_step(self) -> None:
        """Blender copies the scene for its undo, tens of milliseconds for a long clip: in a tick of its own."""
        assert self._after is not None
        step, self._after = self._after, None
        began = time.perf_counter()
        bpy.ops.ed.undo_push(message=step.message)
        self.note("undo step", began)
        step.then()

    def _advance_preview(self) -> object:
        try:
            done = self._preview.advance()
        except Exception as error:  # a preview is a courtesy: the result comes all the same
            log(error)
            self._preview.close()
            return None
        self.longest["follow"] = max(self.longest.get("follow", 0.0), self._preview.follow_took)
        return done

    # Work in slices: the import of a take, the change to another hypothesis

    def _start_import(self, effect: ImportTake) -> None:
        from .scene.importer import iter_import

        def done(objects: Any) -> None:
            self._imported(effect, objects)

        def failed(problem: Problem) -> None:
            self.engine.dispatch(ImportFailed(effect.job_id, problem))

        take, start = Path(effect.take), effect.request.start_frame
        self._import = effect
        self._slices = iter_import(take, start, effect.complete, bpy.context.scene, preferences.shape_key_limit())
        self._done, self._failed = done, failed

    def _start_refined(self, effect: ImportTake) -> None:
        """The clip follows the new version of its take."""
        from .scene.refined import iter_follow

        def done(_: Any) -> None:
            self._after = _UndoStep(
                f"HMDiff {effect.request.label}".strip(),
                lambda: self.engine.dispatch(Imported(effect.job_id)),
                lambda: self._start_refined(effect),
            )

        def failed(problem: Problem) -> None:
            self.engine.dispatch(ImportFailed(effect.job_id, problem))

        self._import, self._message = effect, f"HMDiff {effect.request.label}"
        self._slices = iter_follow(effect.request.clip, Path(effect.take))
        self._done, self._failed = done, failed

    def show_hypothesis(self, root: Any, hypothesis: int) -> None:
        from .scene.shown import iter_show

        def done(_: Any) -> None:
            words = "estimate" if hypothesis < 0 else f"hypothesis {hypothesis + 1}"
            self._after = _UndoStep(f"HMDiff show {words}", redraw, redraw)

        def failed(problem: Problem) -> None:
            self.notice = problem
            redraw()

        self._end_slices()
        self._slices, self._done, self._failed = iter_show(root, hypothesis), done, failed

    def change(
        self, slices: Generator[object, None, Any], message: str, settle: float = 0.0,
        wanted: tuple[str, Edits] | None = None,
    ) -> None:  # fmt: skip
        """Change a clip in slices; one undo step of this name, ``settle`` seconds after the last of that name.
        wanted: the clip's uuid and the edits it will have."""

        def done(_: Any) -> None:
            self._after = _UndoStep(message, redraw, redraw, time.monotonic() + settle)
            redraw()

        def failed(problem: Problem) -> None:
            self.notice = problem
            redraw()

        if not self.is_about(message):
            self.finish_change()
        self._after = None
        self._end_slices()
        self._message, self.wanted = message, wanted
        self._slices, self._done, self._failed = slices, done, failed

    def finish_change(self) -> None:
        """Do the rest of a change at once, so that the next one has its own undo step and builds on it."""
        while self._slices is not None and self._message and self._import is None:
            if self._advance_slices() == "wait":
                time.sleep(0.0005)
        if self._after is not None:
            self._finish_step()

    def is_about(self, message: str) -> bool:
        """A change of this name is going on, or waits to become an undo step."""
        going_on = self._slices is not None and self._message == message
        return going_on or (self._after is not None and self._after.message == message)

    @property
    def importing(self) -> bool:
        return self._import is not None

    def _advance_slices(self) -> object:
        assert self._slices is not None
        done, failed = self._done, self._failed
        try:
            return next(self._slices)
        except StopIteration as finished:
            self._end_slices()
            done(finished.value)
        except HmdiffError as error:
            self._end_slices()
            failed(Problem.from_error(error))
        except Exception as error:
            self._end_slices()
            log(error)
            failed(
                Problem(
                    "scene.failed", "The result could not be put into the scene.",
                    "It is kept on disk: try Import Take, and report this with Copy Report.", repr(error),
                )
            )  # fmt: skip
        return None

    def _imported(self, effect: ImportTake, objects: Any) -> None:
        from .scene import naming
        from .scene.clips import select_clip

        self._finished_clips.add(objects.root[naming.CLIP])
        select_clip(objects.root)
        self._after = _UndoStep(
            f"HMDiff {effect.request.label}".strip(),
            lambda: self.engine.dispatch(Imported(effect.job_id)),
            lambda: self._start_import(effect),
        )

    def _end_slices(self) -> None:
        if self._slices is not None:
            self._slices.close()
        self._slices, self._import, self._message, self.wanted = None, None, "", None

    # What happens to Blender's data from outside

    def interrupt(self) -> None:
        """Undo, redo or a new file comes: nothing of ours may go on with data that is about to be exchanged."""
        self._preview.interrupt()
        if self._slices is not None:
            self._slices.close()
        if self._import is None:
            self._slices, self._message, self.wanted = None, "", None  # half a change is not worth going on with

    def after_undo(self) -> None:
        """Go on where we were; previews of finished clips that an undo has brought back are of no use to anybody."""
        from .scene.importer import remove_objects
        from .scene.preview import preview_objects

        for clip in self._finished_clips:
            remove_objects(preview_objects(clip))
        if self._after is not None:
            step, self._after = self._after, None
            step.again()
        elif self._import is not None and self._import.request.kind == "refine":
            self._start_refined(self._import)
        elif self._import is not None:
            self._start_import(self._import)

    def close(self) -> None:
        """Leave off; what is in the scene and on disk stays."""
        self.interrupt()
        self._preview.close()
        self._end_slices()
        self._finished_clips.clear()
        self._after = None


def redraw() -> None:
    """Let the sidebars be drawn again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def log(error: Exception) -> None:
    print("HMDiff:", "".join(traceback.format_exception(error)), flush=True)
