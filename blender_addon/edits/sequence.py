"""One motion out of several: picked hypotheses and locked frames, blended into the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import turns
from .record import ESTIMATE, Lock, PersonEdits, Pick

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Poses:
    """pose (n,72) axis-angle, transl (n,3) metres; NaN where there is none."""

    pose: Array
    transl: Array

    @property
    def known(self) -> NDArray[np.bool_]:
        finite = np.isfinite(np.concatenate([self.pose, self.transl], axis=1))
        return np.logical_and.reduce(finite, axis=1)


def weights(frames: Array, first: int, last: int, blend: int) -> Array:
    """1 in first..last, 0 beyond ``blend`` further frames, a smooth step in between; (n,) for frames (n,)."""
    away = np.maximum(np.maximum(first - np.asarray(frames), np.asarray(frames) - last), 0.0)
    rest = np.clip(1.0 - away / (blend + 1.0), 0.0, 1.0)
    return rest * rest * (3.0 - 2.0 * rest)


def mix(under: Poses, over: Poses, weight: Array) -> Poses:
    """``over`` with weight (n,) on ``under``; where ``over`` has no pose, ``under``."""
    weight = np.where(over.known, weight, 0.0)
    at = np.flatnonzero(weight > 0)
    if not len(at):
        return under
    share = weight[at]
    pose, transl = under.pose.copy(), under.transl.copy()
    first = turns.from_axis_angle(under.pose[at].reshape(len(at), -1, 3))
    second = turns.from_axis_angle(over.pose[at].reshape(len(at), -1, 3))
    mixed = turns.to_axis_angle(turns.between(first, second, share[:, None, None])).reshape(len(at), -1)
    whole = share >= 1.0
    pose[at] = np.where(whole[:, None], over.pose[at], mixed)
    transl[at] = under.transl[at] + share[:, None] * (over.transl[at] - under.transl[at])
    return Poses(pose, transl)


def with_picks(estimate: Poses, frames: Array, picks: Iterable[Pick], hypothesis: Callable[[int], Poses]) -> Poses:
    """frames (n,) of the source; hypothesis(k): its poses at the same frames."""
    result = estimate
    for pick in picks:
        over = estimate if pick.hypothesis == ESTIMATE else hypothesis(pick.hypothesis)
        result = mix(result, over, weights(frames, pick.first, pick.last, pick.blend))
    return result


def with_locks(motion: Poses, frames: Array, locks: Iterable[Lock]) -> Poses:
    """Locked frames are exactly as locked; what that changes there fades over their neighbours.

    Each neighbour is turned and moved by the same difference, less with distance, so that its own motion goes on. Of
    two locks the nearer one counts, and between them their differences are mixed by distance.
    """
    frames = np.asarray(frames)
    places = [(int(np.flatnonzero(frames == lock.frame)[0]), lock) for lock in locks if (frames == lock.frame).any()]
    places = [(at, lock) for at, lock in places if motion.known[at]]
    if not places:
        return motion
    here = turns.from_axis_angle(motion.pose.reshape(len(frames), -1, 3))
    turn, move, total = np.zeros(here.shape[:-1] + (3,)), np.zeros((len(frames), 3)), np.zeros(len(frames))
    reach = np.zeros(len(frames))
    for at, lock in places:
        wanted = turns.from_axis_angle(np.asarray(lock.pose).reshape(-1, 3))
        difference = turns.to_axis_angle(turns.multiply(wanted, turns.inverse(here[at])))
        weight = weights(frames, lock.frame, lock.frame, lock.blend)
        near = weight / (1e-6 + np.abs(frames - lock.frame))
        turn += near[:, None, None] * difference
        move += near[:, None] * (np.asarray(lock.transl) - motion.transl[at])
        total, reach = total + near, np.maximum(reach, weight)
    share = np.where(total > 0, reach / np.maximum(total, 1e-12), 0.0)
    changed = (total > 0) & motion.known
    turned = turns.multiply(turns.from_axis_angle(turn * share[:, None, None]), here)
    pose = np.where(changed[:, None], turns.to_axis_angle(turned).reshape(len(frames), -1), motion.pose)
    transl = np.where(changed[:, None], motion.transl + move * share[:, None], motion.transl)
    for at, lock in places:
        pose[at], transl[at] = lock.pose, lock.transl
    return Poses(pose, transl)


def held(motion: Poses, frames: Array, times: Array, person: PersonEdits, seconds: float) -> list[Lock]:
    """The frames that the artist corrected, as locks on ``motion``, which is not smoothed yet: those with dragged
    joints, and picks too short to outlast smoothing by so many seconds. Neighbours follow for as long as it reaches.
    times (n,): seconds of the frames (n,).
    """
    frames = np.asarray(frames)
    chosen = np.isin(frames, person.corrected)
    for pick in person.picks:
        inside = (frames >= pick.first) & (frames <= pick.last)
        if inside.any() and np.ptp(np.asarray(times)[inside]) < 2 * seconds:
            chosen |= inside
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    blend = int(np.ceil(2 * seconds / max(step, 1e-6)))
    return [
        Lock(int(frames[at]), tuple(motion.pose[at]), tuple(motion.transl[at]), blend)
        for at in np.flatnonzero(chosen & motion.known)
    ]
