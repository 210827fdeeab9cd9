"""Work beside Blender: short-lived threads that touch files and numpy only, never bpy."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hmdiff_wire.take import Take, read_take

T = TypeVar("T")
WAIT = "wait"
"""What a slice yields when there is nothing to do before another thread or process has got on."""


def read_in_background(folder: Path) -> Generator[object, None, Take]:
    """Yields WAIT until the take, its body included, is read. Errors: those of ``read_take`` and ``load_body``."""

    def read() -> Take:
        take = read_take(folder)
        _ = take.body  # loaded on first use, and that is the slow part
        return take

    return in_background(read)


def in_background(work: Callable[[], T]) -> Generator[object, None, T]:
    """Yields WAIT until ``work`` (no bpy in it) is done in a thread; its result, or what it raised."""
    found: list[T] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="hmdiff work", daemon=True)
    thread.start()
    while thread.is_alive():
        yield WAIT
    if failed:
        raise failed[0]
    return found[0]


def ahead(items: Iterable[T], most: int = 48) -> Generator[T | str, None, None]:
    """``items`` made in a thread, WAIT where the next one is not ready; never more than ``most`` wait to be taken."""
    ready: queue.Queue[T | _End] = queue.Queue(most)
    left = threading.Event()

    def put(item: T | _End) -> None:
        while not left.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def make() -> None:
        try:
            for item in items:
                put(item)
                if left.is_set():
                    return
            put(_End(None))
        except Exception as error:
            put(_End(error))

    threading.Thread(target=make, name="hmdiff ahead", daemon=True).start()
    try:
        while True:
            try:
                item = ready.get_nowait()
            except queue.Empty:
                yield WAIT
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        left.set()


@dataclass(frozen=True)
class _End:
    error: Exception | None
