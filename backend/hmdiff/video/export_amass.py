"""A take as AMASS-style .npz files, one per person; the fields are hmdiff_wire.amass's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire import amass
from hmdiff_wire.rate import nominal_rate
from hmdiff_wire.take import Take
from hmdiff_wire.world import ground_offset, pelvis, sole_heights, world_from_camera
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from .files import written_whole

Array = NDArray[np.floating[Any]]


def export_amass(take: Take, path: Path) -> list[Path]:
    """NAME.amass.npz for one person, NAME_1.amass.npz and so on by track id for several.

    The frames of a file lie evenly from the take's first to its last; where the footage's do not, and where the person
    is not seen, the motion between is filled in. Errors: ``output.not_writable``.
    """
    path = Path(path)
    people = [person for person in range(take.n_people) if take.valid[person].any()]
    if not people:
        return []
    fps = nominal_rate(take.times, take.header.fps)
    seconds = take.times - take.times[0]
    grid = np.arange(int(np.floor(seconds[-1] * fps + 0.01)) + 1) / fps
    world = world_from_camera(np.asarray(take.header.up))
    motions = {person: _seen(take, person) for person in people}
    feet = [sole_heights(take.body, take.betas[one], *motions[one][1:], world) for one in people]
    start = pelvis(take.body, take.betas[people[0]], motions[people[0]][2][0], world)
    offset = ground_offset(start, feet)
    written = []
    for person, (at, pose, transl) in motions.items():
        betas = take.betas[person]
        turns = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(len(at), -1, 3, 3)
        rotations = _even(seconds[at], turns, grid)
        rotations[:, 0] = world @ rotations[:, 0]
        rest = pelvis(take.body, betas, np.zeros(3), np.eye(3))
        roots = np.stack([np.interp(grid, seconds[at], transl[:, axis]) for axis in range(3)], axis=1)
        moved = (rest + roots) @ world.T + offset
        target = amass.name_of(path, int(take.track_ids[person]), len(people))
        fields = amass.amass_fields(rotations, moved, rest, betas, fps, take.header.body_name)
        with written_whole(target) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **fields)
        written.append(target)
    return written


def _seen(take: Take, person: int) -> tuple[NDArray[np.integer], Array, Array]:
    """Frames (n,) with a pose, pose (n,72), transl (n,3)."""
    pose, transl = take.read("pose", person).astype(np.float64), take.read("transl", person).astype(np.float64)
    at = np.flatnonzero(take.valid[person] & np.isfinite(pose).all(1) & np.isfinite(transl).all(1))
    return at, pose[at], transl[at]


def _even(seconds: Array, rotations: Array, grid: Array) -> Array:
    """Rotations (n,J,3,3) at seconds (n,) -> (F,J,3,3) at grid (F,), the ends held."""
    if len(seconds) == 1:
        return np.repeat(rotations, len(grid), axis=0)
    inside = np.clip(grid, seconds[0], seconds[-1])
    joints = [
        Slerp(seconds, Rotation.from_matrix(rotations[:, joint]))(inside).as_matrix()
        for joint in range(rotations.shape[1])
    ]
    return np.stack(joints, axis=1)
