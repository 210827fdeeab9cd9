"""What Blender tells us: files open and close, undo and redo exchange all data."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import corrections, following, session, working
from .scene import opened


@persistent
def _before_load(*_: Any) -> None:
    working.close()
    opened.forget()
    corrections.forget()
    following.forget()
    if session.exists():
        session.get().file_closing()


@persistent
def _before_undo(*_: Any) -> None:
    if session.exists():
        session.get().work.interrupt()


@persistent
def _after_undo(*_: Any) -> None:
    if session.exists():
        session.get().work.after_undo()
        session.play_anew()
        session.wake()


_HANDLERS = (
    ("load_pre", _before_load), ("undo_pre", _before_undo), ("redo_pre", _before_undo), ("undo_post", _after_undo),
    ("redo_post", _after_undo),
)  # fmt: skip


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in _HANDLERS:
        found = getattr(bpy.app.handlers, name)
        if handler in found:
            found.remove(handler)
