"""The body as it would be where a dragged joint is now, as a ghost over the footage; drawn, never in the scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import skin
from numpy.typing import NDArray

from ..scene import opened
from ..scene.axes import world_from_camera
from .latest import Latest, redraw_views

Array = NDArray[np.floating[Any]]

COLOUR = (1.0, 0.95, 0.3, 0.85)
"""Of what is on its way, as the joint that is dragged."""
INSIDE = 0.6


@dataclass(frozen=True, eq=False)
class Subject:
    """Whose ghost it is. drag: its id; folder: of the version that was asked about; track: of the person; frame: of the
    scene; betas: the body shape of the clip, None for the take's; matrix (4,4): of the clip's root."""

    drag: str
    folder: Path
    track: int
    frame: float
    betas: tuple[float, ...] | None
    matrix: Array


@dataclass(frozen=True, eq=False)
class Ghost:
    """vertices (V,3) in the world, faces (T,3)."""

    subject: Subject
    vertices: Array
    faces: NDArray[np.integer]


_latest: Latest[Ghost | None] = Latest(redraw_views)
_drags: set[str] = set()
"""Those whose answers may be drawn."""
_batch: list[Any] = [None, None]
"""The ghost it was made of, and the batch."""
_handle: Any = None


def current() -> Ghost | None:
    """What is shown in the frame that is looked at."""
    ghost = _latest.value
    if ghost is None or ghost.subject.drag not in _drags or ghost.subject.frame != _frame():
        return None
    return ghost


def wait() -> Ghost | None:
    _latest.wait()
    return current()


def begin(drag: str) -> None:
    """From now on answers to this drag are drawn."""
    global _handle
    _drags.add(drag)
    if _handle is None and not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def feed(subject: Subject, answer: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """An answer to a drag; arrays: as in ShowLive. Late ones, of a drag that is over, are passed over."""
    if subject.drag in _drags:
        _latest.ask(answer, lambda: _compute(subject, arrays))


def drop(drag: str) -> None:
    """Nothing of this drag is drawn any more."""
    global _handle
    if drag not in _drags:
        return
    _drags.discard(drag)
    if not _drags:
        _latest.forget()
        _batch[:] = [None, None]
        if _handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
            _handle = None
    redraw_views()


def _frame() -> float:
    return bpy.context.scene.frame_current_final


def _compute(subject: Subject, arrays: Mapping[str, NDArray[Any]]) -> Ghost | None:
    rows = np.flatnonzero(arrays["track_id"] == subject.track)
    if not len(rows):
        return None
    take, row = opened.read_here(subject.folder), int(rows[0])
    vertices = arrays["vertices"][row]
    if subject.betas is not None:  # the take's body shape is not the one that the clip shows
        betas = np.asarray(subject.betas, np.float32)
        vertices = skin(take.body, betas, arrays["pose"][row], arrays["transl"][row])[0][0]
    turn = subject.matrix[:3, :3] @ world_from_camera(np.asarray(take.header.up))
    placed = vertices @ turn.T.astype(np.float32) + subject.matrix[:3, 3].astype(np.float32)
    return Ghost(subject, placed, take.body.faces)


def _draw() -> None:
    from . import paint

    ghost = current()
    if ghost is None:
        return
    if _batch[0] is not ghost:
        _batch[:] = [ghost, paint.body_batch(ghost.vertices, ghost.faces)]
    paint.draw_body(_batch[1], COLOUR, INSIDE, bpy.context.region_data, over=True)
