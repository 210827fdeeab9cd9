"""Exact truth of one person in one picture: parameters, joints, landmarks, what hides what, mask, boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...bodies.joint_maps import J14_OF_24
from .anatomy import Anatomy
from .cameras import Camera
from .person import Person
from .renderer import Picture

Floats = NDArray[np.floating]

HIDDEN_SELF, HIDDEN_OBJECT, HIDDEN_PERSON, OUTSIDE = 1, 2, 4, 8
"""Bits of a joint's ``hidden``: behind the person's own body, a thing, another person; not in the picture."""

_NEAR_DEPTH = 0.02
_TOUCHING = 0.04
"""A surface no further before a joint than this (m) never hides it."""
_TORSO = (0, 3, 6, 9, 12, 13, 14)
_DEEP = {0: 0.28, 1: 0.22, 2: 0.22, 3: 0.3, 6: 0.3, 9: 0.3, 12: 0.16, 13: 0.24, 14: 0.24, 15: 0.17, 16: 0.17, 17: 0.17}
_LIMB_DEEP, _FACE_DEEP = 0.25, 0.07
"""How much flesh (m) a large person has before a joint, seen from anywhere; a limb may point at the camera."""
_JOINT_OF_LANDMARK = (*(15,) * 11, 16, 17, 18, 19, 20, 21, 22, 23, 22, 23, 22, 23, 1, 2, 4, 5, 7, 8, 7, 8, 10, 11)


@dataclass(frozen=True)
class JointProbe:
    """How to read landmarks and joints off the body. regressor (33,V'), used (V',): landmarks from some vertices;
    sample (S,) vertices with part (S,), the joint each moves with; near (57,24): parts that belong to the 24 joints and
    33 landmarks and so do not hide them; deep (57,): how deep in the flesh these points may lie (m)."""

    regressor: Floats
    used: NDArray[np.int64]
    sample: NDArray[np.int64]
    part: NDArray[np.int64]
    near: NDArray[np.bool_]
    deep: Floats


def make_probe(anatomy: Anatomy, landmarks: Floats) -> JointProbe:
    """landmarks (33,V): the detector's points on this body."""
    used = np.flatnonzero(np.abs(landmarks).sum(0))
    sample = np.arange(0, len(anatomy.rest), 4)
    joined = np.eye(24, dtype=bool)
    for joint, parent in enumerate(anatomy.body.parents):
        if parent >= 0:
            joined[joint, parent] = joined[parent, joint] = True
    joined[np.ix_(_TORSO, _TORSO)] = True
    joints = np.array([*range(24), *_JOINT_OF_LANDMARK])
    deep = np.array([_DEEP.get(joint, _LIMB_DEEP) for joint in joints], np.float32)
    deep[24:35] = _FACE_DEEP
    return JointProbe(landmarks[:, used].astype(np.float32), used, sample, anatomy.part[sample], joined[joints], deep)


def person_truth(
    probe: JointProbe, person: Person, index: int, time: float, camera: Camera, picture: Picture
) -> dict[str, Any] | None:
    """One row of a shard's truth (see ``shards``), None for who is not in the picture at all.

    Camera axes are OpenCV's. hidden_*: bits HIDDEN_SELF | HIDDEN_OBJECT | HIDDEN_PERSON | OUTSIDE.
    """
    bare = picture.bare[index]
    mask = picture.owner == index + 1
    if bare is None or not (mask.any() or np.isfinite(bare.depth).any()):
        return None
    pose = person.pose(time)
    root = camera.rotation @ pose.rotations[0]
    local = np.concatenate([root[None], pose.rotations[1:]])
    joints = camera.to_camera(pose.joints)
    vertices = camera.to_camera(bare.vertices)
    landmarks = probe.regressor @ vertices[probe.used]
    points = np.concatenate([joints, landmarks])
    flat = camera.project(points)
    own = _behind_oneself(probe, points, flat, vertices, bare.depth, camera)
    hidden = _hidden(points, flat, own, picture, index + 1)
    return {
        "betas": person.betas,
        "pose": Rotation.from_matrix(local).as_rotvec().astype(np.float32),
        "transl": (joints[0] - person.rest_joints[0]).astype(np.float32),
        "joints": joints.astype(np.float32),
        "joints_2d": flat[:24].astype(np.float32),
        "landmarks": landmarks.astype(np.float32),
        "landmarks_2d": flat[24:].astype(np.float32),
        "joints14": joints[list(J14_OF_24)].astype(np.float32),
        "hidden_joints": hidden[:24],
        "hidden_landmarks": hidden[24:],
        "box": _extent(camera.project(vertices)),
        "box_seen": _mask_box(mask),
        "seen_share": np.float32(mask.sum() / max(np.isfinite(bare.depth).sum(), 1)),
        "height_px": np.float32(np.ptp(flat[24:, 1])),
        "azimuth": np.float32(_azimuth(root)),
        "elevation": np.float32(_elevation(camera, joints[0])),
    }


