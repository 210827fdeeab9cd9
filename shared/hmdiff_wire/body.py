"""A body in SMPL's layout as plain arrays, and its linear blend skinning in numpy.

Body space: T-pose, y up, facing +z, metres, left is +x (DESIGN 3). Both the add-on and the backend decode
poses with this file, so they agree to the last bit of a float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .damaged import DAMAGED_NPZ
from .errors import HmdiffError

Array = NDArray[np.float32]
IntArray = NDArray[np.int32]

JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip


@dataclass(frozen=True)
class BodyData:
    """V vertices, T triangles, Q quads, 24 joints.

    v_template (V,3); shapedirs (V,3,B); posedirs (V,3,207) or None when zero; joint_regressor (24,V);
    weights (V,24) rows sum to 1; parents (24,), -1 for the root; faces (T,3); quads (Q,4), uv (U,2), uv_quads (Q,4)
    are None where the file has none.
    """

    name: str
    v_template: Array
    shapedirs: Array
    posedirs: Array | None
    joint_regressor: Array
    weights: Array
    parents: IntArray
    faces: IntArray
    quads: IntArray | None = None
    uv: Array | None = None
    uv_quads: IntArray | None = None

    @property
    def n_vertices(self) -> int:
        return len(self.v_template)


def load_body(path: Path) -> BodyData:
    """Read a body written by ``save_body``. Errors: ``body.not_found``, ``body.damaged``."""
    path = Path(path)
    if not path.is_file():
        raise HmdiffError("body.not_found", f"There is no body file at {path}.", "Check the path given to --body.")
    try:
        with np.load(path, allow_pickle=False) as stored:
            data = {key: stored[key] for key in stored.files}
        n_vertices = len(data["v_template"])
        regressor = np.zeros((len(data["parents"]), n_vertices), np.float32)
        regressor[data["J_row"], data["J_col"]] = data["J_value"]
        weights = np.zeros((n_vertices, len(data["parents"])), np.float32)
        weights[np.arange(n_vertices)[:, None], data["weights_joint"]] = data["weights_value"]
        return BodyData(
            name=str(data["name"]),
            v_template=data["v_template"].astype(np.float32),
            shapedirs=data["shapedirs"].astype(np.float32) * np.float32(data["shapedirs_scale"]),
            posedirs=data["posedirs"].astype(np.float32) if data["posedirs"].size else None,
            joint_regressor=regressor,
            weights=weights / weights.sum(1, keepdims=True),
            parents=data["parents"].astype(np.int32),
            faces=data["f"].astype(np.int32),
            quads=data["quads"].astype(np.int32) if data["quads"].size else None,
            uv=data["uv"].astype(np.float32) if data["uv"].size else None,
            uv_quads=data["uv_quads"].astype(np.int32) if data["uv_quads"].size else None,
        )
    except DAMAGED_NPZ as error:
        raise HmdiffError(
            "body.damaged", f"{path.name} is not a readable body file.",
            "Build it again with `hmdiff body build`, or point --body at a complete SMPL-format file.", repr(error),
        ) from error  # fmt: skip


def save_body(path: Path, body: BodyData) -> None:
    """Write a body compactly: sparse weights and regressor, 16-bit shape directions, no posedirs when zero.

    Each vertex keeps its eight largest weights; that is exact for bodies made by this project and for SMPL.
    """
    rows, cols = np.nonzero(body.joint_regressor)
    order = np.argsort(-body.weights, axis=1)[:, :8].astype(np.uint8)
    scale = np.float32(np.abs(body.shapedirs).max() / 32767.0 or 1.0)
    empty = np.zeros(0, np.float32)
    np.savez_compressed(
        path,
        name=np.array(body.name),
        v_template=body.v_template.astype(np.float32),
        shapedirs=np.round(body.shapedirs / scale).astype(np.int16),
        shapedirs_scale=scale,
        posedirs=empty if body.posedirs is None else body.posedirs.astype(np.float32),
        J_row=rows.astype(np.int32),
        J_col=cols.astype(np.int32),
        J_value=body.joint_regressor[rows, cols].astype(np.float32),
        weights_joint=order,
        weights_value=np.take_along_axis(body.weights, order.astype(np.int64), axis=1).astype(np.float32),
        parents=body.parents.astype(np.int32),
        f=body.faces.astype(np.int32),
        quads=empty if body.quads is None else body.quads.astype(np.int32),
        uv=empty if body.uv is None else body.uv.astype(np.float32),
        uv_quads=empty if body.uv_quads is None else body.uv_quads.astype(np.int32),
    )


def rotation_matrices(axis_angle: Array) -> Array:
    """Rodrigues' formula. axis_angle (...,3) -> (...,3,3)."""
    vectors = np.asarray(axis_angle, np.float32)
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    axis = vectors / np.maximum(angle, 1e-8)
    x, y, z = axis[..., 0], axis[..., 1], axis[..., 2]
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    sine, cosine = np.sin(angle)[..., None], np.cos(angle)[..., None]
    return (np.eye(3, dtype=np.float32) + sine * cross + (1 - cosine) * (cross @ cross)).astype(np.float32)


