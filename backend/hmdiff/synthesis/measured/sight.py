"""People of rendered pictures as training draws them, and true masks on the grid that the networks see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...bodies.model import BodyModel
from ...bodies.rotations import axis_angle_to_matrix
from ...models.inputs import GRID
from ..people import People, project
from ..rasterise import draw_mask, splat_points
from ..render.shards import Arrays

Array = NDArray[Any]


@dataclass(frozen=True)
class Sight:
    """The body as training draws it: coarse (431 vertices) and faces (T,3) of that mesh."""

    coarse: BodyModel
    faces: Tensor


def on_grid(mask: Array, centre: Array, side: Array) -> Array:
    """A picture's mask -> (56,56) bool: cells that are the person's by more than half."""
    fine = 4 * GRID
    scale = float(fine / side)
    matrix = np.array([[scale, 0, fine / 2 - scale * centre[0]], [0, scale, fine / 2 - scale * centre[1]]])
    matrix[:, 2] += 0.5 * scale - 0.5
    large = cv2.warpAffine(mask.astype(np.float32), matrix, (fine, fine), flags=cv2.INTER_LINEAR)
    return cv2.resize(large, (GRID, GRID), interpolation=cv2.INTER_AREA) > 0.5


def people_of(truth: Arrays, sight: Sight) -> People:
    """Rows of a shard's truth as training knows people (no perspective lost: the same camera axes)."""
    betas = torch.from_numpy(truth["betas"])
    rotations = axis_angle_to_matrix(torch.from_numpy(truth["pose"]))
    with torch.no_grad():
        vertices, joints = sight.coarse(betas, rotations)
    pelvis = torch.from_numpy(truth["joints"][:, 0])
    vertices = vertices - joints[:, :1]
    landmarks = torch.from_numpy(truth["landmarks"])
    return People(
        betas, rotations, pelvis, vertices, torch.from_numpy(truth["joints"]) - pelvis[:, None],
        landmarks - pelvis[:, None], project(landmarks), project(vertices + pelvis[:, None]),
    )  # fmt: skip


def drawn_masks(truth: Arrays, frame: Array, focal: Array, centre: Array, side: Array, sight: Sight) -> Array:
    """(M,56,56) bool: what training would draw of these people in these crops, cut at the picture's edge."""
    people = people_of(truth, sight)
    scale = torch.from_numpy(focal.astype(np.float32))[:, None]
    half = torch.from_numpy(frame.astype(np.float32)) / 2
    window = torch.cat([-half, half], 1) / scale
    middle = (torch.from_numpy(centre) - half) / scale
    points = splat_points(people.vertices_2d, sight.faces)
    return draw_mask(points, middle, torch.from_numpy(side) / scale[:, 0], window).numpy() > 0.5
