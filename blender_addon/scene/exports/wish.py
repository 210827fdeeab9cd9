"""What somebody wants in a file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class What(Enum):
    """RIGGED: bodies that bones move; BODY: vertices that move by themselves; ARMATURE: bones alone."""

    RIGGED = "RIGGED"
    BODY = "BODY"
    ARMATURE = "ARMATURE"


@dataclass(frozen=True)
class Wish:
    """clip: a take's uuid, None for the file's newest clip; what: None for what the format is best at; fps: of the
    file, None for the take's own rate."""

    clip: str | None = None
    what: What | None = None
    fps: float | None = None
