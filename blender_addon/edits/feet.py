"""Feet that stand: neither sliding nor floating nor sinking while they touch the floor.

When a foot stands is told from its height and speed. What it slides is taken out of the whole body as far as both feet
agree, the rest by the legs; heights are corrected by moving the body up or down, evenly between two contacts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hmdiff_wire.body import BodyData, rest_shape
from numpy.typing import NDArray

from .legs import LEGS, posed_joints, reach
from .sequence import Poses
from .smoothing import calmed, window

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

NEAR, SLOW = 0.08, 0.45
"""A foot stands when its sole is within NEAR metres of the lowest sole of the last moments and its tip moves slower
than SLOW metres a second; it leaves at half as much again of both."""
SHORTEST, FADE, WINDOW = 0.1, 0.12, 0.5
"""Seconds: a shorter contact is none; a lock fades in and out; what counts as the last moments."""


@dataclass(frozen=True)
class Ground:
    """up (3,): away from the floor, camera frame, length 1; floor: its height over the camera, metres along up."""

    up: Array
    floor: float


def grounded(
    body: BodyData, betas: Array, motion: Poses, times: Array, ground: Ground, feet: float, floor: float
) -> Poses:
    """feet: share 0..1 of the sliding that is taken out; floor: share 0..1 of the height over and under the floor."""
    at = np.flatnonzero(motion.known)
    if (feet <= 0 and floor <= 0) or len(at) < 3:
        return motion
    clock = np.asarray(times, np.float64)[at]
    part = Poses(motion.pose[at].astype(np.float64), motion.transl[at].astype(np.float64))
    stands = contacts(body, betas, part, clock, ground)
    if floor > 0:
        lift = floor * _lift(body, betas, part, clock, ground, stands)
        part = Poses(part.pose, part.transl + lift[:, None] * ground.up)
    if feet > 0:
        part = _locked(body, betas, part, clock, ground, stands, feet)
    pose, transl = motion.pose.copy(), motion.transl.copy()
    pose[at], transl[at] = part.pose, part.transl
    return Poses(pose, transl)


def soles(body: BodyData, betas: Array, motion: Poses, ground: Ground) -> Array:
    """Height (n,2) of the left and the right sole over the floor: the lower of ankle and foot, less its height in
    rest."""
    rest, rest_joints = rest_shape(body, betas)
    joints = posed_joints(body, betas, motion)[1]
    sides = []
    for _, _, ankle, foot in LEGS:
        over = [joints[:, joint] @ ground.up - (rest_joints[joint, 1] - rest[:, 1].min()) for joint in (ankle, foot)]
        sides.append(np.minimum(*over))
    return np.stack(sides, axis=1) - ground.floor


def contacts(body: BodyData, betas: Array, motion: Poses, times: Array, ground: Ground) -> Mask:
    """(n,2): whether the left and the right foot stand."""
    joints = posed_joints(body, betas, motion)[1]
    height = soles(body, betas, motion, ground)
    # Over what was lowest lately, not over the floor: a body that floats or sinks stands all the same.
    index, usable = window(times, WINDOW)
    base = np.where(usable, height.min(1)[index], np.inf).min(1)
    result = np.zeros(height.shape, np.bool_)
    for side, (_, _, _, foot) in enumerate(LEGS):
        speed = np.linalg.norm(np.gradient(joints[:, foot], times, axis=0), axis=1)
        over = height[:, side] - base
        sure = (over < NEAR) & (speed < SLOW)
        maybe = (over < 1.5 * NEAR) & (speed < 1.5 * SLOW)
        for first, last in runs(maybe):
            long_enough = times[last] - times[first] >= SHORTEST
            if long_enough and sure[first : last + 1].any():
                result[first : last + 1, side] = True
    return result


def runs(mask: Mask) -> list[tuple[int, int]]:
    """First and last position of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _lift(body: BodyData, betas: Array, motion: Poses, times: Array, ground: Ground, stands: Mask) -> Array:
    """(n,) metres to raise the body by, so that standing soles are on the floor and none is ever below it."""
    height = soles(body, betas, motion, ground)
    wanted = np.where(stands, height, np.inf).min(1)
    known = np.flatnonzero(stands.any(1))
    lift = np.interp(times, times[known], -wanted[known]) if len(known) else np.zeros(len(times))
    return lift + np.maximum(0.0, -(height.min(1) + lift))


def _locked(
    body: BodyData, betas: Array, motion: Poses, times: Array, ground: Ground, stands: Mask, share: float
) -> Poses:
    joints = posed_joints(body, betas, motion)[1].astype(np.float64)
    move, weight = np.zeros((len(times), 2, 3)), np.zeros((len(times), 2))
    for side, (_, _, _, foot) in enumerate(LEGS):
        for first, last in runs(stands[:, side]):
            inside = slice(first, last + 1)
            place = np.median(joints[inside, foot], axis=0)
            away = place - joints[:, foot]
            away -= (away @ ground.up)[:, None] * ground.up
            outside = np.maximum(np.maximum(times[first] - times, times - times[last]), 0.0)
            fade = np.clip(1.0 - outside / FADE, 0.0, 1.0)
            fade = fade * fade * (3 - 2 * fade)
            # Outside its contact a foot is moved as at the contact's edge, ever less.
            held = away[np.clip(np.arange(len(times)), first, last)]
            stronger = fade > weight[:, side]
            move[stronger, side] = (fade[:, None] * held)[stronger]
            weight[stronger, side] = fade[stronger]
    move *= share
    total = weight.sum(1, keepdims=True)
    common = np.where(total > 0, move.sum(1) / np.maximum(total, 1e-9), 0.0) * np.clip(total, 0, 1)
    common = calmed(common, times, FADE)  # the legs take up what is left over
    shifted = Poses(motion.pose, motion.transl + common)
    ankles = np.stack([joints[:, ankle] for _, _, ankle, _ in LEGS], axis=1) + move
    free = weight <= 0
    ankles[free] = (np.stack([joints[:, ankle] for _, _, ankle, _ in LEGS], axis=1) + common[:, None])[free]
    return reach(body, betas, shifted, ankles)
