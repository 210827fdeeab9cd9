"""The artist's edits on a clip's root: what is wanted, and what the clip's bodies show by now."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..edits.record import Edits

WANTED, APPLIED, PREVIOUS, BEFORE = "hmdiff_edits", "hmdiff_applied", "hmdiff_previous", "hmdiff_before"
UNFINISHED = "unfinished"


def edits_of(root: Any) -> Edits:
    """What the artist wants of this clip. For panels too: parsed once per text."""
    return _parsed(str(root.get(WANTED, "")))


def applied_to(root: Any) -> Edits | None:
    """The edits that all frames show; None where a change was cut short."""
    stored = str(root.get(APPLIED, ""))
    return None if stored == UNFINISHED else _parsed(stored)


def is_stale(root: Any) -> bool:
    """Whether the bodies do not show what is wanted (Blender ended in the middle of a change)."""
    return str(root.get(WANTED, "")) != str(root.get(APPLIED, ""))


def remember(root: Any) -> None:
    """A change begins: what the clip plays now is what it was before."""
    if str(root.get(APPLIED, "")) != UNFINISHED:
        root[PREVIOUS] = str(root.get(APPLIED, ""))


def begin(root: Any, edits: Edits, before: bool = False) -> None:
    """before: this is the state before the last change, to look at; ``previous_of`` is then the one after it."""
    root[BEFORE] = before
    root[WANTED], root[APPLIED] = edits.to_json(), UNFINISHED


def previous_of(root: Any) -> Edits | None:
    """What the clip played before its last change; None where there was none."""
    return _parsed(str(root[PREVIOUS])) if PREVIOUS in root else None


def shows_before(root: Any) -> bool:
    return bool(root.get(BEFORE, False))


def mark_unfinished(root: Any) -> None:
    """The bodies do not show what is wanted."""
    root[APPLIED] = UNFINISHED


def finish(root: Any) -> None:
    root[APPLIED] = root[WANTED]


@lru_cache(maxsize=32)
def _parsed(text: str) -> Edits:
    return Edits.from_json(text)
