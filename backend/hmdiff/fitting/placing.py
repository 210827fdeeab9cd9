"""Fitted bodies put where the camera saw them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hmdiff.bodies.model import BodyModel

from .camera import Placement, project, solve_translation

_SLICE = 256


@dataclass(frozen=True)
class PlacedBodies:
    """transl (B,3) metres with vertices = skin(betas, pose) + transl in camera axes; joints (B,24,3) metres there;
    joints_2d (B,24,2) px; ok (B,) whether the landmarks fixed the place; error_px (B,) as in ``Placement``."""

    transl: Tensor
    joints: Tensor
    joints_2d: Tensor
    ok: Tensor
    error_px: Tensor


@torch.no_grad()
def place_bodies(
    body: BodyModel,
    betas: Tensor,
    rotations: Tensor,
    landmark_matrix: Tensor,
    landmarks_2d: Tensor,
    confidence: Tensor,
    focal: Tensor,
    principal: tuple[float, float] | Tensor,
) -> PlacedBodies:
    """betas (B,S), rotations (B,24,3,3) in camera axes, landmark_matrix (L,V') from the vertices of ``body`` to
    landmarks, landmarks_2d (B,L,2) px, confidence (B,L), focal (B,) px, principal (2,) or (B,2) px. The answer is on
    the CPU. Hypotheses: repeat the landmarks of their frame.
    """
    centre = torch.as_tensor(principal, dtype=torch.float32).expand(len(rotations), 2)
    found: list[Placement] = []
    rooted: list[Tensor] = []
    for start in range(0, len(rotations), _SLICE):
        piece = slice(start, start + _SLICE)
        vertices, joints = body(betas[piece], rotations[piece])
        landmarks = landmark_matrix.to(vertices) @ vertices
        found.append(solve_translation(landmarks, landmarks_2d[piece], confidence[piece], focal[piece], centre[piece]))
        rooted.append(joints.cpu())
    if not found:
        none = torch.zeros(0)
        return PlacedBodies(none.view(0, 3), none.view(0, 24, 3), none.view(0, 24, 2), none.bool(), none)
    transl = torch.cat([placement.transl for placement in found])
    joints = torch.cat(rooted) + transl[:, None]
    joints_2d = project(joints, focal.float().cpu(), centre)
    ok, error = torch.cat([p.ok for p in found]), torch.cat([p.error_px for p in found])
    return PlacedBodies(transl, joints, joints_2d, ok, error)
