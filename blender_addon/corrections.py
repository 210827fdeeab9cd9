"""Keypoint corrections on their way to the backend: those made while one is being computed go out together after it.

Nothing here is in the .blend: what the backend has answered is in the version of the take that the clip then plays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hmdiff_wire.errors import HmdiffError

from . import request, session
from .core.events import RunAsked
from .core.state import Problem
from .scene import naming

Key = tuple[int, int, str]
"""Frame of the source, track, joint."""


@dataclass
class _Waiting:
    """edits and options of the next job for one clip; sent: the edits the backend works on."""

    edits: dict[Key, Mapping[str, Any]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    sent: dict[Key, Mapping[str, Any]] = field(default_factory=dict)
    job: str = ""


_waiting: dict[str, _Waiting] = {}


def ask(root: Any, edits: list[Mapping[str, Any]], options: Mapping[str, Any], label: str) -> None:
    """Correct a clip soon. edits, options: of a ``refine`` job. Errors: another run is going on, ``take.missing``."""
    job = session.state().active_job
    if job is not None and job.request.kind != "refine":
        raise HmdiffError("job.busy", "A run is going on.", "Correct the clip when it has ended, or cancel it.")
    wish = _waiting.setdefault(root[naming.CLIP], _Waiting())
    wish.edits.update({(int(one["frame"]), int(one["track_id"]), str(one["joint"])): one for one in edits})
    wish.options, wish.label = dict(options), label
    submit_next()
    session.wake()


def submit_next() -> None:
    """Send what waits, if the backend is free; called by every tick."""
    for clip in [clip for clip, wish in _waiting.items() if wish.job and _ended(wish.job)]:
        _waiting[clip].job, _waiting[clip].sent = "", {}
        if not _waiting[clip].label:
            del _waiting[clip]
    if session.state().active_job is not None or session.is_importing():
        return
    for clip, wish in list(_waiting.items()):
        root = next(iter(naming.find("clip", clip)), None)
        if root is None:
            del _waiting[clip]
            continue
        options = {**wish.options, **({"edits": list(wish.edits.values())} if wish.edits else {})}
        try:
            asked = request.for_refine(root, options, wish.label)
        except HmdiffError as error:
            del _waiting[clip]
            session.say(Problem.from_error(error))
            continue
        wish.job, wish.sent = request.new_id(), wish.edits
        wish.edits, wish.options, wish.label = {}, {}, ""
        session.dispatch(RunAsked(asked, wish.job))
        return


def pending(clip: str) -> dict[Key, Mapping[str, Any]]:
    """Edits of a clip that the backend has not answered yet."""
    wish = _waiting.get(clip)
    return {**wish.sent, **wish.edits} if wish is not None else {}


def waits() -> bool:
    return bool(_waiting)


def forget() -> None:
    """Another file is loaded, or the add-on is switched off."""
    _waiting.clear()


def _ended(job_id: str) -> bool:
    job = session.state().job
    return job is None or job.id != job_id or not job.active
