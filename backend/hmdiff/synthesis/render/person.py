"""A person in the world: shape, look, motion and place; exact body parameters at any time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hmdiff_wire.body import joint_transforms, rest_shape
from numpy.typing import NDArray

from .anatomy import Anatomy, Floats
from .motion import Motion, MotionLibrary, draw_motion
from .wear import Look, dress

Doubles = NDArray[np.float64]
BETA_LIMIT = 3.0
_SPARSE = 6
"""Every how many vertices are looked at to find the floor."""


@dataclass(frozen=True)
class Pose:
    """One moment in the y-up world: rotations (24,3,3) local, the root's included; transl (3,); joints (24,3);
    bones (24,4,4) that take rest points to the world."""

    rotations: Doubles
    transl: Doubles
    joints: Doubles
    bones: Floats


@dataclass(frozen=True)
class Person:
    """betas (10,); rest (V,3), rest_joints (24,3) of this shape; heading (3,3) and place (3,) in the world."""

    betas: Floats
    rest: Floats
    rest_joints: Floats
    look: Look
    motion: Motion
    heading: Doubles
    place: Doubles
    parents: NDArray[np.int32]

    def pose(self, time: float) -> Pose:
        """time in seconds; 0 is the scene's first frame."""
        rotations, trans = self.motion.at(time + 1 / 30)
        rotations = rotations.copy()
        rotations[0] = self.heading @ rotations[0]
        way = np.zeros(3) if not np.isfinite(trans).all() else self.heading @ (trans * leg_length(self.rest_joints))
        transl = way + self.place - self.rest_joints[0]
        world, joints = joint_transforms(self.parents, self.rest_joints, rotations[None].astype(np.float32))
        world, joints = world[0].astype(np.float64), joints[0] + transl
        bones = np.zeros((24, 4, 4))
        bones[:, :3, :3] = world
        bones[:, :3, 3] = joints - np.einsum("jab,jb->ja", world, self.rest_joints)
        bones[:, 3, 3] = 1
        return Pose(rotations, transl, joints, bones.astype(np.float32))


def leg_length(rest_joints: Floats) -> float:
    return float(np.linalg.norm(rest_joints[[4, 7]] - rest_joints[[1, 4]], axis=-1).sum())


def skin_points(points: Floats, weights: Floats, bones: Floats) -> Floats:
    """points (N,3) at rest with weights (N,24), bones (24,4,4) -> (N,3)."""
    per_point = (weights @ bones[:, :3].reshape(24, 12)).reshape(-1, 3, 4)
    return np.einsum("nab,nb->na", per_point[..., :3], points) + per_point[..., 3]


def draw_betas(rng: np.random.Generator) -> Floats:
    """Mostly normal, as in training; one in four from the whole range."""
    betas = rng.uniform(-2.5, 2.5, 10) if rng.random() < 0.25 else rng.normal(0, 1.2, 10)
    return betas.clip(-BETA_LIMIT, BETA_LIMIT).astype(np.float32)


def draw_person(
    anatomy: Anatomy, library: MotionLibrary, rng: np.random.Generator, spot: Doubles, frames: int, bare: bool = False
) -> Person:
    """Somebody whose first pose stands over spot (2,) = x, z of the world, on the floor y = 0."""
    body = anatomy.body
    betas = draw_betas(rng)
    rest, joints = rest_shape(body, betas)
    rest, joints = rest.astype(np.float32), joints.astype(np.float32)
    look = dress(anatomy, rng, rest, joints, bare)
    motion = draw_motion(library, rng, frames)
    turn = rng.uniform(-np.pi, np.pi)
    heading = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    person = Person(betas, rest, joints, look, motion, heading, np.zeros(3), body.parents)
    return _stand(person, anatomy, spot, frames)


def _stand(person: Person, anatomy: Anatomy, spot: Doubles, frames: int) -> Person:
    points, weights = person.rest[::_SPARSE], anatomy.body.weights[::_SPARSE]
    times = np.arange(0, frames, max(1, frames // 4)) / 30
    poses = [person.pose(float(time)) for time in times]
    lowest = min(float(skin_points(points, weights, pose.bones)[:, 1].min()) for pose in poses)
    middle = poses[0].joints[0]
    place = np.array([spot[0] - middle[0], person.look.lift - lowest, spot[1] - middle[2]])
    return replace(person, place=place)
