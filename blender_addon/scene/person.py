"""One person of a take, cut to the frames in which there is a pose, in Blender's terms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from hmdiff_wire.body import BodyData, skin
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from .timing import FrameMap

Array = NDArray[np.floating[Any]]

AT_ONCE = 8


@dataclass(frozen=True)
class PersonMotion:
    """n keyed poses of one body shape. betas (10,), frames (n,) scene frames, pose (n,72), transl (n,3) camera frame.

    all_frames (F,) are the scene frames of the whole clip, present (F,) tells which of them are keyed.
    """

    track_id: int
    body: BodyData
    betas: Array
    frames: Array
    pose: Array
    transl: Array
    all_frames: Array
    present: NDArray[np.bool_]
    frame_map: FrameMap

    def shapes(self, world: Array) -> Iterator[Array]:
        """The n posed meshes (V,3) in Blender's world, a few at a time: memory stays flat however long the clip is."""
        turn = world.T.astype(np.float32)
        # The first alone, since who asks for it may be waiting in Blender's main thread.
        starts = [0, *range(1, len(self.pose), AT_ONCE)]
        for first, end in zip(starts, [*starts[1:], len(self.pose)], strict=True):
            some = slice(first, end)
            yield from skin(self.body, self.betas, self.pose[some], self.transl[some])[0] @ turn


def person_motion(take: Take, person: int, frame_map: FrameMap, hypothesis: int | None = None) -> PersonMotion:
    """The estimate, or one hypothesis, of person 0..P-1.

    One shape holds for the whole clip (the track's, or the median of its rows), so that mesh and bones cannot disagree.
    """
    if hypothesis is None:
        pose, transl = take.read("pose", person), take.read("transl", person)
    else:
        pose = take.read("hypotheses_pose", person)[:, hypothesis]
        transl = take.read("hypotheses_transl", person)[:, hypothesis]
    present = take.valid[person] & np.isfinite(pose).all(1) & np.isfinite(transl).all(1)
    frames = frame_map.frames(take.times)
    return PersonMotion(
        int(take.track_ids[person]), take.body, take.betas[person], frames[present], pose[present], transl[present],
        frames, present, frame_map,
    )  # fmt: skip
