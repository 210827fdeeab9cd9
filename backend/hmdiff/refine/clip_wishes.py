"""What is wished of a whole range of frames: calm, the picture, and what the artist has fixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation
from ..fitting.smoothing import segments, smooth_rotations, smooth_values
from .layer import falloff, spread_change
from .plan import PersonPlan
from .refiner import DOUBTED, Bodies, Wishes
from .request import USUAL_CALM, RefineRequest
from .take_bodies import Seen

Array = NDArray[np.float32]
PICTURE = 0.01
"""Weight of the detected keypoints where they are to pull, by measurement (docs/refine.md)."""
PHOTO = 0.002
"""The same in a single picture, where nothing averages their errors out."""
STAY = 2.0
"""Where they are not, joints keep their rotations as firmly as this."""
CALM = 0.01
"""Weight of the acceleration at a strength of a tenth of a second."""


TOLERATED_TURN, TOLERATED_WAY = 0.015, 0.01
"""Radians and metres by which a long calming may move a joint or the body, however little jitter there is."""
EDITED = 2.0
"""An edit counts for so much more than a detection that is as sure."""


def clip_case(bodies: Bodies, seen: Seen, locked: Tensor, request: RefineRequest) -> tuple[Bodies, Wishes]:
    """locked (B,) bool: rows that only hold others."""
    pulls = request.pulls_detections
    edited_row = seen.edited.any(1)
    hold = None if pulls else STAY * torch.ones(len(bodies), 24) * (~edited_row)[:, None]
    photo = len(bodies) == 1
    wishes = Wishes(
        reprojection=PHOTO if photo else PICTURE, scale=seen.scale,
        acceleration=CALM * _measured(request.calm) ** 2, locked=locked, hold=hold,
        solve_focal=request.focal, together=False, place_first=pulls and not request.calm,
        share=DOUBTED.share if photo and pulls and not edited_row.any() else 1.0,
    )  # fmt: skip
    return replace(bodies, confidence=torch.where(seen.edited, EDITED, 1.0) * bodies.confidence), wishes


def _measured(calm: float) -> float:
    """Of a tenth of a second. Longer calmings have the filter for it: a strong acceleration term would flatten what is
    fast.
    """
    return min(calm / USUAL_CALM, USUAL_CALM / max(calm, USUAL_CALM))


def calmed(
    plan: PersonPlan, pose: Array, transl: Array, free: NDArray[np.bool_], strength: float
) -> tuple[Array, Array]:
    """The motion through a local quadratic filter, led back to what is fixed over the filter's reach. What is longer
    than ``USUAL_CALM`` reaches only joints that are slow enough for it.
    """
    times = torch.from_numpy(plan.times).float()
    segment = segments(times, torch.ones(len(times), dtype=torch.bool))
    rotations = axis_angle_to_matrix(torch.from_numpy(pose).float().reshape(-1, 24, 3))
    smooth = _calm_turns(rotations, times, segment, strength)
    new_pose = matrix_to_axis_angle(smooth).flatten(1).numpy()
    new_transl = _calm_places(torch.from_numpy(transl).float(), times, segment, strength).numpy()
    fixed = ~free
    if fixed.any():
        step = float(np.median(np.diff(plan.times))) if len(times) > 1 else 1.0
        reach = max(1, round(2 * strength / max(step, 1e-6)))
        shares = falloff(plan.frames, fixed, np.zeros_like(fixed), reach)
        # what the filter did to the fixed rows is undone there and, falling, beside them
        new_pose, new_transl, _ = spread_change(
            new_pose, new_transl, np.where(fixed[:, None], pose, new_pose),
            np.where(fixed[:, None], transl, new_transl), shares,
        )  # fmt: skip
    return new_pose.astype(np.float32), new_transl.astype(np.float32)


def _calm_turns(rotations: Tensor, times: Tensor, segment: Tensor, strength: float) -> Tensor:
    """(F,24,3,3): filtered over ``strength``, and over USUAL_CALM where the longer filter would flatten the motion."""
    fine = smooth_rotations(rotations, times, segment, min(strength, USUAL_CALM))
    if strength <= USUAL_CALM:
        return fine
    coarse = smooth_rotations(rotations, times, segment, strength)
    share = _share(_angle(rotations, fine), _angle(fine, coarse), times, segment, TOLERATED_TURN)[..., None, None]
    return nearest_rotation((1 - share) * fine + share * coarse)


def _calm_places(transl: Tensor, times: Tensor, segment: Tensor, strength: float) -> Tensor:
    fine = smooth_values(transl, times, segment, min(strength, USUAL_CALM))
    if strength <= USUAL_CALM:
        return fine
    coarse = smooth_values(transl, times, segment, strength)
    jitter, lost = ((a - b).norm(dim=1, keepdim=True) for a, b in ((transl, fine), (fine, coarse)))
    return fine + _share(jitter, lost, times, segment, TOLERATED_WAY) * (coarse - fine)


def _share(jitter: Tensor, lost: Tensor, times: Tensor, segment: Tensor, tolerated: float) -> Tensor:
    """How far to go from the short filter to the long one (F,J): all the way where that loses less than the jitter or
    what is tolerated, hardly where it loses a motion; even over time.
    """
    scale = jitter.median(0).values.clamp_min(tolerated)
    share = 1 / (1 + (lost / scale) ** 4)
    return smooth_values(share, times, segment, USUAL_CALM).clamp(0, 1)


def _angle(a: Tensor, b: Tensor) -> Tensor:
    """(F,J) radians."""
    trace = (a.transpose(-1, -2) @ b).diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.acos(((trace - 1) / 2).clamp(-1, 1))
