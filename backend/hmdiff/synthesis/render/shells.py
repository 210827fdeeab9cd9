"""Clothes, hair and shoes as shells: pieces of the body's surface moved outwards at rest, and tubes where cloth hangs
free of the body. All of them move with the body's bones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hmdiff_wire.body import JOINT_NAMES
from numpy.typing import NDArray

from .anatomy import Anatomy, Bools, Floats, Ints, unit

BONE = {name: index for index, name in enumerate(JOINT_NAMES)}


@dataclass(frozen=True)
class Piece:
    """A mesh on the rest body. position, normal, tex (N,3); bones (N,4) uint8, weights (N,4); material (N,) index into
    the person's materials; edge (N,): where it falls below 0 the piece is cut off, which gives smooth hems on coarse
    triangles; faces (T,3)."""

    position: Floats
    normal: Floats
    tex: Floats
    bones: NDArray[np.uint8]
    weights: Floats
    material: Floats
    edge: Floats
    faces: Ints


def join(pieces: list[Piece]) -> Piece:
    starts = np.cumsum([0, *(len(piece.position) for piece in pieces[:-1])])
    faces = np.concatenate([piece.faces + start for piece, start in zip(pieces, starts, strict=True)])
    fields = ("position", "normal", "tex", "bones", "weights", "material", "edge")
    joined = {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in fields}
    return Piece(**joined, faces=faces)


def ripples(rng: np.random.Generator, points: Floats, wavelength: float, waves: int = 5) -> Floats:
    """Smooth noise of about unit size at points (N,3)."""
    directions = unit(rng.standard_normal((waves, 3))) * (2 * np.pi / wavelength) * rng.uniform(0.6, 1.6, (waves, 1))
    phases = rng.uniform(0, 2 * np.pi, waves)
    return (np.sin(points @ directions.T.astype(np.float32) + phases).sum(1) * np.sqrt(2 / waves)).astype(np.float32)


def ramp(values: Floats, low: float, high: float) -> Floats:
    """Smooth step from 0 at low to 1 at high."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def shell(
    anatomy: Anatomy, base: Floats, normals: Floats, mask: Bools, edge: Floats, offset: Floats, material: int
) -> Piece:
    """The faces within mask (V,) as far as edge (V,), metres to the hem, is positive, moved from base (V,3) along
    normals by offset (V,) metres."""
    faces = anatomy.faces[mask[anatomy.faces].all(1) & (edge[anatomy.faces] > 0).any(1)]
    used, flat = np.unique(faces, return_inverse=True)
    position = base[used] + normals[used] * offset[used, None]
    return Piece(
        position.astype(np.float32), normals[used], anatomy.rest[used], anatomy.bones[used], anatomy.weights[used],
        np.full(len(used), material, np.float32), edge[used].astype(np.float32), flat.reshape(-1, 3),
    )  # fmt: skip


