"""Meshes and skeletons painted over pictures on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .frames import Image
from .raster import face_buffer

Colour = tuple[int, int, int]
PALETTE: tuple[Colour, ...] = (
    (88, 166, 255),
    (255, 166, 77),
    (120, 210, 120),
    (235, 120, 170),
    (180, 140, 255),
    (240, 220, 90),
    (90, 210, 210),
    (235, 110, 95),
)
AMBIENT, DIFFUSE, RIM = 0.30, 0.62, 0.12
LIGHT = np.array((0.35, -0.45, -0.82), np.float32)


@dataclass(frozen=True, eq=False)
class Mesh:
    """vertices (V,3) camera space in metres, faces (T,3) counter-clockwise from outside, colour (3,) RGB 0..255 or
    (V,3)."""

    vertices: NDArray[Any]
    faces: NDArray[Any]
    colour: Colour | NDArray[Any]


def person_colour(track_id: int) -> Colour:
    return PALETTE[track_id % len(PALETTE)]


def draw_mesh(
    image_rgb: Image, vertices: NDArray[Any], faces: NDArray[Any], focal: float, center: tuple[float, float],
    colour: Colour | NDArray[Any] = PALETTE[0], alpha: float = 0.85,
) -> Image:  # fmt: skip
    """One mesh over a copy of the picture; see ``draw_meshes``."""
    return draw_meshes(image_rgb, [Mesh(vertices, faces, colour)], focal, center, alpha)


def draw_meshes(
    image_rgb: Image,
    meshes: Sequence[Mesh],
    focal: float,
    center: tuple[float, float],
    alpha: float | Sequence[float] = 0.85,
) -> Image:
    """Meshes over a copy of image_rgb (H,W,3), sorted by depth together so that people hide each other rightly.

    focal, center: pixels; alpha: 0 clear .. 1 solid, one for all or one each. Faces that are not finite are left out.
    """
    out = np.array(image_rgb, np.uint8)
    if not meshes:
        return out
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    vertices = np.concatenate([np.asarray(mesh.vertices, np.float32) for mesh in meshes])
    faces = np.concatenate([np.asarray(mesh.faces) + first for mesh, first in zip(meshes, offsets, strict=True)])
    height, width = out.shape[:2]
    ids, (left, top) = face_buffer(vertices, faces, focal, center, (width, height))
    if not ids.size:
        return out
    shown = ids >= 0
    colours = np.concatenate([_face_colours(mesh) for mesh in meshes])
    used = np.unique(ids[shown])
    paint = np.zeros((len(faces), 3), np.float32)
    paint[used] = colours[used] * _shade(vertices, faces[used])[:, None]
    alphas = (
        np.full(len(meshes), alpha, np.float32) if isinstance(alpha, int | float) else np.asarray(alpha, np.float32)
    )
    per_face = np.repeat(alphas, [len(mesh.faces) for mesh in meshes])
    # Only pixels at the rim get a lower weight: that smooths the outline without painting outside it.
    cover = cv2.blur(shown.astype(np.float32), (3, 3), borderType=cv2.BORDER_REPLICATE)
    rows, columns = np.nonzero(shown)
    face = ids[rows, columns]
    weight = (per_face[face] * np.clip(cover[rows, columns] * 1.5 - 0.5, 0, 1))[:, None]
    part = out[top : top + ids.shape[0], left : left + ids.shape[1]]
    part[rows, columns] = np.clip(part[rows, columns] * (1 - weight) + paint[face] * weight, 0, 255).astype(np.uint8)
    return out


def mesh_mask(
    vertices: NDArray[Any], faces: NDArray[Any], focal: float, center: tuple[float, float], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """The mesh's silhouette -> (H,W) bool for size (width, height)."""
    width, height = size
    mask = np.zeros((height, width), bool)
    ids, (left, top) = face_buffer(vertices, faces, focal, center, size, cull=False)
    mask[top : top + ids.shape[0], left : left + ids.shape[1]] = ids >= 0
    return mask


def silhouette_iou(
    vertices: NDArray[Any], faces: NDArray[Any], focal: float, center: tuple[float, float], mask: NDArray[Any]
) -> float:
    """Intersection over union of the mesh's silhouette and a mask (H,W), bool or 0..1 cut at 0.5; 0 if both empty."""
    height, width = mask.shape
    person = mask if mask.dtype == bool else mask > 0.5
    shape = mesh_mask(vertices, faces, focal, center, (width, height))
    union = np.count_nonzero(shape | person)
    return np.count_nonzero(shape & person) / union if union else 0.0


def draw_skeleton(
    image_rgb: Image,
    points: NDArray[Any],
    parents: NDArray[Any] | Sequence[int],
    colour: Colour = PALETTE[0],
    width: int = 2,
    confidence: NDArray[Any] | None = None,
) -> Image:
    """Bones and joints over a copy of the picture.

    points (J,2) pixels; parents (J,), -1 for no bone; confidence (J,) in 0..1: points below 0.3 are left out.
    """
    out = np.array(image_rgb, np.uint8)
    points = np.asarray(points, np.float64)
    known = (np.isfinite(points) & (np.abs(points) < 1e5)).all(axis=-1)
    if confidence is not None:
        known &= np.asarray(confidence) >= 0.3
    # cv2 puts pixel centres at whole numbers, this project at +0.5; 4 fractional bits keep the lines smooth.
    fixed = np.zeros(points.shape, np.int32)
    fixed[known] = np.round((points[known] - 0.5) * 16)
    for joint, parent in enumerate(parents):
        if parent >= 0 and known[joint] and known[parent]:
            cv2.line(out, fixed[joint].tolist(), fixed[int(parent)].tolist(), colour, width, cv2.LINE_AA, 4)
    for joint in np.flatnonzero(known):
        cv2.circle(out, fixed[joint].tolist(), (width + 1) * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
        cv2.circle(out, fixed[joint].tolist(), width * 16, colour, -1, cv2.LINE_AA, 4)
    return out


def _face_colours(mesh: Mesh) -> NDArray[np.float32]:
    colour = np.asarray(mesh.colour, np.float32)
    if colour.ndim == 1:
        return np.broadcast_to(colour, (len(mesh.faces), 3))
    return colour[np.asarray(mesh.faces)].mean(1)


def _shade(vertices: NDArray[np.float32], faces: NDArray[Any]) -> NDArray[np.float32]:
    """Brightness per face from the mean of its vertex normals, which hides the facets: ambient, one lamp, a rim."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    smooth = np.zeros((len(vertices), 3), np.float32)
    for axis in range(3):
        for corner in range(3):
            smooth[:, axis] += np.bincount(faces[:, corner], normals[:, axis], len(vertices))
    normals = _unit(smooth[faces[:, 0]] + smooth[faces[:, 1]] + smooth[faces[:, 2]])
    lamp = np.clip(normals @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    facing = np.clip(-np.einsum("ij,ij->i", normals, _unit(a + b + c)), 0, 1)
    return AMBIENT + DIFFUSE * lamp + RIM * facing + 0.08 * facing**16


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.sqrt(np.maximum(np.einsum("ij,ij->i", vectors, vectors), 1e-24))[:, None]
