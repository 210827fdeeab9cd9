"""From any BVH skeleton to local rotations on the SMPL tree with the rest directions of the project's mocap bundle.

The rule of the bundle (its README): a bone keeps its world direction. With G_j the file's world rotation and A_j the
constant smallest rotation taking our rest direction to the file's, ours is G_j A_j.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hmdiff_wire.body import JOINT_NAMES
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..bodies.anny_rig import PARENTS
from .bvh import Bvh

Float = NDArray[np.float64]

_SIDED = {
    "hip": (0, -1, 0), "knee": (0, -1, 0), "ankle": (0, -0.28, 0.96), "foot": (0, 0, 1), "collar": (0.95, 0.31, 0),
    "shoulder": (1, 0, 0), "elbow": (1, 0, 0), "wrist": (1, 0, 0), "hand": (1, 0, 0),
}  # fmt: skip


def _rest_directions() -> Float:
    rows = []
    for name in JOINT_NAMES:
        side, _, part = name.partition("_")
        direction = np.array(_SIDED.get(part, (0, 1, 0)), float)
        rows.append(direction * ((-1, 1, 1) if side == "right" else (1, 1, 1)))
    return np.stack([row / np.linalg.norm(row) for row in rows])


REST_DIRECTIONS = _rest_directions()
"""(24,3): where each joint's bone points at rest; left is +x, the face looks to +z."""

FEET, SPINE, NECK, HEAD = (7, 8, 10, 11), (0, 3, 6, 9), 12, 15
HEAD_PITCH = -6.0

_BODY = {
    # joint: names for it. cgspeed's files for MotionBuilder, which una-dinosauria's collection carries unchanged.
    "motionbuilder": {
        "pelvis": "hips", "spine1": "lowerback", "spine2": "spine", "spine3": "spine1", "neck": "neck1 neck",
        "head": "head", "hip": "{0}upleg", "knee": "{0}leg", "ankle": "{0}foot", "foot": "{0}toebase",
        "collar": "{0}shoulder", "shoulder": "{0}arm", "elbow": "{0}forearm", "wrist": "{0}fingerbase {0}hand",
    },
    # cgspeed's files for 3ds Max, and Biovision's own names.
    "biovision": {
        "pelvis": "hips hip", "spine1": "chest", "spine2": "chest2", "spine3": "chest3 chest4", "neck": "neck1 neck",
        "head": "head", "hip": "{0}hip {0}upleg", "knee": "{0}knee {0}lowleg", "ankle": "{0}ankle {0}foot",
        "foot": "{0}toe", "collar": "{0}collar", "shoulder": "{0}shoulder {0}uparm", "elbow": "{0}elbow {0}lowarm",
        "wrist": "{0}wrist {0}hand",
    },
    # cgspeed's files for Daz Studio and Poser.
    "daz": {
        "pelvis": "hip", "spine1": "abdomen", "spine3": "chest", "neck": "neck", "head": "head", "hip": "{1}thigh",
        "knee": "{1}shin", "ankle": "{1}foot", "foot": "{1}toe", "collar": "{1}collar", "shoulder": "{1}shldr",
        "elbow": "{1}forearm", "wrist": "{1}hand",
    },
}  # fmt: skip
_NEEDED = (
    "pelvis",
    "head",
    *(f"{s}_{p}" for s in ("left", "right") for p in ("hip", "knee", "ankle", "shoulder", "elbow")),
)


def joint_map(bvh: Bvh, path: Path) -> dict[int, int]:
    """SMPL joint -> joint of the file, by the names the CMU conversions use. Errors: ``mocap.unknown_skeleton``."""
    places = {name.split(":")[-1].lower(): k for k, name in reversed(list(enumerate(bvh.names)))}
    best: dict[int, int] = {}
    for names in _BODY.values():
        found = {}
        for joint, name in enumerate(JOINT_NAMES):
            side, _, part = name.partition("_")
            options = names.get(part if part in _SIDED else name, "").format(side, side[0]).split()
            hit = next((places[option] for option in options if option in places), None)
            if hit is not None:
                found[joint] = hit
        if len(found) > len(best):
            best = found
    missing = [name for name in _NEEDED if JOINT_NAMES.index(name) not in best]
    if missing:
        raise HmdiffError(
            "mocap.unknown_skeleton", f"{path.name} has an unknown skeleton: there is no {missing[0]} in it.",
            "Use CMU motion capture as BVH (joints Hips, LeftUpLeg, ... or hip, lThigh, ...), or AMASS .npz files.",
            f"{path}: {', '.join(bvh.names)}",
        )  # fmt: skip
    return best


def retarget(bvh: Bvh, path: Path) -> Float:
    """Local rotations (F,24,3,3) on the SMPL tree, y up. Joints the file lacks stay at rest.

    Errors: ``mocap.unknown_skeleton``.
    """
    mapped = joint_map(bvh, path)
    rest = _rest_positions(bvh)
    frame = _rest_frame(rest, mapped, path)
    upright = _smallest_rotation(frame[:, 1], np.array([0.0, 1.0, 0.0]))
    theirs = bvh.world_rotations()
    world = np.empty((len(theirs), len(JOINT_NAMES), 3, 3))
    corrections: dict[int, Float] = {}
    for joint, parent in enumerate(PARENTS):
        if joint not in mapped:
            world[:, joint] = world[:, parent]
            continue
        # CMU draws the feet rolled along with legs that are spread at rest, so a foot starts from its leg's correction.
        start = corrections.get(parent, np.eye(3)) if joint in FEET else np.eye(3)
        bone = None if joint == 0 else _bone(bvh, mapped[joint], mapped[HEAD])
        turn = np.eye(3) if bone is None else _smallest_rotation(start @ frame @ REST_DIRECTIONS[joint], bone)
        corrections[joint] = turn @ start
        world[:, joint] = upright @ theirs[:, mapped[joint]] @ corrections[joint] @ frame
    _share_forearm_twist(world)
    local = world.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            local[:, joint] = world[:, parent].transpose(0, 2, 1) @ world[:, joint]
    return local


