"""What a job function is given and what it gives back; ``jobs.run_job`` is the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class JobRequest:
    """kind: ``pose`` or ``animate``; source: footage, below a root; take: the folder to write; options: the client's,
    as JSON, not yet looked at except for paths; outputs: further files to write; device: of this worker.
    """

    job: str
    kind: str
    source: Path
    take: Path
    options: Mapping[str, Any]
    outputs: tuple[Path, ...]
    device: str


@dataclass(frozen=True)
class JobHooks:
    """on_progress(stage, done, total), total 0 while unknown; on_frame(index, seconds, arrays) as frames finish;
    should_stop is to be asked between batches.
    """

    on_progress: Callable[[str, int, int], None]
    on_frame: Callable[[int, float, Mapping[str, NDArray[Any]]], None]
    should_stop: Callable[[], bool]


@dataclass(frozen=True)
class JobOutcome:
    """frames read; people: track ids; notes: sentences for the user; outputs: files written; cancelled: ended early."""

    frames: int
    people: tuple[int, ...]
    notes: tuple[str, ...] = ()
    outputs: tuple[Path, ...] = ()
    cancelled: bool = False


JobFunction = Callable[[JobRequest, JobHooks], JobOutcome]
