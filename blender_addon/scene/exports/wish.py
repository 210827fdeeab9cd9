"""What somebody wants in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

Told = Callable[[int, int], None]
"""told(frame, frames): that frame of so many, counted from 1, has been read."""


def silent(frame: int, frames: int) -> None:
    """For those who need not be told."""


class What(Enum):
    """RIGGED: bodies that bones move; BODY: vertices that move by themselves; ARMATURE: bones alone."""

    RIGGED = "RIGGED"
    BODY = "BODY"
    ARMATURE = "ARMATURE"


@dataclass(frozen=True)
class Wish:
    """clip: a take's uuid, None for the file's newest clip; what: None for what the format is best at; fps: of the
    file, None for the take's own rate; told: of every frame that has been read."""

    clip: str | None = None
    what: What | None = None
    fps: float | None = None
    told: Told = silent
