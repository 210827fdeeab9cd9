"""The sliders that act on the chosen clip: what they show is the clip's, what they are set to becomes an edit of it.

They belong to the window manager, which is no part of undo; the change of the clip is one undo step, when they rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError

from . import session
from .core.state import Problem
from .edits.record import SHAPE_COUNT, Edits
from .scene import clips
from .scene.body_shape import betas_of
from .scene.place import chosen_track

SETTLE_SECONDS = 0.4


def root_of_sliders() -> Any | None:
    root = clips.chosen_root(bpy.context)
    return None if root is None or clips.info(root).running else root


def getter(name: str) -> Callable[[Any], Any]:
    def get(_: Any) -> Any:
        root = root_of_sliders()
        return getattr(session.edits_now(root) if root is not None else Edits(), name)

    return get


def setter(name: str, words: str) -> Callable[[Any, Any], None]:
    def set_(_: Any, value: Any) -> None:
        root = root_of_sliders()
        if root is not None:
            _change(root, replace(session.edits_now(root), **{name: value}), words)

    return set_


def get_betas(_: Any) -> tuple[float, ...]:
    root = root_of_sliders()
    if root is None:
        return (0.0,) * SHAPE_COUNT
    track = chosen_track(bpy.context, root)
    own = session.edits_now(root).of(track).betas if track is not None else None
    return own if own is not None else betas_of(root, track)


def set_betas(_: Any, values: Any) -> None:
    root = root_of_sliders()
    track = chosen_track(bpy.context, root) if root is not None else None
    if root is None or track is None:
        return
    edits = session.edits_now(root)
    person = replace(edits.of(track), betas=tuple(float(value) for value in values))
    _change(root, edits.with_person(track, person), "body shape")


def _change(root: Any, edits: Edits, words: str) -> None:
    """A slider cannot report what is wrong; the panel does."""
    if session.is_importing():
        return
    try:
        session.edit_clip(root, edits, f"HMDiff {words}", SETTLE_SECONDS)
    except HmdiffError as error:
        session.say(Problem.from_error(error))
