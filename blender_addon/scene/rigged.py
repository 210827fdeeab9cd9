"""The copy of the body that the armature deforms: for export, for retargeting, for editing the motion by bones.

Body shape (the ten betas) is ten relative shape keys over the template, so it stays editable. A licensed SMPL body has
pose-dependent corrections besides; they become keyed shape keys, because bones alone cannot make them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import JOINT_NAMES, BodyData, rotation_matrices
from numpy.typing import NDArray

from . import compat
from .axes import BODY_TO_BLENDER
from .body import flat, posed_copy

Array = NDArray[np.floating[Any]]

SHAPE_PREFIX, POSE_PREFIX = "shape_", "pose_"
WEIGHTS_A_SLICE = 1000


def create_rigged(name: str, body: BodyData, template: Any, armature: Any, collection: Any) -> Any:
    """The template as an object under the armature, in its space; ``fill_rigged`` does the rest."""
    item = bpy.data.objects.new(name, posed_copy(template, name, body.v_template @ BODY_TO_BLENDER.T))
    item.parent = armature
    collection.objects.link(item)
    return item


def fill_rigged(item: Any, body: BodyData, betas: Array, armature: Any, frames: Array, pose: Array) -> Iterator[None]:
    """Vertex groups, shape keys, Armature modifier; yields after each. betas (10,), frames (n,), pose (n,72)."""
    for joint, joint_name in enumerate(JOINT_NAMES):
        group = item.vertex_groups.new(name=joint_name)
        weights = body.weights[:, joint]
        touched = np.flatnonzero(weights > 1e-6)
        for at in range(0, len(touched), WEIGHTS_A_SLICE):
            some = touched[at : at + WEIGHTS_A_SLICE]
            for vertex, weight in zip(some.tolist(), weights[some].tolist(), strict=True):
                group.add((vertex,), weight, "REPLACE")
            yield
    modifier = item.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    modifier.use_deform_preserve_volume = False
    item.shape_key_add(name="Basis", from_mix=False)
    template = body.v_template.astype(np.float64) @ BODY_TO_BLENDER.T
    for index in range(min(len(betas), body.shapedirs.shape[2])):
        offsets = body.shapedirs[..., index] @ BODY_TO_BLENDER.T
        key = _relative_key(item, f"{SHAPE_PREFIX}{index:02d}", template + offsets, 10.0)
        key.value = float(betas[index])
        yield
    if body.posedirs is not None:
        for index in range(body.posedirs.shape[-1]):
            offsets = body.posedirs[..., index] @ BODY_TO_BLENDER.T
            _relative_key(item, f"{POSE_PREFIX}{index:03d}", template + offsets, 2.0)
            yield
    yield from key_corrections(item, body, frames, pose)


def key_corrections(item: Any, body: BodyData, frames: Array, pose: Array) -> Iterator[None]:
    """SMPL's pose-dependent shape, 207 numbers R - I of joints 1..23 (Loper et al. 2015, eq. 9), where the body has it
    and ``item`` its keys."""
    keys = item.data.shape_keys
    if body.posedirs is None or keys is None:
        return
    rotations = rotation_matrices(pose.reshape(len(frames), -1, 3))[:, 1:]
    features = (rotations - np.eye(3, dtype=np.float32)).reshape(len(frames), -1)
    for index in range(features.shape[1]):
        key = keys.key_blocks.get(f"{POSE_PREFIX}{index:03d}")
        if key is None:
            continue
        key.value = float(features[0, index])
        curve = compat.ensure_fcurve(item.data.shape_keys, f'key_blocks["{key.name}"].value')
        compat.set_keys(curve, frames, features[:, index])
        yield


def reshape_rigged(item: Any, body: BodyData, betas: Array) -> None:
    """Another body shape for a rigged body that is there, where its shape keys still are."""
    keys = item.data.shape_keys
    for index in range(min(len(betas), body.shapedirs.shape[2])):
        key = keys.key_blocks.get(f"{SHAPE_PREFIX}{index:02d}") if keys else None
        if key is not None:
            key.value = float(betas[index])


def bake_body_shape(item: Any) -> None:
    """Make the present body shape the mesh itself and drop its ten keys; pose corrections stay as they are.

    Exporters write the template and the keys beside it; a plain mesh is what other programs want.
    """
    keys = item.data.shape_keys
    count = 3 * len(item.data.vertices)
    base = _coordinates(keys.key_blocks[0], count)
    shaped = base.copy()
    for key in list(keys.key_blocks):
        if key.name.startswith(SHAPE_PREFIX):
            shaped += key.value * (_coordinates(key, count) - base)
            item.shape_key_remove(key)
    for key in keys.key_blocks:
        key.points.foreach_set("co", flat(_coordinates(key, count) + (shaped - base)))
    if len(keys.key_blocks) == 1:
        item.shape_key_remove(keys.key_blocks[0])
    item.data.vertices.foreach_set("co", flat(shaped))
    item.data.update()


def _relative_key(item: Any, name: str, points: Array, limit: float) -> Any:
    key = item.shape_key_add(name=name, from_mix=False)
    key.points.foreach_set("co", flat(points))
    key.slider_min, key.slider_max = -limit, limit
    return key


def _coordinates(key: Any, count: int) -> Array:
    values = np.empty(count, np.float32)
    key.points.foreach_get("co", values)
    return values.astype(np.float64)
