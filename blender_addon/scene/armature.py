"""The armature: SMPL's 24 joints as bones in the body's rest pose, keyed with the same motion as the mesh.

The rest pose stands upright facing -y. A bone's rest axes B may point anywhere: the local rotation R of its joint
(body space) becomes B^T (M R M^T) B in the bone's own axes, M = body space -> Blender, which is exact. So bones point
at their children as an animator expects, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import JOINT_NAMES, BodyData, rest_shape, rotation_matrices
from mathutils import Vector
from numpy.typing import NDArray

from . import compat
from .axes import BODY_TO_BLENDER
from .reading import in_background
from .rotations import continuous, quaternions

Array = NDArray[np.floating[Any]]

MAIN_CHILD = {
    "pelvis": "spine1", "spine1": "spine2", "spine2": "spine3", "spine3": "neck", "neck": "head",
    "left_hip": "left_knee", "left_knee": "left_ankle", "left_ankle": "left_foot",
    "right_hip": "right_knee", "right_knee": "right_ankle", "right_ankle": "right_foot",
    "left_collar": "left_shoulder", "left_shoulder": "left_elbow", "left_elbow": "left_wrist",
    "right_collar": "right_shoulder", "right_shoulder": "right_elbow", "right_elbow": "right_wrist",
    "left_wrist": "left_hand", "right_wrist": "right_hand",
}  # fmt: skip
LEAF_LENGTH = {"head": 0.18, "left_foot": 0.07, "right_foot": 0.07, "left_hand": 0.08, "right_hand": 0.08}
SHORTEST = 0.01  # metres; Blender deletes bones without length


def rest_bones(body: BodyData, betas: Array) -> tuple[Array, Array]:
    """Heads (24,3) and tails (24,3) of the bones in the armature's space, metres. betas (10,)."""
    heads = rest_shape(body, betas)[1].astype(np.float64) @ BODY_TO_BLENDER.T
    index = {name: joint for joint, name in enumerate(JOINT_NAMES)}
    tails = np.empty_like(heads)
    for joint, name in enumerate(JOINT_NAMES):
        if name in MAIN_CHILD:
            offset = heads[index[MAIN_CHILD[name]]] - heads[joint]
        else:
            offset = LEAF_LENGTH[name] * _leaf_direction(name, heads[joint] - heads[body.parents[joint]])
        length = np.linalg.norm(offset)
        tails[joint] = heads[joint] + (offset if length > SHORTEST else (0.0, 0.0, SHORTEST))
    return heads, tails


def create_armature(name: str, body: BodyData, betas: Array, collection: Any) -> Any:
    """The armature object in rest pose, linked into ``collection``, which may be in no scene yet."""
    heads, tails = rest_bones(body, betas)
    data = bpy.data.armatures.new(name)
    data.display_type = "STICK"
    item = bpy.data.objects.new(name, data)
    item.show_in_front = True
    collection.objects.link(item)
    with edit_mode(item):
        bones = []
        for joint, joint_name in enumerate(JOINT_NAMES):
            bone = data.edit_bones.new(joint_name)
            _lay(bone, heads[joint], tails[joint])
            bones.append(bone)
            parent = int(body.parents[joint])
            if parent >= 0:
                bone.parent = bones[parent]
                bone.use_connect = MAIN_CHILD.get(JOINT_NAMES[parent]) == joint_name
    for bone in item.pose.bones:
        bone.rotation_mode = "QUATERNION"
    return item


def reshape_armature(item: Any, body: BodyData, betas: Array) -> None:
    """The rest pose of another body shape for an armature that is there; bones the artist has added stay."""
    heads, tails = rest_bones(body, betas)
    with edit_mode(item):
        for joint, name in enumerate(JOINT_NAMES):
            bone = item.data.edit_bones.get(name)
            if bone is not None:
                _lay(bone, heads[joint], tails[joint])


def animate_armature(
    item: Any, body: BodyData, betas: Array, frames: Array, pose: Array, transl: Array, world: Array,
    beside: bool = False,
) -> Generator[object, None, None]:  # fmt: skip
    """Key every bone at scene frames (n,); yields after each curve.

    pose (n,72) axis-angle and transl (n,3) in the camera frame, world (3,3) camera frame -> Blender. beside: compute
    the keys in a thread, WAIT meanwhile.
    """
    rests = [np.array(item.pose.bones[name].bone.matrix_local)[:3, :3] for name in JOINT_NAMES]

    def compute() -> tuple[list[Array], Array]:
        return _keys(body, betas, pose, transl, world, rests)

    turns, moves = (yield from in_background(compute)) if beside else compute()
    for joint, name in enumerate(JOINT_NAMES):
        bone = item.pose.bones[name]
        path = f'pose.bones["{name}"].rotation_quaternion'
        for axis in range(4):
            compat.set_keys(compat.ensure_fcurve(item, path, axis, name), frames, turns[joint][:, axis])
            yield
        bone.rotation_quaternion = turns[joint][0]
        if body.parents[joint] < 0:
            for axis in range(3):
                curve = compat.ensure_fcurve(item, f'pose.bones["{name}"].location', axis, name)
                compat.set_keys(curve, frames, moves[:, axis])
                yield
            bone.location = moves[0]


def _keys(
    body: BodyData, betas: Array, pose: Array, transl: Array, world: Array, rests: list[Array]
) -> tuple[list[Array], Array]:
    """Quaternions (n,4) of every joint and locations (n,3) of the root, in the bones' own axes rests (3,3)."""
    rotations = rotation_matrices(pose.reshape(len(pose), -1, 3)).astype(np.float64)
    root = rest_shape(body, betas)[1][0].astype(np.float64)
    turns, moves = [], np.zeros((len(pose), 3))
    for joint, rest in enumerate(rests):
        left = world if body.parents[joint] < 0 else BODY_TO_BLENDER
        local = rest.T @ left @ rotations[:, joint] @ BODY_TO_BLENDER.T @ rest
        turns.append(continuous(quaternions(local)))
        if body.parents[joint] < 0:
            moves = ((transl.astype(np.float64) + root) @ world.T - BODY_TO_BLENDER @ root) @ rest
    return turns, moves


def _lay(bone: Any, head: Array, tail: Array) -> None:
    bone.head, bone.tail = Vector(head), Vector(tail)
    # Feet point ahead, so their z must be up; everything else shows its z to the front, alike left and right.
    bone.align_roll(Vector((0, 0, 1)) if "foot" in bone.name or "ankle" in bone.name else Vector((0, -1, 0)))


def _leaf_direction(name: str, from_parent: Array) -> Array:
    if name == "head":
        return np.array([0.0, 0.0, 1.0])
    if "foot" in name:
        return np.array([0.0, -1.0, 0.0])
    length = np.linalg.norm(from_parent)
    return from_parent / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])


@contextmanager
def edit_mode(item: Any) -> Iterator[None]:
    """Edit bones exist only in edit mode, which only an operator enters. It does so in a scene of its own: the artist's
    mode, selection and active object are not touched, and ``item`` need not be in any scene yet.
    """
    scene = bpy.data.scenes.new("HMDiff edit")
    layer = scene.view_layers[0]
    scene.collection.objects.link(item)
    layer.objects.active = item
    try:
        with bpy.context.temp_override(scene=scene, view_layer=layer, active_object=item, object=item):
            bpy.ops.object.mode_set(mode="EDIT")
            yield
            bpy.ops.object.mode_set(mode="OBJECT")
    finally:
        bpy.data.scenes.remove(scene)
