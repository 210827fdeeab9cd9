"""Working a batch off: one clip after another, the file written after each step, so that nothing done is ever lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmdiff_wire.batch import Batch, Entry, changed, retried, write_batch
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import read_take

from ..server.failures import as_error
from ..server.jobs import nobody
from ..server.options import run_options
from ..video.animate import OnProgress, run
from ..video.outputs import write_output
from .quality import take_quality

STOPPING = ("disk.full", "install.incomplete", "detector.missing")
"""What would befall the clips after it too."""


@dataclass(frozen=True)
class Orders:
    """file: of the batch; out: folder for outputs; endings: outputs of each clip besides its take; device; blender:
    program for some endings.
    """

    file: Path
    out: Path
    endings: tuple[str, ...] = ()
    device: str = "auto"
    blender: str | None = None


def again(batch: Batch) -> Batch:
    """For ``--resume``: whatever is not done is to be done."""
    for entry in batch.entries:
        if entry.state == "running":
            batch = changed(batch, entry.id, state="waiting")
        batch = retried(batch, entry.id)
    return batch


def work_off(
    batch: Batch, orders: Orders, before: Callable[[Entry, int, int], OnProgress],
    after: Callable[[Entry], None],
) -> Batch:  # fmt: skip
    """Every waiting clip, until none is left or one meets what the others would meet as well.

    before: told (entry, its place, how many) and gives what to tell of its progress; after: told how it ended. A
    KeyboardInterrupt ends it, with the clip it was at marked ``stopped``.
    """
    total = len(batch.entries)
    while (entry := batch.next_waiting) is not None:
        place = [one.id for one in batch.entries].index(entry.id) + 1
        batch = _keep(orders, changed(batch, entry.id, state="running"))
        began = time.monotonic()
        stopped: BaseException | None = None
        changes: dict[str, Any]
        try:
            changes = _one(entry, orders, before(entry, place, total))
        except KeyboardInterrupt as interrupt:
            changes, stopped = {"state": "stopped"}, interrupt
        except Exception as error:
            told = as_error(error, Path(entry.take))
            changes = {"state": "failed", "problem": told.to_dict()}
        spent = entry.seconds + time.monotonic() - began
        batch = _keep(orders, changed(batch, entry.id, seconds=round(spent, 2), **changes))
        ended = batch.find(entry.id)
        if ended is not None:
            after(ended)
        if stopped is not None:
            raise stopped
        if ended is not None and ended.problem and ended.problem.get("kind") in STOPPING:
            break
    return batch


def _one(entry: Entry, orders: Orders, on_progress: OnProgress) -> dict[str, Any]:
    source, folder = Path(entry.source), Path(entry.take)
    options = run_options(entry.options, orders.device)
    result = run(source, options, folder, on_progress, resume=entry.begun)
    if not result.people:
        raise nobody(source)
    take = read_take(folder)
    for ending in orders.endings:
        if entry.kind == "pose" and ending == ".mp4":
            ending = ".png"
        write_output(take, source, orders.out / f"{folder.stem}{ending}", lambda *_: None, blender=orders.blender)
    return {"state": "done", "problem": None, "quality": take_quality(take)}


def _keep(orders: Orders, batch: Batch) -> Batch:
    try:
        write_batch(orders.file, batch)
    except OSError as error:
        told = as_error(error, orders.file.parent)
        if told.kind == "disk.full":
            raise told from error
        raise HmdiffError(
            "output.not_writable", f"{orders.file} cannot be written.", "Choose another folder after -o.", repr(error)
        ) from error
    return batch
