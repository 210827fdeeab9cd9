"""One motion from the takes of several cameras: their bodies agreed on, then guided by all pictures at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take
from numpy.typing import NDArray
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation
from ..refine.clip_wishes import calmed
from ..refine.losses.reprojection import project_points
from ..refine.losses.views import CalibratedViews
from ..refine.plan import PersonPlan, make_plan
from ..refine.refiner import Bodies, Refiner
from ..refine.request import N_LANDMARKS, N_POINTS, RefineRequest
from ..refine.take_bodies import Seen, bodies_of, has_landmarks, seen_of
from ..refine.version import RefinedPerson, refined_person
from .calibration import Camera
from .solve import solve_calibrated, solve_consistent

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
WINDOW = 120
"""Frames at once: every one is a row per camera."""
USUAL_CALM = 0.1


@dataclass(frozen=True, eq=False)
class View:
    """One camera's take and its one person. offset: seconds a moment's time here is more than in the first camera."""

    take: Take
    person: int
    offset: float = 0.0
    camera: Camera | None = None


@dataclass(frozen=True, eq=False)
class Shared:
    """Of the first camera's n frames. rows (n,C): each camera's row of its own plan at that moment, -1 for none."""

    plans: tuple[PersonPlan, ...]
    rows: NDArray[np.int64]


def main_person(take: Take) -> int:
    """Who is there in most frames, the larger one where several are. Errors: ``nothing.nobody``."""
    if not take.n_people or not take.valid.any():
        raise HmdiffError(
            "nothing.nobody", f"Nobody was found in {take.header.source_path}.", "Every camera must see the person."
        )
    boxes = np.nan_to_num(take.boxes)
    size = ((boxes[..., 3] - boxes[..., 1]) * take.valid).sum(1)
    return int(size.argmax())


def share_frames(views: Sequence[View]) -> Shared:
    """Which rows of the cameras show the same moment, within half a frame of the slower one."""
    plans = []
    for view in views:
        track = int(view.take.track_ids[view.person])
        plans.append(make_plan(view.take, RefineRequest(track_ids=(track,), detections=True)).people[0])
    times = plans[0].times
    rows = np.full((len(times), len(views)), -1, np.int64)
    for c, (view, plan) in enumerate(zip(views, plans, strict=True)):
        wanted = times + view.offset
        near = np.abs(plan.times[None] - wanted[:, None]).argmin(1)
        step = max(np.median(np.diff(plan.times)) if len(plan.times) > 1 else 0.04, 1 / view.take.header.fps)
        rows[:, c] = np.where(np.abs(plan.times[near] - wanted) <= 0.51 * step, near, -1)
    return Shared(tuple(plans), rows)


def combine(
    views: Sequence[View], refiner: Refiner, smooth: float | None = None,
    on_progress: Callable[[float], None] = lambda share: None, should_stop: Callable[[], bool] = lambda: False,
) -> RefinedPerson:  # fmt: skip
    """-> the motion in the first camera's axes, for its frames; complete or cancelled with ``InterruptedError``.

    Calibrated where every view has a camera, else by consistency alone.
    """
    shared = share_frames(views)
    columns = _columns(views[0].take)
    refiner = replace(refiner, figure=refiner.figure.select(columns))
    calibrated = all(view.camera is not None for view in views)
    plan = _agreed(views, shared, calibrated)
    strength = USUAL_CALM if smooth is None else smooth
    free = np.ones(len(plan.frames), bool)
    pose, transl = plan.start_pose, plan.start_transl
    if strength:
        pose, transl = calmed(plan, pose, transl, free, strength)
    solve = _calibrated if calibrated else _consistent
    for first in range(0, len(free), WINDOW):
        some = np.arange(first, min(first + WINDOW, len(free)))
        part = replace(plan, start_pose=pose, start_transl=transl)

        def heard(share: float, before: int = first, count: int = len(some)) -> None:
            on_progress((before + share * count) / len(free))

        new_pose, new_transl = solve(views, shared, part, some, refiner, heard, should_stop)
        pose, transl = pose.copy(), transl.copy()
        pose[some], transl[some] = new_pose, new_transl
    if strength:
        pose, transl = calmed(plan, pose, transl, free, strength)
    return _finished(views[0].take, plan, refiner, pose, transl)


def _columns(take: Take) -> Tensor:
    """(57,) bool: the keypoints that cameras see, of the free body the landmarks, of another its joints."""
    columns = torch.arange(N_POINTS) < N_LANDMARKS
    return columns if has_landmarks(take) else ~columns


def _agreed(views: Sequence[View], shared: Shared, calibrated: bool) -> PersonPlan:
    """The first camera's plan with a start that all cameras agree on: mean body, one shape, and the first camera's own
    root, or the one that its calibration gives it from everybody's.
    """
    plan = shared.plans[0]
    count = len(plan.frames)
    total = np.zeros((count, 24, 3, 3))
    for c, (view, other) in enumerate(zip(views, shared.plans, strict=True)):
        known = shared.rows[:, c] >= 0
        rows = shared.rows[known, c]
        turns = axis_angle_to_matrix(torch.from_numpy(other.pose[rows]).reshape(-1, 24, 3)).numpy()
        if calibrated and view.camera is not None and views[0].camera is not None:
            turns[:, 0] = views[0].camera.rotation @ view.camera.rotation.T @ turns[:, 0]
        elif c > 0:
            turns[:, 0] = 0
        seen = view.take.read("landmarks_2d", view.person, other.positions[rows])[..., 2]
        trust = np.nan_to_num(seen).mean(1).clip(0.05)
        total[known] += trust[:, None, None, None] * turns
    mean = nearest_rotation(torch.from_numpy(total).float())
    pose = matrix_to_axis_angle(mean).flatten(1).numpy()
    betas = np.mean([one.betas for one in shared.plans], 0).astype(np.float32)
    return replace(plan, start_pose=pose, start_transl=plan.transl, betas=betas)


def _calibrated(
    views: Sequence[View], shared: Shared, plan: PersonPlan, some: NDArray[np.int64], refiner: Refiner,
    heard: Callable[[float], None], should_stop: Callable[[], bool],
) -> tuple[Floats, Floats]:  # fmt: skip
    """The frame of refinement is the first camera's axes."""
    first = views[0].camera
    assert first is not None
    seen = [_seen_at(view, shared, c, some) for c, view in enumerate(views)]
    turns, shifts, points, focals = [], [], [], []
    for view, one in zip(views, seen, strict=True):
        camera = view.camera
        assert camera is not None
        turn = camera.rotation @ first.rotation.T
        turns.append(turn)
        shifts.append(camera.translation - turn @ first.translation)
        points.append(camera.undistorted(one.points.numpy().astype(np.float64), camera.focal, (0.0, 0.0)))
        focals.append(camera.focal)
    confidence = torch.stack([one.confidence for one in seen], 1)
    stacked = torch.from_numpy(np.stack(points, 1)).float()
    n, c = stacked.shape[:2]
    rig = CalibratedViews(
        torch.from_numpy(np.array(turns)).float().expand(n, c, 3, 3),
        torch.from_numpy(np.array(shifts)).float().expand(n, c, 3), torch.tensor(focals).float().expand(n, c),
        torch.zeros(n, c, 2), stacked, confidence, torch.stack([one.side for one in seen], 1),
    )  # fmt: skip
    bodies = bodies_of(views[0].take, plan, some, seen[0])
    bodies = replace(bodies, principal=torch.zeros(n, 2), focal=torch.full((n,), float(focals[0])))
    found = solve_calibrated(refiner, bodies, rig, should_stop, heard)
    if not found.complete:
        raise InterruptedError
    # A take's camera looks through the picture's middle, this one a little beside it: the body is put where the take's
    # camera shows it over the person.
    transl = found.transl.numpy().copy()
    middle = first.matrix[:2, 2] - np.array(views[0].take.center)
    transl[:, :2] += found.joints[:, 0, 2:].numpy() * middle / first.focal
    return found.pose.numpy(), transl.astype(np.float32)


