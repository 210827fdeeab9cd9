"""Refinement of a take: edited frames by themselves, their change carried to the neighbours, then the whole range.

The door for the command line and the server's job; ``plan`` says who and where, ``refiner`` how.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import numpy as np
import torch
from hmdiff_wire.take import Take
from numpy.typing import NDArray
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from .clip_wishes import calmed, clip_case
from .edit_wishes import edit_case
from .feet import plant_feet
from .guide import GuideOptions
from .layer import falloff, spread_change
from .losses.reprojection import project_points
from .plan import PersonPlan, Plan
from .refiner import DOUBT, FAST, PUBLISHED, THOROUGH, Bodies, RefinedBodies, Refiner, Wishes, refine_bodies
from .request import N_POINTS, RefineRequest, point_name
from .take_bodies import Seen, bodies_of, make_take_refiner, seen_of
from .version import RefinedPerson, refined_person

OPTIONS = {"live": FAST, "fast": FAST, "thorough": THOROUGH, "published": PUBLISHED}
EDIT = replace(FAST, tau=200, dt=50, outer=6, max_step=2.0)
"""A drag goes farther than a detector's doubt, and no step of it may be cut short: by measurement (docs/refine.md)."""
LIVE = replace(FAST, dt=25, outer=2, max_step=2.0)
"""While a drag goes on: four looks at the body, each allowed to go far."""
EDIT_OPTIONS = {**OPTIONS, "live": LIVE, "fast": EDIT}
WINDOW, CONTEXT = 240, 6
"""Frames refined at once, which bounds the memory, and frames before and after them that only hold their ends."""
SMALL = 4
"""Up to so many rows one thread is quicker than two (``video.estimate``)."""
MET_PX = 0.03
"""An edit whose joint stays away by more than this share of the crop is told to the user."""


class Cancelled(Exception):
    """Ends a refinement; nothing is kept."""


@dataclass(frozen=True)
class Hooks:
    """on_progress(share 0..1); should_stop is asked at every step."""

    on_progress: Callable[[float], None] = lambda share: None
    should_stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True, eq=False)
class RefinedTake:
    people: tuple[RefinedPerson, ...]
    notes: tuple[str, ...]


def refine_take(
    take: Take, plan: Plan, request: RefineRequest, hooks: Hooks | None = None,
    shelf: dict[Hashable, object] | None = None,
) -> RefinedTake:  # fmt: skip
    """shelf: what a worker keeps between jobs. Raises Cancelled. Errors: ``weights.*``, those of the take's body."""
    hooks = hooks or Hooks()
    refiner = make_take_refiner(take, request.method, shelf)
    total = sum(_work(one, request) for one in plan.people)
    people, notes, done = [], list(_notes(take, request)), 0
    for one in plan.people:

        def heard(share: float, before: int = done, frames: int = _work(one, request)) -> None:
            hooks.on_progress((before + share * frames) / max(total, 1))

        refined = _Person(take, one, request, refiner, replace(hooks, on_progress=heard)).go()
        people.append(refined)
        notes += _unmet(take, refined, refiner)
        done += _work(one, request)
    hooks.on_progress(1.0)
    return RefinedTake(tuple(people), tuple(notes))


def _work(plan: PersonPlan, request: RefineRequest) -> int:
    return int(plan.edited.sum()) + (len(plan.frames) if request.whole_range else 0)


