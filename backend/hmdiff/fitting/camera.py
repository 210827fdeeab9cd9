"""The camera from what is at hand: its focal length, and where a body stands before it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from hmdiff_wire.errors import HmdiffError
from torch import Tensor

NEAR, FAR = 0.2, 200.0
_FILM_DIAGONAL = math.hypot(36.0, 24.0)


@dataclass(frozen=True)
class Placement:
    """transl (B,3) metres, camera axes; ok (B,) whether the points fix it; error_px (B,) confidence-weighted root mean
    square reprojection error, infinite where not ok."""

    transl: Tensor
    ok: Tensor
    error_px: Tensor


def focal_pixels(
    image_size: tuple[int, int], focal_user: float | None = None, focal_metadata: float | None = None
) -> tuple[float, str]:
    """Focal length in pixels and where it is from: ``user``, ``metadata`` or ``assumed``.

    image_size (width, height) of the full image; focal_user and focal_metadata in pixels of that image. Without either
    the image diagonal is taken, as CLIFF does (Li et al. 2022): 53 degrees over the diagonal, a 43 mm lens on film,
    between phones (24-28 mm) and film lenses (50-85 mm). A wrong focal length mostly scales the distance.
    Metadata outside 0.3 to 20 diagonals is not believed. Errors: ``input.focal`` for a user's value that is no length.
    """
    diagonal = math.hypot(*image_size)
    if focal_user is not None:
        if not (math.isfinite(focal_user) and focal_user > 0):
            raise HmdiffError(
                "input.focal", f"A focal length of {focal_user} pixels is not possible.",
                "Give a positive number of pixels to --focal, or leave it out.",
            )  # fmt: skip
        return float(focal_user), "user"
    if focal_metadata is not None and math.isfinite(focal_metadata) and 0.3 < focal_metadata / diagonal < 20:
        return float(focal_metadata), "metadata"
    return diagonal, "assumed"


def focal_from_film(image_size: tuple[int, int], millimetres: float) -> float:
    """EXIF's FocalLengthIn35mmFilm -> pixels, by the diagonal (CIPA DCG-001)."""
    return millimetres / _FILM_DIAGONAL * math.hypot(*image_size)


def project(points: Tensor, focal: Tensor, principal: Tensor) -> Tensor:
    """points (B,K,3) metres in camera axes, focal (B,), principal (B,2) px -> (B,K,2) px."""
    depth = points[..., 2:].clamp_min(1e-3)
    return points[..., :2] / depth * focal[:, None, None] + principal[:, None]


@torch.no_grad()
def solve_translation(
    points3d: Tensor,
    points2d: Tensor,
    confidence: Tensor,
    focal: float | Tensor,
    principal: tuple[float, float] | Tensor,
    iterations: int = 12,
) -> Placement:
    """Where bodies stand, from points and their pictures.

    points3d (B,K,3) metres in camera axes around any origin, points2d (B,K,2) px, confidence (B,K) >= 0, focal (B,) or
    one number px, principal (B,2) or two numbers px. Runs and answers on the CPU, in doubles.
    Linear least squares, then Gauss-Newton on the reprojection with Geman-McClure weights (scale twice the median
    error, at least 1 % of the person's size). Two points are enough.
    Not ok, and then at a plain guess instead of NaN: fewer than two points seen, all pictures in one place, or a
    solution nearer than NEAR or beyond FAR.
    """
    count = len(points3d)
    points3d, points2d, confidence = points3d.cpu(), points2d.cpu(), confidence.cpu()
    like = points3d.double()
    focals = torch.as_tensor(focal, dtype=torch.float64).cpu().expand(count)
    centre = torch.as_tensor(principal, dtype=torch.float64).cpu().expand(count, 2)
    seen = torch.isfinite(points2d).all(-1) & torch.isfinite(points3d).all(-1) & (confidence > 0)
    weight = torch.where(seen, confidence.double(), 0.0)
    like = torch.where(seen[..., None], like, 0.0)
    rays = torch.where(seen[..., None], (points2d.double() - centre[:, None]) / focals[:, None, None], 0.0)

    share = weight / weight.sum(1, keepdim=True).clamp_min(1e-9)
    spread = (share[..., None] * (rays - (share[..., None] * rays).sum(1, keepdim=True)).square()).sum((1, 2)).sqrt()
    transl = _linear(like, rays, weight)
    usable = (seen.sum(1) >= 2) & (spread * focals > 1.0) & torch.isfinite(transl).all(1)
    guess = _guess(like, rays, share, spread)
    transl = torch.where((usable & (transl[:, 2] > NEAR))[:, None], transl, guess)
    for _ in range(iterations):
        transl = transl + _step(like, rays, weight, transl, spread)

    depth = like[..., 2] + transl[:, None, 2]
    behind = (seen & (depth < 0.5 * NEAR)).any(1)
    ok = usable & torch.isfinite(transl).all(1) & (transl[:, 2] > NEAR) & (transl[:, 2] < FAR) & ~behind
    transl = torch.where(ok[:, None], transl, guess)
    error = (_residual(like, rays, transl).square().sum(-1) * share).sum(1).sqrt() * focals
    error = torch.where(ok, error, torch.inf)
    return Placement(transl.float(), ok, error.float())