def _rest_positions(bvh: Bvh) -> Float:
    positions = np.zeros((len(bvh.names), 3))
    for joint, parent in enumerate(bvh.parents):
        if parent >= 0:
            positions[joint] = positions[parent] + bvh.offsets[joint]
    return positions


def _rest_frame(rest: Float, mapped: dict[int, int], path: Path) -> Float:
    """(3,3): columns are left, up and front of the file's rest pose, each along an axis of the file."""
    at = {name: rest[mapped[JOINT_NAMES.index(name)]] for name in ("left_hip", "right_hip", "head")}
    left = _nearest_axis(at["left_hip"] - at["right_hip"])
    up = _nearest_axis(at["head"] - (at["left_hip"] + at["right_hip"]) / 2)
    if abs(left @ up) > 0.5:
        raise HmdiffError(
            "mocap.unknown_skeleton", f"{path.name} has a rest pose that is not a standing person.",
            "Use CMU motion capture as BVH, or AMASS .npz files.", f"{path}: left {left}, up {up}",
        )  # fmt: skip
    return np.stack([left, up, np.cross(left, up)], axis=1)


def _nearest_axis(direction: Float) -> Float:
    axis = np.zeros(3)
    largest = int(np.abs(direction).argmax())
    axis[largest] = np.sign(direction[largest]) or 1.0
    return axis


def _bone(bvh: Bvh, joint: int, head: int) -> Float | None:
    """Direction of a joint's own bone at rest: towards the head along the trunk, the middle finger in a hand, else to
    the first child that lies elsewhere. None for a joint without length.
    """
    children = [k for k, parent in enumerate(bvh.parents) if parent == joint]
    above = {head}
    while (parent := bvh.parents[min(above)]) >= 0:
        above.add(parent)
    onward = [k for k in children if k in above] or [k for k in children if "mid" in bvh.names[k].lower()]
    onward = onward or [k for k in children if "thumb" not in bvh.names[k].lower()]
    for offset in [bvh.offsets[k] for k in onward] or [bvh.end_offsets.get(joint, np.zeros(3))]:
        length = float(np.linalg.norm(offset))
        if length > 1e-6:
            return offset / length
    return None


def level_heads(local: Float) -> Float:
    """The same rotations (F,24,3,3) with all heads of one subject nodded by the same angle, to look ahead on average.

    CMU's head markers sit differently on everyone, so the recorded head is pitched by up to 30 degrees. As in the
    bundle, the median pitch of the upright frames becomes -6 degrees (a little down). With too few, nothing changes.
    """
    world = np.broadcast_to(np.eye(3), (len(local), 3, 3))
    for joint in SPINE:
        world = world @ local[:, joint]
    upright = world[:, 1, 1] > np.cos(np.radians(30))
    for joint in (NECK, HEAD):
        world = world @ local[:, joint]
    if upright.sum() < 15:
        return local
    pitch = np.degrees(np.arcsin(np.clip(world[upright, 1, 2], -1, 1)))
    nod = np.clip(np.median(pitch) - HEAD_PITCH, -40, 40)
    levelled = local.copy()
    levelled[:, HEAD] = local[:, HEAD] @ Rotation.from_euler("x", nod, degrees=True).as_matrix()
    return levelled


def _share_forearm_twist(world: Float) -> None:
    """Move half of the turn about the forearm's own axis from the wrist to the elbow, in place (as in the bundle).

    CMU's forearm cannot twist: all of it is in the wrist, where linear blend skinning would wring the skin.
    """
    for side in ("left", "right"):
        elbow, wrist = JOINT_NAMES.index(f"{side}_elbow"), JOINT_NAMES.index(f"{side}_wrist")
        axis = REST_DIRECTIONS[elbow]
        local = Rotation.from_matrix(world[:, elbow].transpose(0, 2, 1) @ world[:, wrist]).as_quat()
        angle = 2 * np.arctan2(local[:, :3] @ axis, local[:, 3])
        angle = (angle + np.pi) % (2 * np.pi) - np.pi
        world[:, elbow] = world[:, elbow] @ Rotation.from_rotvec(angle[:, None] / 2 * axis).as_matrix()


def _smallest_rotation(source: Float, target: Float) -> Float:
    axis = np.cross(source, target)
    sine, cosine = float(np.linalg.norm(axis)), float(source @ target)
    if sine < 1e-9:
        if cosine > 0:
            return np.eye(3)
        axis, sine = np.cross(source, np.eye(3)[int(np.abs(source).argmin())]), 0.0
        axis = axis / np.linalg.norm(axis)
        return Rotation.from_rotvec(np.pi * axis).as_matrix()
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, cosine)).as_matrix()