class _Person:
    def __init__(self, take: Take, plan: PersonPlan, request: RefineRequest, refiner: Refiner, hooks: Hooks) -> None:
        self.take, self.plan, self.request, self.refiner, self.hooks = take, plan, request, refiner, hooks

    def go(self) -> RefinedPerson:
        plan, request = self.plan, self.request
        edit_share = plan.edited.sum() / max(1, _work(plan, request))
        pose, transl = plan.start_pose.copy(), plan.start_transl.copy()
        rows = np.flatnonzero(plan.edited)
        if len(rows):
            found = self._edited(rows, edit_share)
            pose[rows], transl[rows] = found.pose.numpy(), found.transl.numpy()
        shares = falloff(plan.frames, plan.keyed, plan.pinned, request.spread)
        pose, transl, changed = spread_change(plan.pose, plan.transl, pose, transl, shares)
        if request.whole_range:
            free = ~plan.locked & ~plan.outside
            pose, transl = self._clip(pose, transl, free, edit_share)
            changed = changed | free
        joints, points = self._joints(pose, transl, np.flatnonzero(changed))
        return refined_person(self.take, plan, pose, transl, joints, points, changed)

    def _edited(self, rows: NDArray[np.int64], share: float) -> RefinedBodies:
        seen = seen_of(self.take, self.plan, rows)
        bodies = bodies_of(self.take, self.plan, rows, seen)
        bodies, wishes = edit_case(self.refiner.figure, bodies, seen, self.request.focal)
        options = EDIT_OPTIONS[self.request.quality]
        return self._solve(bodies, wishes, options, lambda part: self.hooks.on_progress(share * part))

    def _clip(self, pose: NDArray[np.float32], transl: NDArray[np.float32], free: NDArray[np.bool_], begin: float):
        """Calmed, guided, calmed again (guidance shakes a little), and the feet planted."""
        request = self.request
        fixed = ~free
        fixed[[row for row, _ in self.plan.edits]] = True
        if request.calm:
            pose, transl = calmed(self.plan, pose, transl, ~fixed, request.calm)
        edited = any(free[row] for row, _ in self.plan.edits)
        if request.pulls_detections or request.calm or request.focal or edited:
            pose, transl = self._guided(pose, transl, free, begin)
            if request.calm:
                pose, transl = calmed(self.plan, pose, transl, ~fixed, request.calm)
        if request.feet or request.floor:
            pose, transl = self._planted(pose, transl, free)
        return pose, transl

    def _guided(self, pose: NDArray[np.float32], transl: NDArray[np.float32], free: NDArray[np.bool_], begin: float):
        """In windows, each beginning with frames that are done already and ending with some that only hold it."""
        rows = np.flatnonzero(free)
        pose, transl = pose.copy(), transl.copy()
        for first in range(0, len(rows), WINDOW):
            some = rows[first : first + WINDOW]
            low, high = max(0, some[0] - CONTEXT), min(len(free), some[-1] + 1 + CONTEXT)
            window = np.arange(low, high)
            moving = np.isin(window, some)
            plan = replace(self.plan, start_pose=pose, start_transl=transl)
            seen = seen_of(self.take, plan, window)
            bodies = bodies_of(self.take, plan, window, seen)
            bodies, wishes = clip_case(bodies, seen, torch.from_numpy(~moving), self.request)

            def heard(share: float, before: int = first, count: int = len(some)) -> None:
                self.hooks.on_progress(begin + (1 - begin) * (before + share * count) / len(rows))

            options = OPTIONS[self.request.quality]
            if len(bodies) == 1 and self.request.quality == "fast":
                options = DOUBT
            found = self._solve(bodies, wishes, options, heard)
            pose[some], transl[some] = found.pose.numpy()[moving], found.transl.numpy()[moving]
        return pose, transl

    def _planted(self, pose: NDArray[np.float32], transl: NDArray[np.float32], free: NDArray[np.bool_]):
        rows = np.arange(len(free))
        plan = replace(self.plan, start_pose=pose, start_transl=transl)
        bodies = bodies_of(self.take, plan, rows, seen_of(self.take, plan, rows))
        rotations = axis_angle_to_matrix(bodies.pose.reshape(-1, 24, 3))
        up = torch.tensor(self.take.header.up).float()
        figure = self.refiner.figure.select(torch.zeros(N_POINTS, dtype=torch.bool))
        planted = plant_feet(figure, bodies, rotations, up, free, self.request.floor)
        return matrix_to_axis_angle(planted.rotations).flatten(1).numpy(), planted.transl.numpy()

    def _solve(
        self, bodies: Bodies, wishes: Wishes, options: GuideOptions, heard: Callable[[float], None]
    ) -> RefinedBodies:
        before = torch.get_num_threads()
        torch.set_num_threads(1 if len(bodies) <= SMALL else before)
        try:
            refiner, bodies, wishes = _only_seen(self.refiner, bodies, wishes)
            found = refine_bodies(refiner, bodies, wishes, options, self.hooks.should_stop, heard)
        finally:
            torch.set_num_threads(before)
        if not found.complete:
            raise Cancelled
        return found

    @torch.no_grad()
    def _joints(self, pose: NDArray[np.float32], transl: NDArray[np.float32], rows: NDArray[np.int64]):
        """joints (n,24,3) and joints_2d (n,24,2), computed in these rows only."""
        plan = self.plan
        joints = _posed(self.refiner, plan, pose[rows], transl[rows])[:, -24:]
        focal = torch.from_numpy(self.take.focal[plan.positions[rows]].astype(np.float32))
        middle = torch.tensor(self.take.center).float().expand(len(joints), 2)
        placed, seen = np.zeros((len(pose), 24, 3), np.float32), np.zeros((len(pose), 24, 2), np.float32)
        placed[rows], seen[rows] = joints.numpy(), project_points(joints, focal, middle).numpy()
        return placed, seen


