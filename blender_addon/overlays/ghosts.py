"""Other hypotheses of the current frame as translucent bodies, and what is known of each; drawn, never in the scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import at_depth_of, rest_shape, skin
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ..scene import clips, naming, opened, stored_edits
from ..scene.axes import world_from_camera
from ..scene.body import TINTS
from ..scene.clock import Clock, clock_of
from ..scene.place import chosen_track, place_at
from .latest import Latest, redraw_views

Array = NDArray[np.floating[Any]]

MOST = 24


@dataclass(frozen=True, eq=False)
class Ghosts:
    """Of one frame of one person. order: hypotheses, the best score first; score (N,) mm that each is expected to be
    better than the usual one of the frame, NaN where unknown; shapes: {hypothesis: (V,3)} in the root's space."""

    clip: str
    track: int
    position: int
    frame: int
    order: tuple[int, ...]
    score: Array
    shapes: dict[int, Array]
    faces: NDArray[np.integer]

    def rank(self, hypothesis: int) -> int:
        """1 for the best; 0 for one that is not there."""
        return self.order.index(hypothesis) + 1 if hypothesis in self.order else 0


_latest: Latest[Ghosts | None] = Latest(redraw_views)
_batches: dict[int, Any] = {}
_batches_of: list[Any] = [None]
_handle: Any = None


def current() -> Ghosts | None:
    """What is shown; None while nothing is."""
    return _latest.value


def wait() -> Ghosts | None:
    return _latest.wait()


def show() -> None:
    """Begin to draw, and ask for the current frame."""
    global _handle
    if _handle is None and not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")
    refresh()


def hide() -> None:
    global _handle
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None
    _latest.forget()
    _batches.clear()
    redraw_views()


def refresh() -> None:
    """Ask for the current frame of the chosen person; cheap, for every frame change and redraw."""
    context = bpy.context
    root = clips.chosen_root(context)
    if root is None or clips.info(root).running:
        _latest.forget()
        return
    edits, track = stored_edits.edits_of(root), chosen_track(context, root)
    try:
        folder = opened.folder_of(root, edits.version)
    except HmdiffError:
        _latest.forget()
        return
    asked = _Asked(
        root[naming.CLIP], folder, track, context.scene.frame_current_final, clock_of(root),
        edits.of(track).betas if track is not None else None,
    )  # fmt: skip
    _latest.ask(asked, lambda: _compute(asked))


@dataclass(frozen=True)
class _Asked:
    clip: str
    folder: Path
    track: int | None
    frame: float
    clock: Clock
    betas: tuple[float, ...] | None


def _compute(asked: _Asked) -> Ghosts | None:
    take = opened.read_here(asked.folder)
    place = place_at(take, asked.clock.frame_map(take), asked.track, asked.frame)
    if place is None or not take.n_hypotheses:
        return None
    at = [place.position]
    pose, transl = (take.read(f"hypotheses_{name}", place.person, at)[0] for name in ("pose", "transl"))
    score = take.read("hypotheses_score", place.person, at)[0]
    there = np.flatnonzero(np.isfinite(pose).all(1) & np.isfinite(transl).all(1))
    order = sorted(there.tolist(), key=lambda k: -score[k] if np.isfinite(score[k]) else np.inf)
    betas = np.asarray(take.betas[place.person] if asked.betas is None else asked.betas, np.float32)
    estimate = take.read("transl", place.person, at)
    transl = at_depth_of(transl, np.repeat(estimate, len(transl), 0), rest_shape(take.body, betas)[1][0])
    world = world_from_camera(np.asarray(take.header.up)).astype(np.float32)
    drawn = order[:MOST]
    shapes = skin(take.body, betas, pose[drawn], transl[drawn])[0] @ world.T if drawn else []
    return Ghosts(
        asked.clip, place.track, place.position, place.frame, tuple(order), score,
        dict(zip(drawn, shapes, strict=True)), take.body.faces,
    )  # fmt: skip


def _draw() -> None:
    from . import paint

    refresh()
    ghosts = current()
    if ghosts is None:
        return
    root = next((item for item in clips.roots() if item[naming.CLIP] == ghosts.clip), None)
    if root is None:
        return
    if _batches_of[0] is not ghosts:
        matrix = np.array(root.matrix_world, np.float32)
        _batches.clear()
        for hypothesis, shape in ghosts.shapes.items():
            _batches[hypothesis] = paint.body_batch(shape @ matrix[:3, :3].T + matrix[:3, 3], ghosts.faces)
        _batches_of[0] = ghosts
    candidate = bpy.context.window_manager.hmdiff_work.candidate
    for hypothesis, batch in _batches.items():
        chosen = hypothesis == candidate
        colour = (*TINTS[hypothesis % len(TINTS)], 0.9 if chosen else 0.4)
        paint.draw_body(batch, colour, 0.45 if chosen else 0.08, bpy.context.region_data)
