"""Which way is up, told by people who stand and walk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

ASSUMED = (0.0, -1.0, 0.0)
_PELVIS, _NECK, _HEAD = 0, 12, 15
_HIPS, _KNEES, _ANKLES = (1, 2), (4, 5), (7, 8)
_STRAIGHT_KNEE = np.cos(np.radians(35.0))
_STRAIGHT_BODY = np.cos(np.radians(15.0))
_MAX_TILT = np.radians(40.0)
_MAX_SPREAD = np.radians(8.0)
_MIN_SECONDS = 0.7
_LEAN = np.radians(4.5)
"""People stand with their weight over the middle of the foot, so that the neck is ahead of the ankles: 3 degrees by
anatomy, 6 in the CMU captures (median of 146 clips, whose knees are a little bent)."""
_WALK = 1.5


@dataclass(frozen=True)
class Up:
    """up (3,) unit vector against gravity in camera axes; source ``estimated`` or ``assumed``; spread: how far single
    frames lie from it (radians, median; infinite when assumed); frames: how many frames told it."""

    up: Array
    source: str
    spread: float
    frames: int


def estimate_up(joints: Array, times: Array, valid: NDArray[np.bool_]) -> Up:
    """World-up in the axes of a camera that keeps its direction.

    joints (P,F,24,3) metres in camera axes (one person: (F,24,3)), times (F,) seconds, valid (P,F). Frames in which a
    person stands (a leg straight, trunk in line with the legs) give the ankles-to-neck direction less the usual forward
    lean; their median counts.
    Where somebody walks over 1.5 m, the part of it along the path is taken out, since people walk level. Cautious:
    less than 0.7 s of standing, more than 8 degrees between frames, or a tilt over 40 degrees (somebody lying, most
    likely) give the camera's own up, ``assumed``.
    """
    if joints.ndim == 3:
        joints, valid = joints[None], valid[None]
    directions = [_standing(joints[p][valid[p]]) for p in range(len(joints))]
    found = np.concatenate(directions) if directions else np.zeros((0, 3))
    seconds = len(found) * _frame_seconds(times) / max(1, len(joints))
    if len(found) < 5 or seconds < _MIN_SECONDS:
        return _assumed()
    up = _median_direction(found)
    spread = float(np.median(_angle(found, up)))
    if spread > _MAX_SPREAD or _angle(up[None], np.array(ASSUMED))[0] > _MAX_TILT:
        return _assumed()
    up = _level_with_paths(up, [joints[p][valid[p]][:, _PELVIS] for p in range(len(joints))])
    return Up(up.astype(np.float32), "estimated", spread, len(found))


def _assumed() -> Up:
    return Up(np.array(ASSUMED, np.float32), "assumed", float("inf"), 0)


def _standing(joints: Array) -> NDArray[np.float64]:
    """(F,24,3) -> unit directions (F',3) of the frames in which the body is one upright line."""
    points = joints.astype(np.float64)
    thighs, shins = points[:, _KNEES] - points[:, _HIPS], points[:, _ANKLES] - points[:, _KNEES]
    straight = np.max(np.sum(_unit(thighs) * _unit(shins), -1), axis=1) > _STRAIGHT_KNEE
    ankles = points[:, _ANKLES].mean(1)
    legs, trunk = points[:, _PELVIS] - ankles, points[:, _NECK] - points[:, _PELVIS]
    aligned = np.sum(_unit(legs) * _unit(trunk), -1) > _STRAIGHT_BODY
    tall = np.linalg.norm(points[:, _HEAD] - ankles, axis=-1) > 0.5
    keep = straight & aligned & tall & np.isfinite(points).all((1, 2))
    line = _unit((points[:, _NECK] - ankles)[keep])
    left = (points[:, _HIPS[0]] - points[:, _HIPS[1]])[keep]
    forward = _unit(np.cross(left, line))
    return np.cos(_LEAN) * line - np.sin(_LEAN) * forward


def _level_with_paths(up: NDArray[np.float64], paths: list[Array]) -> NDArray[np.float64]:
    """Take out of up what lies along the longest straight walk, where the two nearly agree already."""
    best, length = None, _WALK
    for path in paths:
        if len(path) < 10:
            continue
        centred = path.astype(np.float64) - np.median(path, axis=0)
        _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
        extent = float(np.ptp(np.percentile(centred @ axes[0], [5, 95])))
        if extent > length and sizes[0] > 4 * sizes[1]:
            best, length = axes[0], extent
    if best is None or abs(np.arcsin(np.clip(up @ best, -1, 1))) > np.radians(10.0):
        return up
    return _unit(up - (up @ best) * best)


def _median_direction(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Geometric median on the sphere by Weiszfeld's iteration."""
    middle = _unit(directions.mean(0))
    for _ in range(20):
        weight = 1 / np.maximum(np.linalg.norm(directions - middle, axis=1), 1e-4)
        middle = _unit((weight[:, None] * directions).sum(0))
    return middle


def _frame_seconds(times: Array) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _angle(directions: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arccos(np.clip(directions @ axis, -1.0, 1.0))
