"""An armature for a file: at the world's origin, one key per bone and frame, nothing others do not know."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from .. import compat
from ..rotations import continuous, quaternions

Array = NDArray[np.floating[Any]]

STILL = 1e-6


def baked_armature(source: Any, name: str, scene: Any, poses: Array, scale: float) -> Any:
    """A copy of the armature object ``source`` that moves as ``poses`` (F,B,4,4), its bones in the world, say.

    The object itself stands still: motion that came from its parents goes into the root bones. scale: of the world's
    matrices, kept on the object, since bones that grow are lost in most formats.
    """
    item = bpy.data.objects.new(name, source.data.copy())
    item.data.name = name
    scene.collection.objects.link(item)
    item.matrix_world = Matrix.Scale(scale, 4)
    for bone in item.data.bones:
        bone.use_inherit_rotation, bone.inherit_scale, bone.use_local_location = True, "FULL", True
    scene.view_layers[0].update()  # only now are there pose bones
    own = poses.astype(np.float64) / np.array([scale, scale, scale, 1.0])[:, None]
    if len(own) == 1:  # exporters and players drop an animation of one key, and the pose with it
        own = np.repeat(own, 2, axis=0)
    bones = list(item.data.bones)
    index = {bone.name: number for number, bone in enumerate(bones)}
    rest = np.array([np.array(bone.matrix_local) for bone in bones], np.float64)
    frames = np.arange(len(own), dtype=np.float64)
    for number, bone in enumerate(bones):
        parent = index[bone.parent.name] if bone.parent else None
        if parent is None:
            basis = np.linalg.inv(rest[number]) @ own[:, number]
        else:
            local = np.linalg.inv(own[:, parent]) @ own[:, number]
            basis = np.linalg.inv(np.linalg.inv(rest[parent]) @ rest[number]) @ local
        _key(item, bone.name, frames, basis)
    return item


def _key(item: Any, name: str, frames: Array, basis: Array) -> None:
    bone = item.pose.bones[name]
    bone.rotation_mode = "QUATERNION"
    location, size = basis[:, :3, 3], np.linalg.norm(basis[:, :3, :3], axis=1)
    turns = continuous(quaternions(basis[:, :3, :3] / size[:, None]))
    values = {"rotation_quaternion": turns}
    if np.abs(location).max() > STILL and not bone.bone.use_connect:
        values["location"] = location
    if np.abs(size - 1).max() > 1e-4:
        values["scale"] = size
    for path, keys in values.items():
        setattr(bone, path, keys[0])
        for axis in range(keys.shape[1]):
            curve = compat.ensure_fcurve(item, f'pose.bones["{name}"].{path}', axis, name)
            compat.set_keys(curve, frames, keys[:, axis])
