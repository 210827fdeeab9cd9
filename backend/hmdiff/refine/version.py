"""A refined motion as a new version of its take, and as rows for whoever watches. numpy only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hmdiff_wire.body import skin
from hmdiff_wire.take import PersonFrame, Take
from hmdiff_wire.take_format import HYPOTHESIS_FIELDS, STATUS_NAMES
from hmdiff_wire.take_version import TrackMotion, write_version
from numpy.typing import NDArray

from .plan import PersonPlan, Plan
from .request import RefineRequest

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class RefinedPerson:
    """Over the plan's n frames: pose (n,72), transl (n,3), joints (n,24,3) metres, joints_2d (n,24,2) px, changed (n,)
    bool.
    """

    plan: PersonPlan
    pose: Array
    transl: Array
    joints: Array
    joints_2d: Array
    changed: NDArray[np.bool_]


def refined_person(
    take: Take, plan: PersonPlan, pose: Array, transl: Array, joints: Array, joints_2d: Array,
    changed: NDArray[np.bool_],
) -> RefinedPerson:  # fmt: skip
    """What did not change is the take's own, to the bit."""
    new = {"pose": pose, "transl": transl, "joints": joints, "joints_2d": joints_2d}
    for name, values in new.items():
        keep = take.read(name, plan.person, plan.positions)
        keep[changed] = values[changed]
        new[name] = keep
    return RefinedPerson(plan, **new, changed=changed)


def write_refined(
    take: Take, target: Path, plan: Plan, request: RefineRequest, people: tuple[RefinedPerson, ...]
) -> None:
    """Errors: those of ``write_version``."""
    motions = {
        one.plan.track_id: TrackMotion(
            one.plan.betas, one.plan.frames, one.pose, one.transl, one.joints, one.joints_2d
        )
        for one in people
    }  # fmt: skip
    edits = tuple(edit.to_dict() for edit in plan.edits)
    write_version(take.folder, target, motions, edits, request.wishes())


def changed_rows(
    take: Take, people: tuple[RefinedPerson, ...], vertices: bool = False
) -> Iterator[tuple[int, float, list[PersonFrame]]]:
    """(frame index, seconds, rows of the people who changed), frames rising; rows without hypotheses and spread, with
    ``vertices`` where they are asked for.
    """
    at = sorted({int(position) for one in people for position in one.plan.positions[one.changed]})
    for position in at:
        rows = [
            refined_row(take, one, row, vertices)
            for one in people
            for row in np.flatnonzero((one.plan.positions == position) & one.changed)
        ]
        yield int(take.frame_indices[position]), float(take.times[position]), rows


def refined_row(take: Take, one: RefinedPerson, row: int, vertices: bool) -> PersonFrame:
    plan = one.plan
    position = int(plan.positions[row])
    none = {f"hypotheses_{name}": np.zeros((0, *shape), np.float32) for name, shape in HYPOTHESIS_FIELDS.items()}
    return PersonFrame(
        track_id=plan.track_id, status=STATUS_NAMES[take.status[plan.person, position]],
        box=take.read("box", plan.person, position)[0], betas=plan.betas, pose=one.pose[row], transl=one.transl[row],
        joints=one.joints[row], joints_2d=one.joints_2d[row],
        landmarks_2d=take.read("landmarks_2d", plan.person, position)[0], vertex_std=np.zeros(0, np.float32),
        vertices=skin(take.body, plan.betas, one.pose[row], one.transl[row])[0][0] if vertices else None, **none,
    )  # fmt: skip