def _only_seen(refiner: Refiner, bodies: Bodies, wishes: Wishes) -> tuple[Refiner, Bodies, Wishes]:
    """Without points that nobody sees: most of the work is in proportion to their number."""
    seen = (bodies.confidence > 0).any(0)
    if not bool(seen.any()):
        seen[0] = True
    bodies = replace(bodies, points=bodies.points[:, seen], confidence=bodies.confidence[:, seen])
    if isinstance(wishes.scale, Tensor):
        wishes = replace(wishes, scale=wishes.scale[:, seen])
    return replace(refiner, figure=refiner.figure.select(seen)), bodies, wishes


@torch.no_grad()
def _posed(refiner: Refiner, plan: PersonPlan, pose: NDArray[np.float32], transl: NDArray[np.float32]) -> Tensor:
    """(n,57,3) landmarks and joints, metres."""
    size = refiner.figure.body.n_betas
    betas = torch.from_numpy(plan.betas[:size]).float().expand(len(pose), -1)
    rotations = axis_angle_to_matrix(torch.from_numpy(pose).float().reshape(-1, 24, 3))
    points = refiner.figure.pose(refiner.figure.tables(betas), rotations)[2]
    return points + torch.from_numpy(transl).float()[:, None]


def _unmet(take: Take, one: RefinedPerson, refiner: Refiner) -> list[str]:
    """Which new edits could not be met."""
    plan = one.plan
    rows = np.flatnonzero(plan.edited)
    if not len(rows):
        return []
    seen: Seen = seen_of(take, plan, rows)
    points = _posed(refiner, plan, one.pose[rows], one.transl[rows])
    focal = torch.from_numpy(take.focal[plan.positions[rows]].astype(np.float32))
    placed = project_points(points, focal, torch.tensor(take.center).float().expand(len(rows), 2))
    away = (placed - seen.points).norm(dim=-1)
    found = []
    for number, row in enumerate(rows):
        for point in range(N_POINTS):
            far = float(away[number, point])
            if bool(seen.edited[number, point]) and far > MET_PX * float(seen.side[number]) and far > 3:
                found.append(
                    f"Frame {plan.frames[row]}: {point_name(point)} of person {plan.track_id} stays {far:.0f} px away "
                    "from where it was dragged; check that the place can be reached."
                )
    return found


def _notes(take: Take, request: RefineRequest) -> tuple[str, ...]:
    if (request.feet or request.floor) and take.header.up_source == "assumed_level":
        return ("Which way is up was not found in this clip; the floor is taken to be level.",)
    return ()