def _behind_oneself(
    probe: JointProbe, points: NDArray[np.float64], flat: NDArray[np.float64], vertices: NDArray[np.float64],
    depth: Floats, camera: Camera,
) -> NDArray[np.bool_]:  # fmt: skip
    """(57,) whether what is seen of the unclothed body before a point is another part of it, or too far before it."""
    column, row = _cells(flat, depth.shape)
    front = depth[row, column].astype(np.float64)
    gap = np.where(np.isfinite(front), points[:, 2] - front, -1.0)
    # the spot of the skin that is seen there, and which part of the body it is
    ray = (np.stack([column, row], 1) + 0.5 - np.array([camera.width, camera.height]) / 2) / camera.focal
    seen = np.concatenate([ray, np.ones((len(ray), 1))], 1) * np.where(np.isfinite(front), front, 0.0)[:, None]
    sample = vertices[probe.sample]
    nearest = (sample**2).sum(1)[None] - 2 * seen @ sample.T
    foreign = ~probe.near[np.arange(len(points)), probe.part[nearest.argmin(1)]]
    return ((gap > _TOUCHING) & foreign) | (gap > probe.deep)


def _cells(flat: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Column and row of the pixels under px points (N,2), clipped to the picture."""
    column, row = np.floor(flat[:, 0]).astype(np.int64), np.floor(flat[:, 1]).astype(np.int64)
    return column.clip(0, shape[1] - 1), row.clip(0, shape[0] - 1)


def _hidden(
    points: NDArray[np.float64], flat: NDArray[np.float64], own: NDArray[np.bool_], picture: Picture, owner: int
) -> NDArray[np.uint8]:
    height, width = picture.owner.shape
    outside = ((flat < 0) | (flat >= np.array([width, height]))).any(1) | (points[:, 2] < 0.1)
    column, row = _cells(flat, picture.owner.shape)
    front, nearest = picture.owner[row, column], picture.depth[row, column]
    before = (nearest < points[:, 2] - _NEAR_DEPTH) & (front != owner)
    bits = own * HIDDEN_SELF + (before & (front == 0)) * HIDDEN_OBJECT + (before & (front > 0)) * HIDDEN_PERSON
    return np.where(outside, OUTSIDE, bits).astype(np.uint8)


def _extent(points: NDArray[np.float64]) -> Floats:
    return np.concatenate([points.min(0), points.max(0)]).astype(np.float32)


def _mask_box(mask: NDArray[np.bool_]) -> Floats:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.full(4, np.nan, np.float32)
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def _azimuth(root: NDArray[np.float64]) -> float:
    """Radians the body is turned about its own up axis: 0 faces the camera, positive shows the right side first."""
    facing, up = root[:, 2], root[:, 1]
    to_camera = np.array([0.0, 0.0, -1.0])
    to_camera = to_camera - up * (to_camera @ up)
    side = root[:, 0]
    return float(np.arctan2(-(to_camera @ side), to_camera @ facing))


def _elevation(camera: Camera, pelvis: NDArray[np.float64]) -> float:
    """Radians from which the camera looks down on the pelvis."""
    up = camera.rotation @ np.array([0.0, 1.0, 0.0])
    return float(np.arcsin(np.clip(-(pelvis / np.linalg.norm(pelvis)) @ up, -1, 1)))
