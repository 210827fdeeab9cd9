"""A whole track: one body shape, every frame refitted with it, placed before the camera, smoothed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hmdiff.bodies.model import BodyModel
from hmdiff.bodies.rotations import matrix_to_axis_angle

from .camera import project
from .fit import fit_body
from .placing import place_bodies
from .smoothing import (
    DEFAULT_STRENGTH,
    MAX_GAP,
    fill_rotations,
    fill_values,
    segments,
    smooth_rotations,
    smooth_values,
)

MeshSource = Callable[[Tensor], Tensor]
"""Frame numbers (n,) -> their coarse vertices (n,V',3); lets a long track stay on disk."""

_SHAPE_FRAMES = 192
_SLICE = 256
_DEPTH_FACTOR = 3.0
"""Depth follows from a few per cent of size, so it shakes most and is smoothed over a longer time than the picture."""


@dataclass(frozen=True)
class Sightings:
    """What the camera saw of one person over F frames: landmarks_2d (F,L,2) px, confidence (F,L), focal (F,) px,
    principal (2,) px, times (F,) seconds rising, valid (F,) frames with a mesh."""

    landmarks_2d: Tensor
    confidence: Tensor
    focal: Tensor
    principal: tuple[float, float]
    times: Tensor
    valid: Tensor


@dataclass(frozen=True)
class FittedTrack:
    """One person's motion. betas (S,); rotations (F,24,3,3); pose (F,72) axis-angle; transl (F,3); joints (F,24,3)
    metres in camera axes; joints_2d (F,24,2) px; vertex_error_mm (F,) of the refit with one shape before smoothing, NaN
    where there was no mesh; error_px (F,) of the placing; placed (F,) frames whose landmarks fixed the place."""

    betas: Tensor
    rotations: Tensor
    pose: Tensor
    transl: Tensor
    joints: Tensor
    joints_2d: Tensor
    vertex_error_mm: Tensor
    error_px: Tensor
    placed: Tensor


def meshes_from_rows(body: BodyModel, pose: Tensor, betas: Tensor) -> MeshSource:
    """The coarse meshes of frames already fitted: pose (F,72), betas (F,S)."""
    return lambda frames: body.from_axis_angle(betas[frames], pose[frames])[0]


@torch.no_grad()
def fit_track(
    body: BodyModel,
    meshes: MeshSource,
    landmark_matrix: Tensor,
    seen: Sightings,
    strength: float = DEFAULT_STRENGTH,
    betas: Tensor | None = None,
    max_gap: float = MAX_GAP,
    progress: Callable[[float], None] | None = None,
) -> FittedTrack:
    """Finish a track. body: the model reduced to the V' vertices that ``meshes`` gives (any origin, camera axes);
    landmark_matrix (L,V'); strength: smoothing in seconds, 0 for none; betas (S,) when the shape is known.

    Frames without a mesh are interpolated across gaps up to max_gap seconds and held across longer ones. progress hears
    the share done, 0 to 1. Memory beyond the result does not grow with F.
    """
    frames = torch.nonzero(seen.valid).flatten()
    count = len(seen.times)
    one = track_betas(body, meshes, frames, seen.confidence) if betas is None else betas.cpu().float()
    rotations = torch.eye(3).repeat(count, 24, 1, 1)
    error_mm = torch.full((count,), torch.nan)
    for start in range(0, len(frames), _SLICE):
        some = frames[start : start + _SLICE]
        fitted = fit_body(body, meshes(some), betas=one.to(body.template.device))
        rotations[some] = fitted.rotations.cpu()
        error_mm[some] = fitted.vertex_error_mm.cpu()
        if progress is not None:
            progress((start + len(some)) / max(1, len(frames)))

    usable = seen.valid & torch.isfinite(error_mm)
    stretch = segments(seen.times, usable, max_gap)
    trust = _trust(seen.confidence, usable)
    rotations = fill_rotations(rotations, seen.times, usable, max_gap)
    rotations = smooth_rotations(rotations, seen.times, stretch, strength, trust)

    device = body.template.device
    shape = one.expand(count, -1)
    placed = place_bodies(
        body, shape.to(device), rotations.to(device), landmark_matrix, seen.landmarks_2d,
        seen.confidence * usable[:, None], seen.focal, seen.principal,
    )  # fmt: skip
    pelvis = smooth_path(placed.joints[:, 0], seen.times, placed.ok & usable, strength, trust, max_gap)
    shift = pelvis - placed.joints[:, 0]
    joints = placed.joints + shift[:, None]
    joints_2d = project(joints, seen.focal.float(), torch.tensor(seen.principal).expand(count, 2))
    pose = matrix_to_axis_angle(rotations).flatten(1)
    return FittedTrack(
        betas=one, rotations=rotations, pose=pose,
        transl=placed.transl + shift, joints=joints, joints_2d=joints_2d, vertex_error_mm=error_mm,
        error_px=placed.error_px, placed=placed.ok & usable,
    )  # fmt: skip


def track_betas(body: BodyModel, meshes: MeshSource, frames: Tensor, confidence: Tensor) -> Tensor:
    """One shape (S,) for a track: frames spread evenly over it are fitted freely, then the median of each beta,
    weighted by the landmarks' confidence and by how well the body could follow the mesh."""
    if len(frames) == 0:
        return torch.zeros(body.n_betas)
    chosen = frames[torch.linspace(0, len(frames) - 1, min(_SHAPE_FRAMES, len(frames))).round().long()]
    fitted = fit_body(body, meshes(chosen))
    betas, error = fitted.betas.cpu(), fitted.vertex_error_mm.cpu()
    weight = confidence[chosen].float().mean(1).clamp_min(1e-3) / (10.0 + error)
    order = betas.argsort(dim=0)
    sorted_betas = betas.gather(0, order)
    share = weight[order].cumsum(0) / weight.sum().clamp_min(1e-12)
    middle = (share < 0.5).sum(0).clamp_max(len(chosen) - 1)
    return sorted_betas.gather(0, middle[None])[0]


def smooth_path(
    pelvis: Tensor, times: Tensor, valid: Tensor, strength: float, trust: Tensor, max_gap: float = MAX_GAP
) -> Tensor:
    """pelvis (F,3) metres in camera axes -> the same filled and smoothed. Works on the picture place (x/z, y/z) and the
    logarithm of the depth, so that the body stays on the person while its distance is steadied."""
    depth = pelvis[:, 2:].clamp_min(0.05)
    seen = torch.cat([pelvis[:, :2] / depth, depth.log()], 1)
    filled = fill_values(seen, times, valid, max_gap)
    stretch = segments(times, valid, max_gap)
    strengths = torch.tensor([strength, strength, _DEPTH_FACTOR * strength])
    steady = smooth_values(filled, times, stretch, strengths, trust)
    distance = steady[:, 2:].exp()
    path = torch.cat([steady[:, :2] * distance, distance], 1)
    return path if strength > 0 else torch.where(valid[:, None], pelvis, path)


def _trust(confidence: Tensor, usable: Tensor) -> Tensor:
    """Frames that were interpolated or barely seen count little in their neighbours' smoothing."""
    return torch.where(usable, confidence.float().mean(1).clamp(0.05, 1.0), torch.full((len(usable),), 0.05))
