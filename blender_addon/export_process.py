"""The export that goes on in a second Blender, so that this one's window stays free: begun, followed, cancelled."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import hmdiff_wire
from bpy.app.handlers import persistent
from hmdiff_wire.errors import HmdiffError

from .core.export_child import ORDER, ExportChild
from .core.export_rules import Order, Progress, command, written_words
from .core.state import Problem
from .scene.export_run import ADDONS
from .scene_work import redraw

_child = ExportChild()
_shown = Progress()
_result = ""
_run_texts: set[int] = set()
"""Text blocks that Blender ran, or would not run, when it opened the file."""


def possible() -> bool:
    """There is a Blender to start, and a window to keep free."""
    return bool(bpy.app.binary_path) and not bpy.app.background


def busy() -> bool:
    return _child.running


def progress() -> Progress:
    return _child.progress


def name() -> str:
    """Of the file that is being written."""
    return _child.order.target.name if _child.order is not None else ""


def result() -> str:
    """What the last export came to, "" where there was none or it failed."""
    return _result


def start(order: Order) -> None:
    """Save a copy of the file and let a second Blender carry out the order with it.

    Errors: ``export.busy``, ``export.no_copy``, ``export.no_blender``.
    """
    global _result
    if _child.running:
        raise HmdiffError("export.busy", f"{name()} is still being exported.", "Wait for it, or cancel it first.")
    folder = Path(tempfile.mkdtemp(prefix="hmdiff-export-", dir=bpy.app.tempdir or None))
    blend = folder / "copy.blend"
    order = replace(
        order, blend=str(blend), folder=os.path.dirname(bpy.data.filepath), scripts=not bpy.app.autoexec_fail,
        addons=tuple(name for name in ADDONS if name in bpy.context.preferences.addons),
    )  # fmt: skip
    try:
        _save_copy(blend)
        (folder / ORDER).write_text(order.to_json(), encoding="utf-8")
    except (RuntimeError, OSError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise HmdiffError(
            "export.no_copy", "A copy of the file could not be saved for the export.",
            f"Make room on the disk of {folder.parent}.", str(error),
        ) from error  # fmt: skip
    _result = ""
    _child.start(_command(folder / ORDER), order, folder)


def step() -> Problem | None:
    """What one tick of the add-on does for it; why it failed, once."""
    global _shown, _result
    ended = _child.poll()
    if ended and _child.written:
        _result = written_words(_child.written)
    if ended or _child.progress != _shown:
        _shown = _child.progress
        redraw()
    return _child.problem if ended else None


def cancel() -> None:
    """The panel's button: at once, and nothing is left of it."""
    _child.stop()
    redraw()


def _command(order: Path) -> list[str]:
    script = Path(__file__).with_name("__main__.py")
    return command(bpy.app.binary_path, script, Path(str(hmdiff_wire.__file__)).resolve().parent, order)


def _save_copy(path: Path) -> None:
    """The file as it is now; name, recent files and "unsaved changes" stay. Errors: RuntimeError, OSError."""
    with _unrun_texts_asleep(), _no_thumbnail():
        bpy.ops.wm.save_as_mainfile(
            "EXEC_DEFAULT", filepath=str(path), copy=True, relative_remap=True, compress=False, check_existing=False
        )


@contextmanager
def _unrun_texts_asleep() -> Iterator[None]:
    """Scripts that came into the file since it was opened have not run here, so they must not run there."""
    asleep = [text for text in bpy.data.texts if text.use_module and text.session_uid not in _run_texts]
    try:
        for text in asleep:
            text.use_module = False
        yield
    finally:
        for text in asleep:
            text.use_module = True


@contextmanager
def _no_thumbnail() -> Iterator[None]:
    """The picture that a .blend carries costs up to 0.3 s more where there is no graphics card (measured)."""
    preferences = bpy.context.preferences
    before, changed = preferences.filepaths.file_preview_type, preferences.is_dirty
    try:
        preferences.filepaths.file_preview_type = "NONE"
        yield
    finally:
        preferences.filepaths.file_preview_type = before
        preferences.is_dirty = changed


@persistent
def _opened(*_: Any) -> None:
    _run_texts.clear()
    _run_texts.update(text.session_uid for text in bpy.data.texts if text.use_module)


def register() -> None:
    bpy.app.handlers.load_post.append(_opened)


def unregister() -> None:
    """Blender closes or the add-on is switched off."""
    bpy.app.handlers.load_post.remove(_opened)
    _run_texts.clear()
    _child.stop()
