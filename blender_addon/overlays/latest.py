"""Answers for drawing, computed in a thread: the newest question wins, and what is drawn meanwhile is the last answer.

A frame change or a redraw asks and goes on at once; a timer looks for the answer and lets the view be drawn again.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import bpy

T = TypeVar("T")
LOOK_SECONDS = 0.02


def redraw_views() -> None:
    """Let every 3D view be drawn again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


class Latest(Generic[T]):
    """key and value: of the newest answer; value is None before the first and where computing it failed."""

    def __init__(self, ready: Callable[[], None]) -> None:
        self.key: Hashable = None
        self.value: T | None = None
        self._ready = ready
        self._asked: Hashable = None
        self._thread: threading.Thread | None = None
        self._next: tuple[Hashable, Callable[[], T]] | None = None
        self._found: tuple[Hashable, T | None] | None = None

    def ask(self, key: Hashable, work: Callable[[], T]) -> None:
        """work: no bpy in it. Nothing happens where the newest question is this one already."""
        if key == self._asked:
            return
        self._asked, self._next = key, (key, work)
        self._go_on()
        if not bpy.app.background and not bpy.app.timers.is_registered(self._look):
            bpy.app.timers.register(self._look, first_interval=LOOK_SECONDS)

    def forget(self) -> None:
        self.key = self.value = self._asked = self._next = self._found = None

    def wait(self) -> T | None:
        """The answer to the newest question, for programs without a window."""
        while self._thread is not None or self._next is not None:
            if self._thread is not None:
                self._thread.join()
            self._take()
        return self.value

    def _go_on(self) -> None:
        if self._thread is None and self._next is not None:
            key, work = self._next
            self._next = None
            self._thread = threading.Thread(target=self._run, args=(key, work), name="hmdiff overlay", daemon=True)
            self._thread.start()

    def _run(self, key: Hashable, work: Callable[[], T]) -> None:
        try:
            self._found = key, work()
        except Exception as error:
            print("HMDiff:", "".join(traceback.format_exception(error)), flush=True)
            self._found = key, None

    def _take(self) -> bool:
        if self._thread is None or self._thread.is_alive():
            return False
        self._thread = None
        found, self._found = self._found, None
        if found is not None and self._asked is not None:
            self.key, self.value = found
            self._ready()
        self._go_on()
        return True

    def _look(self) -> float | None:
        self._take()
        return LOOK_SECONDS if self._thread is not None else None
