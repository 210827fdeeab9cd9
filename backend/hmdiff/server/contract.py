"""What a job function is given and what it gives back; ``jobs.run_job`` is the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PushedFrame:
    """A frame that came from the client. index and time (seconds) rise; image (H,W,3) uint8 RGB, upright."""

    index: int
    time: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class JobRequest:
    """kind: ``pose``, ``animate`` or ``people``; source: footage, below a root, or only a name where ``frames`` is
    given; take: the folder to write, not to be touched by ``people``; options: the client's, as JSON, not yet looked
    at except for paths; outputs: further files to write; device: of this worker.

    resume: ``take`` holds what an earlier run left, go on with it. frames: the footage itself, for a job whose client
    pushes it; it ends with the client's last frame or when the job is cancelled (ask ``should_stop``), raises
    HmdiffError ``input.unreadable``, and can be gone through once; stream: {"width", "height", "fps"} of it, checked,
    empty otherwise.
    """

    job: str
    kind: str
    source: Path
    take: Path
    options: Mapping[str, Any]
    outputs: tuple[Path, ...]
    device: str
    resume: bool = False
    frames: Iterator[PushedFrame] | None = None
    stream: Mapping[str, Any] = field(default_factory=dict)


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
WarmUp = Callable[[str, Callable[[], bool]], None]
"""``warm_up(device, should_stop)`` beside a job function: called in an idle worker before its first job."""
