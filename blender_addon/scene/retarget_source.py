"""What a clip's armature does, as numbers: how every joint has turned and where the hips are, in Blender's world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import JOINT_NAMES, joint_transforms, rotation_matrices
from hmdiff_wire.errors import HmdiffError
from mathutils import Matrix
from numpy.typing import NDArray

from . import compat, naming
from .axes import BODY_TO_BLENDER

Array = NDArray[np.floating[Any]]

HIPS = tuple(JOINT_NAMES.index(name) for name in ("left_hip", "right_hip"))
ANKLES = tuple(JOINT_NAMES.index(name) for name in ("left_ankle", "right_ankle"))
BALLS = tuple(JOINT_NAMES.index(name) for name in ("left_foot", "right_foot"))
KNEES = tuple(JOINT_NAMES.index(name) for name in ("left_knee", "right_knee"))
BARE_SOLE = 0.02  # metres from the ball of the foot to the ground, where no mesh tells


@dataclass(frozen=True)
class SourceMotion:
    """n poses. frames (n,); turned (n,24,3,3): world rotation of each joint away from rest; joints (n,24,3) world;
    rest (24,3): joints in the rest pose, oriented as in the world, metres; soles (24,): how far each joint is above the
    ground at rest (of use for ankles and balls); floor: height of the ground in the world; facing (3,3): columns left,
    up and front of the body at rest, in the world.
    """

    frames: Array
    turned: Array
    joints: Array
    rest: Array
    soles: Array
    floor: float
    facing: Array

    @property
    def hips(self) -> Array:
        """Between the hip joints (n,3)."""
        return self.joints[:, HIPS].mean(1)

    @property
    def leg(self) -> float:
        """Hip to ankle along the leg, metres."""
        thigh = np.linalg.norm(self.rest[list(HIPS)] - self.rest[list(KNEES)], axis=1)
        shin = np.linalg.norm(self.rest[list(KNEES)] - self.rest[list(ANKLES)], axis=1)
        return float((thigh + shin).mean())


def read_source(armature: Any, frames: Array | None = None) -> SourceMotion:
    """The motion of one of our armatures. frames (n,): scene frames to read, by default those that carry keys.

    Errors: ``retarget.no_source`` for an armature without our joints or without motion.
    """
    bones = armature.data.bones
    if not all(name in bones for name in JOINT_NAMES):
        raise HmdiffError(
            "retarget.no_source", f"{armature.name} is not a skeleton of HMDiff.", "Choose the clip's own armature."
        )
    frames = key_frames(armature) if frames is None else np.asarray(frames, np.float64)
    rest = np.array([np.array(bones[name].matrix_local) for name in JOINT_NAMES])
    basis = _channels(armature, frames)
    posed = np.empty_like(basis)
    for joint, name in enumerate(JOINT_NAMES):
        parent = bones[name].parent
        if parent is None:
            posed[:, joint] = rest[joint] @ basis[:, joint]
        else:
            above = JOINT_NAMES.index(parent.name)
            posed[:, joint] = posed[:, above] @ (np.linalg.inv(rest[above]) @ rest[joint]) @ basis[:, joint]
    world = np.array(armature.matrix_world)
    turn, scale = _turn_and_scale(armature.matrix_world)
    delta = posed[..., :3, :3] @ rest[:, :3, :3].transpose(0, 2, 1)
    turned = turn @ delta @ turn.T
    joints = posed[..., :3, 3] @ world[:3, :3].T + world[:3, 3]
    at_rest = scale * rest[:, :3, 3] @ turn.T
    soles = at_rest[:, 2] - (at_rest[:, 2].min() - _below(armature, rest) * scale)
    lowest = (joints[:, [*ANKLES, *BALLS], 2] - soles[[*ANKLES, *BALLS]]).min(axis=1)
    return SourceMotion(
        frames, turned, joints, at_rest, soles, float(np.percentile(lowest, 1.0)), turn @ BODY_TO_BLENDER
    )


def source_of_pose(armature: Any, pose: Array, transl: Array, world: Array) -> SourceMotion:
    """One pose that the person of ``armature`` does not play: pose (72,) axis-angle, transl (3,) in the camera frame;
    world (3,3) leads from there to the space of the clip's root.
    """
    bones = armature.data.bones
    rest = np.array([np.array(bones[name].matrix_local) for name in JOINT_NAMES])
    joints = rest[:, :3, 3] @ BODY_TO_BLENDER
    parents = np.array(
        [JOINT_NAMES.index(bones[name].parent.name) if bones[name].parent else -1 for name in JOINT_NAMES], np.int32
    )
    turns, places = joint_transforms(
        parents, joints.astype(np.float32), rotation_matrices(pose.astype(np.float32).reshape(1, -1, 3))
    )
    root = armature.parent.matrix_world if armature.parent else armature.matrix_world
    turn, scale = _turn_and_scale(root)
    matrix = np.array(root)
    facing = turn @ BODY_TO_BLENDER
    turned = turn @ world @ turns.astype(np.float64) @ facing.T
    posed = (places + transl).astype(np.float64) @ world.T @ matrix[:3, :3].T + matrix[:3, 3]
    at_rest = scale * joints @ facing.T
    soles = scale * (joints[:, 1] - joints[:, 1].min() + _below(armature, rest))
    lowest = (posed[:, [*ANKLES, *BALLS], 2] - soles[[*ANKLES, *BALLS]]).min()
    return SourceMotion(np.zeros(1), turned, posed, at_rest, soles, float(lowest), facing)


def key_frames(armature: Any) -> Array:
    """Where the motion has keys; every frame of its range where somebody has made curves that are not straight.

    Errors: ``retarget.no_source`` where there is no motion.
    """
    found: list[Array] = []
    straight = True
    for curve in compat.iter_fcurves(armature):
        points = curve.keyframe_points
        if not curve.data_path.startswith("pose.bones") or not len(points):
            continue
        times, kinds = np.empty(2 * len(points), np.float32), np.empty(len(points), np.int32)
        points.foreach_get("co", times)
        points.foreach_get("interpolation", kinds)
        found.append(times[::2].astype(np.float64))
        straight = straight and len(curve.modifiers) == 0 and bool((kinds == compat.INTERPOLATION["LINEAR"]).all())
    if not found:
        raise HmdiffError(
            "retarget.no_source", f"{armature.name} does not move.", "Import a take, or show one of its hypotheses."
        )
    every = np.unique(np.round(np.concatenate(found), 4))
    return every if straight else np.arange(np.ceil(every[0]), np.floor(every[-1]) + 1)


def of_clip(clip: str, person: int | None = None) -> Any:
    """The armature of a person in a clip; of the only one where nobody is named. Errors: ``retarget.no_source``."""
    found = [item for item in naming.find("armature", clip) if person in (None, item.get(naming.PERSON))]
    if not found:
        raise HmdiffError("retarget.no_source", "This clip has no armature.", "Import its take again.")
    return found[0]


def _channels(armature: Any, frames: Array) -> Array:
    """Each joint's own transform (n,24,4,4) at these frames, from its F-curves; what is not keyed stays as it is."""
    curves = {(curve.data_path, curve.array_index): curve for curve in compat.iter_fcurves(armature)}
    basis = np.tile(np.eye(4), (len(frames), len(JOINT_NAMES), 1, 1))
    for joint, name in enumerate(JOINT_NAMES):
        bone = armature.pose.bones[name]
        path = f'pose.bones["{name}"]'
        rotation = "rotation_quaternion" if bone.rotation_mode == "QUATERNION" else "rotation_euler"
        if bone.rotation_mode == "AXIS_ANGLE":
            rotation = "rotation_axis_angle"
        turned = _sampled(curves, f"{path}.{rotation}", getattr(bone, rotation), frames)
        basis[:, joint, :3, :3] = _matrices(turned, bone.rotation_mode)
        basis[:, joint, :3, 3] = _sampled(curves, f"{path}.location", bone.location, frames)
    return basis


