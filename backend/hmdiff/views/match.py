"""Who is who in several cameras. Calibrated: pairs whose sight lines meet, where both cameras hold the person to be;
without calibration: those who move alike, whatever side they are seen from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hmdiff_wire.body import rotation_matrices
from hmdiff_wire.landmarks import LANDMARK_NAMES
from hmdiff_wire.take import Take
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from .calibration import Camera
from .combine import Shared, View, main_person, share_frames
from .sync import LIMBS
from .triangulate import triangulate

Array = NDArray[np.float64]
LEAST_FRAMES = 5
MISS, DEPTH = 0.02, 0.25
"""What counts as one: sight lines that miss each other by so much on the plane z = 1, and a depth that is so much (as a
logarithm) not the one that the cameras took the person to be at, which is off by a tenth or two."""
SAME_PLACE, SAME_MOTION = 4.0, 0.75
"""Costs from which on two are not the same person. Of motion: 1 - correlation."""
HIPS = tuple(LANDMARK_NAMES.index(f"{side}_hip") for side in ("left", "right"))


@dataclass(frozen=True, eq=False)
class Matched:
    """groups: of every person to be joined the views, the first camera's first; notes: who was not found where."""

    groups: tuple[tuple[View, ...], ...]
    notes: tuple[str, ...]


def match_people(views: Sequence[View]) -> Matched:
    """views: one per camera, of anybody in it, with its offset."""
    first = views[0]
    here = people_of(first.take)
    found: dict[int, list[View]] = {person: [_of(first, person)] for person in here}
    notes: list[str] = []
    for number, view in enumerate(views[1:], start=2):
        there = people_of(view.take)
        pairs = _pairs(first, here, view, there)
        for person, other in pairs.items():
            found[person].append(_of(view, other))
        notes += [
            f"Person {first.take.track_ids[person]} of camera 1 was not found in camera {number}."
            for person in here if person not in pairs
        ]  # fmt: skip
        notes += [
            f"Camera {number} also shows a person ({view.take.track_ids[other]}) who was not found in camera 1 and is "
            "left out."
            for other in there if other not in pairs.values()
        ]  # fmt: skip
    groups = tuple(tuple(group) for group in found.values() if len(group) > 1)
    alone = [str(first.take.track_ids[person]) for person, group in found.items() if len(group) == 1]
    if alone:
        notes.append(f"The motion of person {', '.join(alone)} is that of camera 1 alone.")
    return Matched(groups, tuple(notes))


def _of(view: View, person: int) -> View:
    return View(view.take, person, view.offset, view.camera)


def people_of(take: Take) -> list[int]:
    """Who is there for a while; the main person in any case."""
    lasting = np.flatnonzero(take.valid.sum(1) >= LEAST_FRAMES).tolist()
    return sorted({*lasting, main_person(take)})


def _pairs(first: View, here: list[int], view: View, there: list[int]) -> dict[int, int]:
    """Person of the first camera -> the same of the other one. Where each shows one person, that is the same one."""
    if len(here) == len(there) == 1:
        return {here[0]: there[0]}
    cost = np.array([[_cost(_of(first, a), _of(view, b)) for b in there] for a in here])
    most = SAME_MOTION if first.camera is None or view.camera is None else SAME_PLACE
    rows, columns = linear_sum_assignment(np.minimum(cost, 10 * most))
    return {
        here[row]: there[column] for row, column in zip(rows, columns, strict=True) if cost[row, column] < most
    }  # fmt: skip


def _cost(a: View, b: View) -> float:
    shared = share_frames((a, b))
    at = np.flatnonzero(shared.rows[:, 1] >= 0)
    if len(at) < LEAST_FRAMES:
        return np.inf
    if a.camera is not None and b.camera is not None:
        return _apart(a, b, a.camera, b.camera, shared, at)
    one, two = (_limbs(plan.pose[rows]) for plan, rows in zip(shared.plans, (at, shared.rows[at, 1]), strict=True))
    return 1.0 - _correlation(one, two)


def _apart(a: View, b: View, first: Camera, second: Camera, shared: Shared, at: NDArray[np.int64]) -> float:
    rays, sure, depth = [], [], []
    for view, camera, plan, rows in (
        (a, first, shared.plans[0], at), (b, second, shared.plans[1], shared.rows[at, 1])
    ):  # fmt: skip
        where = plan.positions[rows]
        marks = np.nan_to_num(view.take.read("landmarks_2d", view.person, where).astype(np.float64))
        rays.append(camera.undistorted(marks[..., :2], 1.0, (0.0, 0.0)))
        sure.append(marks[..., 2])
        depth.append(view.take.read("joints", view.person, where)[:, 0, 2])
    turn = second.rotation @ first.rotation.T
    turns = np.stack([np.eye(3), turn])
    shifts = np.stack([np.zeros(3), second.translation - turn @ first.translation])
    count = len(at)
    points, known = triangulate(
        np.stack(rays, 1), np.stack(sure, 1), np.broadcast_to(turns, (count, 2, 3, 3)),
        np.broadcast_to(shifts, (count, 2, 3)),
    )  # fmt: skip
    placed = np.einsum("cij,nkj->ncki", turns, points) + shifts[None, :, None]
    seen = placed[..., :2] / placed[..., 2:].clip(0.1)
    miss = np.linalg.norm(seen - np.stack(rays, 1), axis=-1).max(1)[known > 0]
    off = np.log(placed[:, :, list(HIPS), 2].mean(-1).clip(0.1) / np.stack(depth, 1).clip(0.1))
    return float(np.median(miss) / MISS + np.abs(np.median(off, axis=0)).mean() / DEPTH) if len(miss) else np.inf


def _limbs(pose: NDArray[np.float32]) -> Array:
    """(n,72): the limbs' local rotations, which do not know the camera."""
    return rotation_matrices(pose.reshape(-1, 24, 3)[:, list(LIMBS)]).reshape(len(pose), -1).astype(np.float64)


def _correlation(a: Array, b: Array) -> float:
    """Of the changes over time: two who stand alike are not the same for that."""
    a, b = a - a.mean(0), b - b.mean(0)
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / size) if size > 1e-9 else 0.0
