"""What every source needs of the body, whether it comes with a model or without."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ...bodies.hierarchy import Hierarchy
from ...bodies.joint_maps import J14_OF_24, JointMaps
from ...bodies.model import BodyModel
from ...detect.observation import LIMB_SLOTS
from ...video.raster import face_buffer
from ..predict import Meshes

MASK = 128
"""Cells across a silhouette of ``Examples``."""


class BodyParts(Protocol):
    """``LoadedModel`` and ``Assembly`` are such."""

    @property
    def body(self) -> BodyModel: ...
    @property
    def hierarchy(self) -> Hierarchy: ...
    @property
    def maps(self) -> JointMaps: ...


def silhouette(
    parts: BodyParts, vertices: NDArray[np.float32], focal: float, principal: NDArray[np.float32],
    crop: NDArray[np.float32],
) -> NDArray[np.bool_]:  # fmt: skip
    """(128,128) where a whole, unclothed body covers its crop.

    vertices (V,3) camera axes, metres; focal, principal (2,) and crop (3,) centre and side in one picture unit. Drawn
    from the 1,723 vertices of the hierarchy, which a cell (1/128 of the crop) is coarser than.
    """
    scale = MASK / float(crop[2])
    corner = crop[:2] - crop[2] / 2
    middle = (principal - corner) * scale
    some = vertices[parts.hierarchy.indices[0]]
    ids, (left, top) = face_buffer(
        some, parts.hierarchy.faces[0], focal * scale, (float(middle[0]), float(middle[1])), (MASK, MASK), cull=False
    )
    whole = np.zeros((MASK, MASK), bool)
    whole[top : top + ids.shape[0], left : left + ids.shape[1]] = ids >= 0
    return whole


def true_meshes(vertices: torch.Tensor, joints: torch.Tensor, landmarks: NDArray[np.float32]) -> Meshes:
    """vertices (B,V,3), joints (B,24,3), landmarks (B,33,3) about the pelvis. The joints are the skeleton's own, so
    that the error of f, which reads the estimate's joints off its surface, counts as ours.
    """
    j14 = joints[:, list(J14_OF_24)].numpy()
    return Meshes(vertices.numpy(), j14, landmarks[:, list(LIMB_SLOTS)])