def _linear(points: Tensor, rays: Tensor, weight: Tensor) -> Tensor:
    """x + tx = u (z + tz) and the same for y, weighted. A tiny ridge keeps the system solvable."""
    one, zero = torch.ones_like(rays[..., 0]), torch.zeros_like(rays[..., 0])
    rows = torch.stack([one, zero, -rays[..., 0], zero, one, -rays[..., 1]], -1).unflatten(-1, (2, 3))
    right = rays * points[..., 2:] - points[..., :2]
    weighted = rows * weight[..., None, None]
    matrix = torch.einsum("nkca,nkcb->nab", weighted, rows) + 1e-9 * torch.eye(3, dtype=rays.dtype)
    return torch.linalg.solve(matrix, torch.einsum("nkca,nkc->na", weighted, right)[..., None]).squeeze(-1)


def _guess(points: Tensor, rays: Tensor, share: Tensor, spread: Tensor) -> Tensor:
    """Weak perspective: size in metres over size in the picture; five metres where there is no size."""
    middle = (share[..., None] * points).sum(1)
    offset = (points - middle[:, None])[..., :2]
    size = (share[..., None] * offset.square()).sum((1, 2)).sqrt()
    depth = torch.where((spread > 1e-5) & (size > 1e-3), size / spread.clamp_min(1e-9), 5.0).clamp(NEAR * 2, FAR / 2)
    aim = (share[..., None] * rays).sum(1)
    return torch.cat([aim * depth[:, None], depth[:, None]], -1) - middle


def _residual(points: Tensor, rays: Tensor, transl: Tensor) -> Tensor:
    placed = points + transl[:, None]
    return placed[..., :2] / placed[..., 2:].clamp_min(0.25 * NEAR) - rays


def _step(points: Tensor, rays: Tensor, weight: Tensor, transl: Tensor, spread: Tensor) -> Tensor:
    placed = points + transl[:, None]
    inverse = 1 / placed[..., 2].clamp_min(0.25 * NEAR)
    zero = torch.zeros_like(inverse)
    across, down = placed[..., 0] * inverse, placed[..., 1] * inverse
    rows = torch.stack([inverse, zero, -across * inverse, zero, inverse, -down * inverse], -1).unflatten(-1, (2, 3))
    residual = _residual(points, rays, transl)
    square = residual.square().sum(-1)
    seen = torch.where(weight > 0, square, torch.nan)
    scale = torch.maximum(2 * seen.nanmedian(1).values.nan_to_num(0.0).sqrt(), 0.01 * spread + 1e-9)
    robust = weight / (1 + square / scale.square()[:, None]).square()
    weighted = rows * robust[..., None, None]
    matrix = torch.einsum("nkca,nkcb->nab", weighted, rows)
    matrix = matrix + (1e-9 * matrix.diagonal(dim1=1, dim2=2).sum(-1) + 1e-12)[:, None, None] * torch.eye(3).double()
    right = -torch.einsum("nkca,nkc->na", weighted, residual)
    step = torch.linalg.solve(matrix, right[..., None]).squeeze(-1).nan_to_num(0.0)
    limit = 0.3 * (transl[:, 2].abs() + 0.5)
    return step * (limit / step.norm(dim=1).clamp_min(1e-12)).clamp_max(1.0)[:, None]
