"""A request held against a take: who changes, in which frames, from where. numpy only, so that the fake plans alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hmdiff_wire.body import at_depth_of, rest_shape
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from .request import ONLY_PERSON, Choice, KeypointEdit, RefineRequest, in_force, point_name

Array = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PersonPlan:
    """One person over the n frames in which there is a pose.

    person: 0..P-1 in the take; positions (n,) in the take, frames (n,) source's indices, times (n,) s; betas (10,);
    pose (n,72), transl (n,3) as they are; start_pose, start_transl: with chosen hypotheses in place; edits: all in
    force, as (row, edit); keyed (n,): frames that get a pose of their own, by a new edit or a choice; edited (n,):
    those of new edits; pinned (n,): what a spreading change may not move (locks, earlier edits, frames outside the
    range); locked (n,): the locks; outside (n,): frames outside the range.
    """

    person: int
    track_id: int
    positions: NDArray[np.int64]
    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    betas: Array
    pose: Array
    transl: Array
    start_pose: Array
    start_transl: Array
    edits: tuple[tuple[int, KeypointEdit], ...]
    keyed: Bools
    edited: Bools
    pinned: Bools
    locked: Bools
    outside: Bools


@dataclass(frozen=True)
class Plan:
    """people: those who may change; edits: all in force in the new version."""

    people: tuple[PersonPlan, ...]
    edits: tuple[KeypointEdit, ...]


def make_plan(
    take: Take, request: RefineRequest, before: tuple[KeypointEdit, ...] = (), original: Take | None = None
) -> Plan:
    """before: edits of the version that is refined; original: the take it is a version of, itself if None.

    Errors: ``refine.frame``, ``refine.person``, ``refine.hypothesis`` where the take has no such thing;
    ``refine.nothing`` where nobody is in it.
    """
    if not take.n_people or not take.valid.any():
        raise HmdiffError("refine.nothing", "Nobody is in this take.", "Refine one in which somebody was found.")
    new = tuple(_resolved(take, edit) for edit in request.edits)
    for choice in request.choose:
        _check_choice(take, choice)
    for lock in request.lock:
        _check_frame(take, lock.frame, "lock", lock.track_id)
    if request.frame_range is not None:
        _check_range(take, *request.frame_range)
    for track in request.track_ids or ():
        _check_person(take, track)
    edits = in_force(() if request.forget else before, new)
    everybody = take.track_ids.tolist()
    wanted = everybody if request.track_ids is None else request.track_ids
    if not request.whole_range:
        named = {edit.track_id for edit in new} | {one.track_id for one in request.choose}
        wanted = [track for track in wanted if track in named or None in named]
    takes = take, original or take
    people = [_person(*takes, person, request, edits, new) for person, one in enumerate(everybody) if one in wanted]
    return Plan(tuple(one for one in people if len(one.frames)), edits)


def _person(
    take: Take, original: Take, person: int, request: RefineRequest, edits: tuple[KeypointEdit, ...],
    new: tuple[KeypointEdit, ...],
) -> PersonPlan:  # fmt: skip
    track = int(take.track_ids[person])
    positions = np.flatnonzero(take.valid[person])
    frames = take.frame_indices[positions].astype(np.int64)
    row_of = {int(frame): row for row, frame in enumerate(frames)}
    pose, transl = take.read("pose", person, positions), take.read("transl", person, positions)
    count = len(frames)
    keyed, edited, locked, outside = (np.zeros(count, bool) for _ in range(4))
    if request.frame_range is not None:
        first, end = request.frame_range
        outside = (frames < first) | (frames >= (np.iinfo(np.int64).max if end is None else end))
    for lock in request.lock:
        if lock.track_id in (None, track) and lock.frame in row_of:
            locked[row_of[lock.frame]] = True
    start_pose, start_transl = pose.copy(), transl.copy()
    for choice in request.choose:
        if choice.track_id not in (None, track):
            continue
        rows = np.flatnonzero((frames >= choice.frame) & (frames < choice.end) & ~locked & ~outside)
        if len(rows):
            chosen = _chosen(take, original, person, positions[rows], choice.hypothesis)
            start_pose[rows], start_transl[rows], keyed[rows] = *chosen, True
    mine = tuple((row_of[edit.frame], edit) for edit in edits if edit.track_id == track and edit.frame in row_of)
    for edit in new:
        if edit.track_id == track:
            edited[row_of[edit.frame]] = True
    edited &= ~locked & ~outside
    keyed |= edited
    earlier = np.zeros(count, bool)
    earlier[[row for row, _ in mine]] = True
    return PersonPlan(
        person, track, positions, frames, take.times[positions], take.betas[person], pose, transl, start_pose,
        start_transl, mine, keyed, edited, locked | outside | (earlier & ~keyed), locked, outside,
    )  # fmt: skip


def _chosen(
    take: Take, original: Take, person: int, positions: NDArray[np.int64], hypothesis: int
) -> tuple[Array, Array]:
    """pose (n,72), transl (n,3) of the hypothesis, as deep as the motion that is; the motion of the original for -1;
    what is, where that is not."""
    pose, transl = take.read("pose", person, positions), take.read("transl", person, positions)
    if hypothesis < 0:
        other = original.read("pose", person, positions), original.read("transl", person, positions)
    else:
        root = rest_shape(take.body, take.betas[person])[1][0]
        place = take.read("hypotheses_transl", person, positions)[:, hypothesis]
        other = take.read("hypotheses_pose", person, positions)[:, hypothesis], at_depth_of(place, transl, root)
    known = np.isfinite(other[0]).all(1) & np.isfinite(other[1]).all(1)
    return np.where(known[:, None], other[0], pose), np.where(known[:, None], other[1], transl)


def _resolved(take: Take, edit: KeypointEdit) -> KeypointEdit:
    if edit.track_id == ONLY_PERSON:
        if take.n_people != 1:
            people = ", ".join(map(str, take.track_ids))
            raise HmdiffError(
                "refine.person", f"The edit of {point_name(edit.point)} in frame {edit.frame} does not say of whom.",
                f"Give a track_id: {people}.",
            )  # fmt: skip
        edit = replace(edit, track_id=int(take.track_ids[0]))
    _check_frame(take, edit.frame, f"edit {point_name(edit.point)}", edit.track_id)
    return edit


def _check_person(take: Take, track: int) -> int:
    everybody = take.track_ids.tolist()
    if track not in everybody:
        raise HmdiffError(
            "refine.person", f"Person {track} is not in the take.", f"It has {', '.join(map(str, everybody))}."
        )
    return everybody.index(track)


def _check_frame(take: Take, frame: int, what: str, track: int | None) -> None:
    at = int(np.searchsorted(take.frame_indices, frame))
    first, last = int(take.frame_indices[0]), int(take.frame_indices[-1])
    if at >= take.n_frames or take.frame_indices[at] != frame:
        raise HmdiffError(
            "refine.frame", f"There is no frame {frame} to {what}.", f"The take has frames {first} to {last}."
        )
    if track is None:
        return
    person = _check_person(take, track)
    if not take.valid[person, at]:
        seen = take.frame_indices[take.valid[person]]
        where = f"They are in frames {seen[0]} to {seen[-1]}." if len(seen) else "They are in no frame."
        raise HmdiffError("refine.frame", f"Person {track} is not in frame {frame}; nothing to {what}.", where)


def _check_choice(take: Take, choice: Choice) -> None:
    if choice.hypothesis >= take.n_hypotheses:
        raise HmdiffError(
            "refine.hypothesis", f"The take has no hypothesis {choice.hypothesis}.",
            f"They count from 0, and it has {take.n_hypotheses}; -1 is the estimate.",
        )  # fmt: skip
    _check_frame(take, choice.frame, "choose", choice.track_id)


def _check_range(take: Take, first: int, end: int | None) -> None:
    inside = (take.frame_indices >= first) & (take.frame_indices < (np.iinfo(np.int64).max if end is None else end))
    if not inside.any():
        raise HmdiffError(
            "refine.frame", f"No frame of the take is in the range {first} to {'the end' if end is None else end}.",
            f"It has frames {take.frame_indices[0]} to {take.frame_indices[-1]}.",
        )  # fmt: skip
