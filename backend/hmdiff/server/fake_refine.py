"""The fake's refinement: no model, a body is pushed so far sideways that the dragged joint is where it was dragged to.

Plans, spreads, versions and messages are the real ones.
"""

from __future__ import annotations

import time

import numpy as np
from hmdiff_wire.body import joint_transforms, rest_shape, rotation_matrices
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take, read_take
from hmdiff_wire.take_version import original_of, read_version
from numpy.typing import NDArray

from ..refine.layer import falloff, spread_change
from ..refine.plan import PersonPlan, make_plan
from ..refine.reading import edit_from, read_request
from ..refine.request import N_LANDMARKS
from ..refine.version import RefinedPerson, changed_rows, refined_person, write_refined
from .contract import JobHooks, JobOutcome, JobRequest
from .fake_walk import LANDMARK_JOINTS
from .rows import frame_arrays

Array = NDArray[np.float32]


def refine_job(request: JobRequest, hooks: JobHooks, delay: float, fail_at: int) -> JobOutcome:
    """delay: seconds a changed frame takes; fail_at: it fails where this frame would change."""
    asked = read_request({name: value for name, value in request.options.items() if name != "fake"})
    take = read_take(request.source)
    before = tuple(edit_from(one) for one in read_version(request.source).edits)
    plan = make_plan(take, asked, before, read_take(original_of(request.source)))
    hooks.on_progress("refining", 0, 1000)
    people = []
    for number, person in enumerate(plan.people, start=1):
        refined = _refined(take, person, asked.spread)
        for row in np.flatnonzero(refined.changed):
            if person.frames[row] == fail_at:
                raise HmdiffError("refine.failed", f"Frame {fail_at} cannot be refined.", "It is the fake's knob.")
            time.sleep(delay)
            if hooks.should_stop():
                return JobOutcome(0, (), cancelled=True)
        people.append(refined)
        hooks.on_progress("refining", 1000 * number // len(plan.people), 1000)
    changed = tuple(people)
    if asked.write:
        write_refined(take, request.take, plan, asked, changed)
    count = 0
    for index, seconds, rows in changed_rows(take, changed, asked.vertices):
        hooks.on_frame(index, seconds, frame_arrays(rows, asked.vertices))
        count += 1
    tracks = tuple(one.plan.track_id for one in changed if one.changed.any())
    return JobOutcome(count, tracks, ("Nothing of this is real.",))


def _refined(take: Take, plan: PersonPlan, spread: int) -> RefinedPerson:
    pose, transl = plan.start_pose.copy(), plan.start_transl.copy()
    joints = _joints(take, plan.betas, pose, transl)
    for row, edit in plan.edits:
        if plan.edited[row] and not edit.remove:
            joint = edit.point - N_LANDMARKS if edit.point >= N_LANDMARKS else LANDMARK_JOINTS[edit.point]
            where, depth = joints[row, joint], joints[row, joint, 2]
            wanted = (np.array([edit.x, edit.y]) - take.center) / take.focal[plan.positions[row]] * depth
            transl[row, :2] += wanted - where[:2]
            joints[row, :, :2] += wanted - where[:2]
    shares = falloff(plan.frames, plan.keyed, plan.pinned, spread)
    pose, transl, changed = spread_change(plan.pose, plan.transl, pose, transl, shares)
    joints = _joints(take, plan.betas, pose, transl)
    focal = take.focal[plan.positions][:, None, None]
    points = joints[..., :2] / joints[..., 2:] * focal + np.array(take.center, np.float32)
    return refined_person(take, plan, pose, transl, joints, points.astype(np.float32), changed)


def _joints(take: Take, betas: Array, pose: Array, transl: Array) -> Array:
    rest = rest_shape(take.body, betas)[1]
    rotations = rotation_matrices(pose.reshape(-1, 24, 3))
    return joint_transforms(take.body.parents, rest, rotations)[1] + transl[:, None]