def rest_shape(body: BodyData, betas: Array) -> tuple[Array, Array]:
    """betas (B,) -> rest vertices (V,3) and rest joints (24,3) in body space, metres."""
    count = min(len(betas), body.shapedirs.shape[2])
    vertices = body.v_template + body.shapedirs[..., :count] @ np.asarray(betas[:count], np.float32)
    return vertices, body.joint_regressor @ vertices


def at_depth_of(transl: NDArray[Any], other: NDArray[Any], root: NDArray[Any]) -> NDArray[Any]:
    """transl (n,3) moved along the sight lines of its root joint until that is as deep as with ``other`` (n,3).

    root (3,): the root joint in rest. The joint stays on its pixel; a chosen hypothesis does not jump in depth so.
    """
    here, there = np.asarray(transl) + root, np.asarray(other) + root
    known = (here[:, 2:] > 0.1) & (there[:, 2:] > 0.1)
    share = np.where(known, there[:, 2:] / np.where(known, here[:, 2:], 1.0), 1.0)
    return (here * share - root).astype(np.asarray(transl).dtype)


def joint_transforms(parents: IntArray, rest_joints: Array, rotations: Array) -> tuple[Array, Array]:
    """Forward kinematics: rest_joints (24,3), local rotations (F,24,3,3) -> global ones and joints (F,24,3)."""
    frames, count = rotations.shape[:2]
    world = np.empty((frames, count, 3, 3), np.float32)
    joints = np.empty((frames, count, 3), np.float32)
    for joint in range(count):
        parent = int(parents[joint])
        if parent < 0:
            world[:, joint] = rotations[:, joint]
            joints[:, joint] = rest_joints[joint]
        else:
            world[:, joint] = world[:, parent] @ rotations[:, joint]
            joints[:, joint] = joints[:, parent] + world[:, parent] @ (rest_joints[joint] - rest_joints[parent])
    return world, joints


def skin(body: BodyData, betas: Array, pose: Array, transl: Array) -> tuple[Array, Array]:
    """Linear blend skinning (SMPL, Loper et al. 2015).

    betas (B,), pose (F,72) axis-angle, transl (F,3) -> vertices (F,V,3), joints (F,24,3), metres, in the frame
    global_orient turns into.
    """
    pose = np.asarray(pose, np.float32).reshape(-1, len(body.parents), 3)
    transl = np.asarray(transl, np.float32).reshape(-1, 3)
    rest, rest_joints = rest_shape(body, betas)
    rotations = rotation_matrices(pose)
    world, joints = joint_transforms(body.parents, rest_joints, rotations)
    offsets = joints - np.einsum("fjab,jb->fja", world, rest_joints)
    affine = np.concatenate([world, offsets[..., None]], axis=-1).reshape(len(pose), -1, 12)
    vertices = np.empty((len(pose), body.n_vertices, 3), np.float32)
    for frame in range(len(pose)):
        shaped = rest
        if body.posedirs is not None:
            feature = (rotations[frame, 1:] - np.eye(3, dtype=np.float32)).reshape(-1)
            shaped = rest + body.posedirs @ feature
        per_vertex = (body.weights @ affine[frame]).reshape(-1, 3, 4)
        vertices[frame] = np.einsum("vab,vb->va", per_vertex[..., :3], shaped) + per_vertex[..., 3] + transl[frame]
    return vertices, joints + transl[:, None]
