"""Which faces of the free body are skin, hair, shirt, trousers, shoes, and how far clothes stand off the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hmdiff_wire.body import JOINT_NAMES, BodyData
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REGIONS = ("skin", "hair", "shirt", "trousers", "shoes", "eye", "iris", "mouth", "lips", "brows", "sole")
REGION = {name: index for index, name in enumerate(REGIONS)}
_TORSO = ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar", "left_shoulder", "right_shoulder",
          "left_elbow", "right_elbow", "neck", "left_hip", "right_hip")  # fmt: skip
_LEGS = ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")


@dataclass(frozen=True)
class Cut:
    """Where garments end on the mean body in T-pose, metres: sleeve |x|, hem and trouser y, and their stand-off."""

    sleeve: float = 0.36
    hem: float = 0.90
    trouser: float = 0.09
    shirt_offset: float = 0.012
    trouser_offset: float = 0.010
    hair_offset: float = 0.016
    hairline: float = 0.075
    long_hair: bool = False
    shoe_offset: float = 0.008


def random_cut(rng: np.random.Generator) -> Cut:
    return Cut(
        sleeve=float(rng.choice([0.2, 0.3, 0.38, 0.66])),
        hem=float(rng.uniform(0.80, 0.98)),
        trouser=float(rng.choice([0.09, 0.09, 0.3, 0.48])),
        shirt_offset=float(rng.uniform(0.004, 0.02)),
        trouser_offset=float(rng.uniform(0.004, 0.018)),
        hair_offset=float(rng.uniform(0.004, 0.03)),
        hairline=float(rng.uniform(0.06, 0.09)),
        long_hair=bool(rng.random() < 0.4),
    )


def face_regions(body: BodyData, cut: Cut) -> Ints:
    """(Q,) index into REGIONS per quad."""
    assert body.quads is not None
    rest = body.v_template.astype(np.float64)
    centre = rest[body.quads].mean(1)
    names = np.array(JOINT_NAMES)[body.weights[body.quads].mean(1).argmax(1)]
    joints = body.joint_regressor @ body.v_template
    x, y, z = np.abs(centre[:, 0]), centre[:, 1], centre[:, 2]
    island = _islands(body)[body.quads[:, 0]]
    skin_island = np.bincount(island).argmax()
    eyes = [i for i in np.unique(island) if i != skin_island and abs(centre[island == i, 0].mean()) > 0.01]
    eye = np.stack([centre[island == i].mean(0) for i in eyes])
    eye_y, eye_z = eye[:, 1].mean(), eye[:, 2].mean()

    region = np.full(len(centre), REGION["skin"], np.int64)
    region[np.isin(names, _TORSO) & (y > cut.hem) & (x < cut.sleeve) & (y < joints[12, 1] + 0.02)] = REGION["shirt"]
    region[np.isin(names, _LEGS) & (y <= cut.hem) & (y > cut.trouser)] = REGION["trousers"]
    foot = np.isin(names, ("left_ankle", "right_ankle", "left_foot", "right_foot")) & (y < 0.095)
    region[foot] = REGION["shoes"]
    region[foot & (y < 0.015)] = REGION["sole"]
    head = (names == "head") & (island == skin_island)
    ear_z = eye_z - 0.085
    line = np.where(
        z > ear_z,
        eye_y + np.interp(z, [ear_z, eye_z + 0.01], [0.03, cut.hairline]),
        eye_y + np.interp(z, [ear_z - 0.09, ear_z], [-0.09, 0.03]),
    )
    region[head & (y > line)] = REGION["hair"]
    if cut.long_hair:
        region[
            np.isin(names, ("head", "neck", "spine3")) & (z < ear_z - 0.02) & (y > joints[12, 1] - 0.06) & (x < 0.09)
        ] = REGION["hair"]
    for i, middle in zip(eyes, eye, strict=True):
        ball = island == i
        out = (centre - middle) / (np.linalg.norm(centre - middle, axis=1, keepdims=True) + 1e-9)
        region[ball] = REGION["eye"]
        region[ball & (out[:, 2] > 0.86)] = REGION["iris"]
    inner = (island != skin_island) & ~np.isin(island, eyes)
    region[inner] = REGION["mouth"]
    face = head & (z > eye_z - 0.01)
    near_eye = np.abs(x - np.abs(eye[:, 0]).mean())
    region[face & (np.abs(y - eye_y - 0.023) < 0.005) & (near_eye < 0.022)] = REGION["brows"]
    mouth_y = centre[inner, 1].max() - 0.004
    region[face & (np.abs(y - mouth_y) < 0.011) & (x < 0.024) & (z > eye_z + 0.012)] = REGION["lips"]
    return region


def stand_off(body: BodyData, region: Ints, cut: Cut) -> Floats:
    """(V,) metres along the normal that clothes, hair and shoes stand off the skin."""
    assert body.quads is not None
    per_region = np.zeros(len(REGIONS))
    per_region[[REGION["hair"], REGION["shirt"], REGION["trousers"], REGION["shoes"]]] = (
        cut.hair_offset, cut.shirt_offset, cut.trouser_offset, cut.shoe_offset,
    )  # fmt: skip
    offset = np.zeros(body.n_vertices)
    np.maximum.at(offset, body.quads.ravel(), np.repeat(per_region[region], 4))
    return offset


def vertex_normals(vertices: Floats, quads: Ints) -> Floats:
    """vertices (V,3), quads (Q,4) -> unit normals (V,3)."""
    corners = vertices[quads]
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    total = np.zeros_like(vertices)
    np.add.at(total, quads.ravel(), np.repeat(normal, 4, axis=0))
    return total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12)


def _islands(body: BodyData) -> Ints:
    assert body.quads is not None
    pairs = np.concatenate([body.quads[:, [0, 1]], body.quads[:, [1, 2]], body.quads[:, [2, 3]]])
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (body.n_vertices, body.n_vertices))
    return connected_components(graph)[1].astype(np.int64)