def tube(rings: Floats, bones: NDArray[np.uint8], weights: Floats, material: int, closed: bool) -> Piece:
    """A surface through rings (R,K,3) of points, outwards where the points of a ring run from +x to +z; bones, weights
    (R,K,4)."""
    count, around = rings.shape[:2]
    index = np.arange(count * around).reshape(count, around)
    right = np.roll(index, -1, 1) if closed else index[:, 1:]
    left = index if closed else index[:, :-1]
    a, b, c, d = left[:-1], right[:-1], right[1:], left[1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    points = rings.reshape(-1, 3).astype(np.float32)
    normal = np.zeros_like(points)
    corners = points[faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for corner in range(3):
        np.add.at(normal, faces[:, corner], area)
    # the ends of a closed body's seam touch no face with an area
    normal = np.where(np.abs(normal).sum(1, keepdims=True) > 1e-8, normal, points - points.mean(0))
    outside = Piece(
        points, unit(normal), points, bones.reshape(-1, 4).astype(np.uint8), weights.reshape(-1, 4).astype(np.float32),
        np.full(len(points), material, np.float32), np.ones(len(points), np.float32), faces,
    )  # fmt: skip
    # back faces are not drawn, so cloth that is seen from both sides has two
    return join([outside, replace(outside, normal=-outside.normal, faces=faces[:, ::-1])])


def skirt(
    rng: np.random.Generator, rest: Floats, joints: Floats, waist: float, hem: float, flare: float, stand_off: float,
    material: int,
) -> Piece:  # fmt: skip
    """A tube around hips and legs of the body at rest (V,3) with joints (24,3), from waist to hem (heights, m).

    It is wider by flare metres per metre below the hips, hangs from the pelvis and follows the thighs more and more."""
    around, count = 40, 12
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    way = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    heights = np.linspace(waist, hem, count)
    hips, knees = float(joints[1:3, 1].mean()), float(joints[4:6, 1].mean())
    near = np.abs(rest[:, 0]) < 0.35
    centre = np.array([0.0, float(joints[0, 2])], np.float32)
    rings, widest = [], np.zeros(around, np.float32)
    pleats = 1 + 0.05 * rng.uniform(0, 1.5) * np.sin(angle * rng.integers(6, 16))
    for height in heights:
        band = rest[near & (np.abs(rest[:, 1] - height) < 0.03)][:, [0, 2]] - centre
        # how far the body reaches in every direction, so that the cloth spans the gap between the legs
        reach = (band @ way.T).max(0) if len(band) else widest
        widest = np.maximum(reach, widest * 0.97)
        below = max(hips - height, 0.0)
        radius = (widest + stand_off + flare * below) * (1 + (pleats - 1) * min(1.0, 4 * below))
        x, z = way[:, 0] * radius + centre[0], way[:, 1] * radius + centre[1]
        rings.append(np.stack([x, np.full(around, height), z], 1))
    points = np.stack(rings).astype(np.float32)
    follow = 0.85 * ramp(hips + 0.05 - points[..., 1], 0.0, max(hips - knees, 0.1))
    left = ramp(points[..., 0], -0.14, 0.14)
    weights = np.stack([1 - follow, follow * left, follow * (1 - left), 0 * left], -1)
    bones = np.broadcast_to(np.array([BONE["pelvis"], BONE["left_hip"], BONE["right_hip"], 0]), weights.shape)
    return tube(points, bones, weights, material, closed=True)


def ellipsoid(centre: Floats, radii: Floats, bone: str, material: int) -> Piece:
    """A round thing fixed to a bone."""
    angle, lift = np.linspace(0, 2 * np.pi, 17), np.linspace(np.pi / 2, -np.pi / 2, 9)
    ring = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], 1)
    rings = np.stack([ring * np.cos(e) + [0, np.sin(e), 0] for e in lift])
    return fixed(tube(rings * radii + centre, *_on(bone, rings), material, closed=False), bone)


def block(centre: Floats, size: Floats, bone: str, material: int, round_off: float = 4.0) -> Piece:
    """A box with soft edges fixed to a bone."""
    ball = ellipsoid(np.zeros(3, np.float32), np.ones(3, np.float32), bone, material)
    flat = np.sign(ball.position) * np.abs(ball.position) ** (1 / round_off)
    position = (flat * size / 2 + centre).astype(np.float32)
    return replace(ball, position=position, tex=position)


def fixed(piece: Piece, bone: str) -> Piece:
    """The piece moving with one bone alone."""
    bones = np.full_like(piece.bones, BONE[bone])
    weights = np.zeros_like(piece.weights)
    weights[:, 0] = 1.0
    return replace(piece, bones=bones, weights=weights)


def _on(bone: str, rings: NDArray[np.floating]) -> tuple[NDArray[np.uint8], Floats]:
    weights = np.zeros((*rings.shape[:2], 4), np.float32)
    weights[..., 0] = 1.0
    return np.full(weights.shape, BONE[bone], np.uint8), weights
