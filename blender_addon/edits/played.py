"""The motion that a clip plays: the take's, changed as the artist's edits say. The order is what each step relies on:

picks (which hypothesis) -> smoothing, but for corrected frames -> floor and feet -> locked frames, which nothing moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hmdiff_wire.body import at_depth_of, rest_shape
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from .feet import Ground, grounded
from .record import Edits
from .sequence import Poses, held, with_locks, with_picks
from .smoothing import smoothed

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Played:
    """present (F,): which of the take's frames have a pose; pose (F,72), transl (F,3), NaN elsewhere; betas (10,)."""

    poses: Poses
    betas: Array
    present: NDArray[np.bool_]


def played(take: Take, person: int, edits: Edits, floor: float, raw: Take | None = None) -> Played:
    """person: 0..P-1 of the take; floor: height of the floor over the camera along the take's up, metres; raw: the same
    take with ``raw=True``, for edits that ask for the unsmoothed motion.
    """
    own = edits.of(int(take.track_ids[person]))
    betas = np.asarray(take.betas[person] if own.betas is None else own.betas, np.float32)
    source = raw if edits.unsmoothed and raw is not None else take
    estimate = Poses(source.read("pose", person).astype(np.float64), source.read("transl", person).astype(np.float64))
    # A frame that only the smoothed motion covers (it fills short gaps) keeps that motion.
    estimate = _filled(estimate, take, person)
    present = take.valid[person] & estimate.known

    root = rest_shape(take.body, betas)[1][0].astype(np.float64)

    def hypothesis(index: int) -> Poses:
        if not 0 <= index < take.n_hypotheses:
            return estimate
        pose = take.read("hypotheses_pose", person)[:, index].astype(np.float64)
        transl = take.read("hypotheses_transl", person)[:, index].astype(np.float64)
        return Poses(pose, at_depth_of(transl, estimate.transl, root))

    frames = take.frame_indices.astype(np.float64)
    motion = with_picks(estimate, frames, own.picks, hypothesis)
    sharp, motion = motion, smoothed(motion, take.times, edits.smooth)
    if edits.keep_corrected and edits.smooth > 0:
        motion = with_locks(motion, frames, held(sharp, frames, take.times, own, edits.smooth))
    ground = Ground(_unit(np.asarray(take.header.up, np.float64)), floor)
    motion = grounded(take.body, betas, motion, take.times, ground, edits.feet, edits.floor)
    motion = with_locks(motion, frames, own.locks)
    return Played(motion, betas, present)


def _filled(estimate: Poses, take: Take, person: int) -> Poses:
    missing = take.valid[person] & ~estimate.known
    if not missing.any():
        return estimate
    pose, transl = estimate.pose.copy(), estimate.transl.copy()
    at = np.flatnonzero(missing)
    pose[at], transl[at] = take.read("pose", person, at), take.read("transl", person, at)
    return Poses(pose, transl)


def _unit(vector: Array) -> Array:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-6 else np.array([0.0, -1.0, 0.0])
