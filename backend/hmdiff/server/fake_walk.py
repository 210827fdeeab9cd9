"""The fake's people: bodies that walk on ellipses about four metres before the camera, as rows of a take.

Everything follows from track, frame and time alone, so that a resumed run continues the same motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hmdiff_wire.body import BodyData, joint_transforms, rest_shape, rotation_matrices
from hmdiff_wire.take import PersonFrame
from numpy.typing import NDArray

Array = NDArray[np.float32]
GROUND_M = 0.88
STEP_RATE = 5.0
TURN_RATE = 0.6
LANDMARK_JOINTS = (
    [15] * 11 + [16, 17, 18, 19, 20, 21] + [22, 23] * 3 + [1, 2, 4, 5, 7, 8, 7, 8, 10, 11]
)  # fmt: skip
"""For each BlazePose landmark the joint it lies nearest to."""


@dataclass(frozen=True)
class Camera:
    """focal px; width, height px of the picture, whose middle is the principal point."""

    focal: float
    width: int
    height: int

    def project(self, points: Array) -> Array:
        """(...,3) metres, camera axes -> (...,2) px."""
        middle = np.array([self.width / 2, self.height / 2], np.float32)
        return points[..., :2] / points[..., 2:] * np.float32(self.focal) + middle


def track_betas(track: int) -> Array:
    """(10,) one body shape per person."""
    return np.random.default_rng(track).normal(0, 0.5, 10).astype(np.float32)


class Walkers:
    """The people of one run, who share a body and a camera."""

    def __init__(self, body: BodyData, camera: Camera) -> None:
        self.body, self.camera = body, camera
        self._rest: dict[int, Array] = {}
        middle = body.v_template.mean(0)
        # The farther out on the limbs, the less sure.
        self._spread = (0.005 + 0.03 * np.linalg.norm(body.v_template - middle, axis=1)).astype(np.float32)

    def walk(self, track: int, times: NDArray[np.float64]) -> tuple[Array, Array, Array]:
        """times (F,) s -> pose (F,72), transl (F,3), joints (F,24,3) in camera space, feet on one ground."""
        t = np.asarray(times, np.float64)
        turn, step = TURN_RATE * t + 2.1 * track, STEP_RATE * t + track
        pose = np.zeros((len(t), 24, 3))
        pose[:, 0] = _facing(0.8 * np.cos(turn), -0.3 * np.sin(turn))
        swing = np.sin(step)
        pose[:, 1, 0], pose[:, 2, 0] = -0.45 * swing, 0.45 * swing
        pose[:, 4, 0], pose[:, 5, 0] = (0.15 + 0.45 * np.maximum(0, sign * np.cos(step)) for sign in (1, -1))
        for joint, side in ((16, -1.0), (17, 1.0)):
            pose[:, joint] = _then(_about(0, -side * 0.35 * swing), _about(2, np.full(len(t), side * 1.25)))
        pose[:, 18, 1], pose[:, 19, 1] = -0.25, 0.25
        flat = pose.reshape(-1, 72).astype(np.float32)
        joints = self.joints(track, flat, np.zeros((len(t), 3), np.float32))
        drop = joints[..., 1].max(1) - joints[:, 0, 1]
        beside = 0.9 * (track % 3) * (-1) ** track
        path = [0.8 * np.sin(turn) + beside, GROUND_M - drop, 4.3 + 0.3 * np.cos(turn)]
        pelvis = np.stack(path, 1).astype(np.float32)
        return flat, pelvis - joints[:, 0], joints - joints[:, :1] + pelvis[:, None]

    def joints(self, track: int, pose: Array, transl: Array) -> Array:
        """pose (F,72), transl (F,3) -> (F,24,3) camera space."""
        if track not in self._rest:
            self._rest[track] = rest_shape(self.body, track_betas(track))[1]
        rotations = rotation_matrices(pose.reshape(-1, 24, 3))
        return joint_transforms(self.body.parents, self._rest[track], rotations)[1] + transl[:, None]

    def row(self, track: int, index: int, time: float, hypotheses: int) -> PersonFrame:
        """One person in one frame as an estimate would be: a little off the true walk, with samples around it."""
        noise = np.random.default_rng((track, index))
        true, transl, _ = self.walk(track, np.array([time]))
        pose = true[0] + np.concatenate([np.zeros(3), noise.normal(0, 0.01, 69)]).astype(np.float32)
        joints = self.joints(track, pose[None], transl)[0]
        poses, places = _samples(pose, transl[0], track, hypotheses)
        points = self.camera.project(joints)
        landmarks = np.concatenate([points[LANDMARK_JOINTS], np.full((33, 1), 0.9, np.float32)], 1)
        low, high = points.min(0) - 12, points.max(0) + 12
        inside = (points >= 0).all() and (points <= (self.camera.width, self.camera.height)).all()
        return PersonFrame(
            track_id=track, status="ok" if inside else "truncated", box=np.concatenate([low, high]),
            betas=track_betas(track) + noise.normal(0, 0.02, 10).astype(np.float32), pose=pose, transl=transl[0],
            joints=joints, joints_2d=points, landmarks_2d=landmarks,
            hypotheses_pose=poses, hypotheses_transl=places, hypotheses_joints=self.joints(track, poses, places),
            hypotheses_score=-np.arange(hypotheses, dtype=np.float32), vertex_std=self._spread,
        )  # fmt: skip


def _samples(pose: Array, transl: Array, track: int, count: int) -> tuple[Array, Array]:
    """(N,72) and (N,3): sample 0 is the estimate, the others lie around it, each the same way in every frame."""
    noise = np.random.default_rng(1000 + track)
    poses, places = np.repeat(pose[None], count, 0), np.repeat(transl[None], count, 0)
    poses[1:, 3:] += noise.normal(0, 0.08, (count, 69))[1:].astype(np.float32)
    places[1:, 2] += noise.normal(0, 0.05, count)[1:].astype(np.float32)
    return poses, places


def _facing(x: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Axis-angle (F,3) of an upright body that looks along (x, z): half a turn about the camera's x, then about y."""
    half = np.arctan2(-x, -z) / 2
    return np.pi * np.stack([np.cos(half), np.zeros_like(half), -np.sin(half)], 1)


def _about(axis: int, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.zeros((len(angle), 3))
    out[:, axis] = angle
    return out


def _then(second: NDArray[np.float64], first: NDArray[np.float64]) -> NDArray[np.float64]:
    """Axis-angles (F,3) of ``first`` followed by ``second``, by their quaternions' product."""
    (a, v), (b, u) = _quaternion(second), _quaternion(first)
    scalar = a * b - (v * u).sum(1, keepdims=True)
    vector = a * u + b * v + np.cross(v, u)
    length = np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-12)
    return 2 * np.arctan2(length, scalar) * vector / length


def _quaternion(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    angle = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.cos(angle / 2), np.sin(angle / 2) * vectors / angle
