"""The body follows while a joint is dragged: what the backend is asked meanwhile, and how long its answer is shown.

Nothing of it is in the .blend. The correction that is asked for when the joint is let go is another matter
(``corrections``); the ghost stays until the real body has followed that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.errors import HmdiffError

from . import corrections, preferences, request, session
from .core.effects import ShowLive
from .core.events import DragEnded, DragMoved
from .overlays import followed
from .scene import naming, stored_edits
from .scene.opened import folder_of


@dataclass(frozen=True, eq=False)
class _Drag:
    """root: by name, since undo exchanges objects; key: of the joint that is dragged; scene_frame: where it is."""

    id: str
    root: str
    clip: str
    key: corrections.Key
    scene_frame: float


_drag: _Drag | None = None
_released: _Drag | None = None


def begin(context: Any, root: Any, frame: int, track: int, joint: str) -> None:
    """A joint is taken hold of. frame: of the source; joint: as in an edit."""
    global _drag
    end(kept=False)
    if not preferences.follows_drags() or not session.exists():
        return
    scene_frame = context.scene.frame_current_final
    _drag = _Drag(request.new_id(), root.name, root[naming.CLIP], (frame, track, joint), scene_frame)
    followed.begin(_drag.id)


def moved(edit: Mapping[str, Any]) -> None:
    """It is here now; edit: as the correction would send it."""
    root = _root(_drag)
    if _drag is None or root is None:
        return
    frame, track, _ = _drag.key
    edits = {key: one for key, one in corrections.pending(_drag.clip).items() if key[:2] == (frame, track)}
    edits[_drag.key] = edit
    options = {
        "edits": list(edits.values()), "frame_range": [frame, frame + 1], "track_ids": [track], "spread": 0,
        "write": False, "quality": "live", "vertices": True,
    }  # fmt: skip
    try:
        asked = request.for_refine(root, options, "")
    except HmdiffError:
        return  # the correction will tell
    session.drag(DragMoved(_drag.id, asked.source, asked.options))


def answered(effect: ShowLive) -> None:
    """The backend says where the body would be."""
    root = _root(_drag)
    if _drag is None or root is None or effect.drag != _drag.id:
        return
    edits = stored_edits.edits_of(root)
    try:
        folder = folder_of(root, edits.version)
    except HmdiffError:
        return
    subject = followed.Subject(
        _drag.id, folder, _drag.key[1], _drag.scene_frame, edits.of(_drag.key[1]).betas, np.array(root.matrix_world)
    )
    followed.feed(subject, effect.job_id, effect.arrays)


def end(kept: bool) -> None:
    """It is let go. kept: where it is now is asked for as a correction; else the drag leaves no trace."""
    global _drag, _released
    if _drag is None:
        return
    drag, _drag = _drag, None
    if session.exists():
        session.drag(DragEnded(drag.id))
    if not kept:
        followed.drop(drag.id)
        return
    if _released is not None:
        followed.drop(_released.id)
    _released = drag


def settle() -> None:
    """Take the ghost away where the real body has followed, or will not; called by every tick."""
    global _released
    if _released is not None and _released.key not in corrections.pending(_released.clip):
        followed.drop(_released.id)
        _released = None


def forget() -> None:
    """Another file is loaded, or the add-on is switched off."""
    global _released
    end(kept=False)
    if _released is not None:
        followed.drop(_released.id)
        _released = None


def _root(drag: _Drag | None) -> Any | None:
    root = bpy.data.objects.get(drag.root) if drag is not None else None
    return root if root is not None and drag is not None and root.get(naming.CLIP) == drag.clip else None