def _sampled(curves: dict[tuple[str, int], Any], path: str, still: Any, frames: Array) -> Array:
    columns = []
    for index, value in enumerate(still):
        curve = curves.get((path, index))
        columns.append(np.full(len(frames), float(value)) if curve is None else _evaluated(curve, frames))
    return np.stack(columns, axis=1)


def _evaluated(curve: Any, frames: Array) -> Array:
    return np.array([curve.evaluate(frame) for frame in frames.tolist()])


def _matrices(values: Array, mode: str) -> Array:
    """Keyed rotation values (n,4) or (n,3) -> matrices (n,3,3)."""
    if mode == "QUATERNION":
        w, x, y, z = (values / np.linalg.norm(values, axis=1, keepdims=True)).T
        return np.stack(
            [
                1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
                2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
            ],
            axis=1,
        ).reshape(-1, 3, 3)  # fmt: skip
    if mode == "AXIS_ANGLE":
        return np.array([np.array(Matrix.Rotation(row[0], 3, row[1:])) for row in values])
    from mathutils import Euler

    return np.array([np.array(Euler(row, mode).to_matrix()) for row in values])


def _turn_and_scale(matrix: Any) -> tuple[Array, float]:
    _, rotation, scale = matrix.decompose()
    return np.array(rotation.to_matrix()), float(np.mean(np.abs(scale)))


def _below(armature: Any, rest: Array) -> float:
    """How far the ground is under the lowest joint at rest, by the mesh that hangs on the armature."""
    lowest = rest[:, 2, 3].min()
    clip, person = armature.get(naming.CLIP), armature.get(naming.PERSON)
    for item in bpy.data.objects:
        if item.parent == armature and item.get(naming.ROLE) == "rigged" and item.get(naming.CLIP) == clip:
            if item.get(naming.PERSON) == person:
                return float(max(0.0, lowest - _lowest_vertex(item)))
    return BARE_SOLE


def _lowest_vertex(item: Any) -> float:
    count = 3 * len(item.data.vertices)
    values = np.empty(count, np.float32)
    item.data.vertices.foreach_get("co", values)
    keys = item.data.shape_keys
    if keys is not None and keys.use_relative:
        base, shape = np.empty(count, np.float32), np.empty(count, np.float32)
        keys.reference_key.points.foreach_get("co", base)
        values = base.copy()
        for key in keys.key_blocks:
            if key != keys.reference_key and key.value:
                key.points.foreach_get("co", shape)
                values += key.value * (shape - base)
    return float(values[2::3].min())