def _seen_at(view: View, shared: Shared, c: int, some: NDArray[np.int64]) -> Seen:
    """What camera c saw at these moments; confidence 0 where it saw nobody."""
    rows = shared.rows[some, c]
    seen = _only(seen_of(view.take, shared.plans[c], np.maximum(rows, 0)), view.take)
    there = torch.from_numpy(rows >= 0)[:, None]
    return replace(seen, confidence=torch.where(there, seen.confidence, 0.0))


def _only(seen: Seen, take: Take) -> Seen:
    columns = _columns(take)
    cut = {name: getattr(seen, name)[:, columns] for name in ("points", "confidence", "scale", "edited", "removed")}
    return replace(seen, **cut)


def _consistent(
    views: Sequence[View], shared: Shared, plan: PersonPlan, some: NDArray[np.int64], refiner: Refiner,
    heard: Callable[[float], None], should_stop: Callable[[], bool],
) -> tuple[Floats, Floats]:  # fmt: skip
    """A row for every camera that saw the person: each has its own root and place, all the same body."""
    parts: list[Bodies] = []
    groups: list[Tensor] = []
    for c, view in enumerate(views):
        rows = shared.rows[some, c]
        there = np.flatnonzero(rows >= 0)
        own = shared.plans[c]
        start = own.pose.copy(), own.transl.copy()
        start[0][rows[there], 3:] = plan.start_pose[some[there], 3:]
        if c == 0:
            start[1][rows[there]] = plan.start_transl[some[there]]
        other = replace(own, start_pose=start[0], start_transl=start[1], betas=plan.betas)
        seen = _only(seen_of(view.take, other, rows[there]), view.take)
        bodies = bodies_of(view.take, other, rows[there], seen)
        parts.append(replace(bodies, track=torch.full((len(there),), c)))
        groups.append(torch.from_numpy(there))
    names = [name for name, value in vars(parts[0]).items() if isinstance(value, Tensor)]
    bodies = replace(parts[0], **{name: torch.cat([getattr(one, name) for one in parts]) for name in names})
    group = torch.cat(groups)
    found, agreed = solve_consistent(refiner, bodies, group, should_stop, heard)
    if not found.complete:
        raise InterruptedError
    size = len(groups[0])
    pose = plan.start_pose[some].copy()
    transl = plan.start_transl[some].copy()
    where = groups[0].numpy()
    pose[where] = agreed[:size].numpy()
    transl[where] = found.transl[:size].numpy()
    return pose, transl


@torch.no_grad()
def _finished(take: Take, plan: PersonPlan, refiner: Refiner, pose: Floats, transl: Floats) -> RefinedPerson:
    size = refiner.figure.body.n_betas
    betas = torch.from_numpy(plan.betas[:size]).float().expand(len(pose), -1)
    rotations = axis_angle_to_matrix(torch.from_numpy(pose).float().reshape(-1, 24, 3))
    joints = refiner.figure.pose(refiner.figure.tables(betas), rotations)[1] + torch.from_numpy(transl).float()[:, None]
    focal = torch.from_numpy(take.focal[plan.positions].astype(np.float32))
    seen = project_points(joints, focal, torch.tensor(take.center).float().expand(len(joints), 2))
    changed = np.ones(len(pose), bool)
    return refined_person(take, plan, pose, transl, joints.numpy(), seen.numpy(), changed)
