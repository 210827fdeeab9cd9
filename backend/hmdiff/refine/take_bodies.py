"""A person of a take as bodies to be refined: pose, place, and the keypoints that were seen or dragged."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import torch
from hmdiff_wire.take import Take
from numpy.typing import NDArray
from torch import Tensor

from ..bodies.joint_maps import read_landmark_regressor
from ..bodies.model import BodyModel, body_model
from ..models.inputs import canonical_crop
from .figure import Figure
from .plan import PersonPlan
from .refiner import Bodies, Refiner
from .request import N_JOINTS, N_LANDMARKS, Method, detected_here
from .weights import load_score

FREE_NAME = "free"
EDIT_SCALE, DETECTION_SCALE = 1.0, 0.06
"""Robust scales as shares of the crop: an edit is no outlier however far it was dragged."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Keypoints of n rows: points (n,57,2) px, confidence (n,57), scale (n,57,1), side (n,) px of the crop; edited
    and removed (n,57) bool.
    """

    points: Tensor
    confidence: Tensor
    scale: Tensor
    side: Tensor
    edited: Tensor
    removed: Tensor


def make_take_refiner(take: Take, method: Method, shelf: dict[Hashable, object] | None = None) -> Refiner:
    """For the take's own body, with its landmarks (on the free body) and its joints as keypoints.

    shelf: what a worker keeps between jobs. Errors: those of ``load_score`` and ``body_model``.
    """
    key = take.header.body_sha256, method
    kept = None if shelf is None else shelf.get(key)
    if isinstance(kept, Refiner):
        return kept
    body = body_model(take.body)
    figure = Figure.of(body, _landmark_rows(take, body), with_joints=True)
    made = Refiner(figure, load_score().model if method == "score" else None)
    if shelf is not None:
        while len(shelf) >= 4:
            shelf.pop(next(iter(shelf)))
        shelf[key] = made
    return made


def _landmark_rows(take: Take, body: BodyModel) -> Tensor:
    """(33,V). What the detector means on a body that is not ours is not known: its joints stand for it."""
    if has_landmarks(take):
        return torch.from_numpy(read_landmark_regressor(body.data))
    rows = torch.zeros(N_LANDMARKS, body.data.n_vertices)
    rows[:, 0] = 1.0
    return rows


def has_landmarks(take: Take) -> bool:
    return take.header.body_name == FREE_NAME


def seen_of(take: Take, plan: PersonPlan, rows: NDArray[np.int64], edits: bool = True) -> Seen:
    """What holds these rows of the plan to the picture. edits: those in force take the place of what was detected."""
    where = plan.positions[rows]
    landmarks = np.nan_to_num(take.read("landmarks_2d", plan.person, where))
    points = np.zeros((len(rows), N_LANDMARKS + N_JOINTS, 2), np.float32)
    confidence = np.zeros(points.shape[:2], np.float32)
    if has_landmarks(take):
        points[:, :N_LANDMARKS], confidence[:, :N_LANDMARKS] = landmarks[..., :2], landmarks[..., 2]
    else:
        joints = take.read("joints_2d", plan.person, where)
        points[:, N_LANDMARKS:] = np.nan_to_num(joints)
        confidence[:, N_LANDMARKS:] = np.isfinite(joints).all(-1) * 0.7
    scale = np.full((*points.shape[:2], 1), DETECTION_SCALE, np.float32)
    edited, removed = np.zeros(points.shape[:2], bool), np.zeros(points.shape[:2], bool)
    if edits:
        at = {int(row): number for number, row in enumerate(rows)}
        for row, edit in plan.edits:
            if row not in at:
                continue
            number = at[row]
            confidence[number, list(detected_here(edit.point))] = 0.0
            confidence[number, edit.point] = 0.0 if edit.remove else edit.confidence
            removed[number, edit.point] = edit.remove
            if not edit.remove:
                points[number, edit.point] = edit.x, edit.y
                scale[number, edit.point], edited[number, edit.point] = EDIT_SCALE, True
    boxes = torch.from_numpy(np.nan_to_num(take.read("box", plan.person, where)))
    sure = torch.from_numpy(landmarks[..., 2] * (landmarks[..., 2] > 0))
    _, side = canonical_crop(torch.from_numpy(np.ascontiguousarray(landmarks[..., :2])), sure, boxes)
    return Seen(
        torch.from_numpy(points), torch.from_numpy(confidence), torch.from_numpy(scale), side.clamp_min(8.0),
        torch.from_numpy(edited), torch.from_numpy(removed),
    )  # fmt: skip


def bodies_of(take: Take, plan: PersonPlan, rows: NDArray[np.int64], seen: Seen) -> Bodies:
    """The plan's start in these rows."""
    count, n_betas = len(rows), min(len(plan.betas), take.body.shapedirs.shape[-1])
    return Bodies(
        pose=torch.from_numpy(plan.start_pose[rows]).float(),
        betas=torch.from_numpy(plan.betas[:n_betas]).float().expand(count, -1).contiguous(),
        transl=torch.from_numpy(plan.start_transl[rows]).float(),
        focal=torch.from_numpy(take.focal[plan.positions[rows]].astype(np.float32)),
        principal=torch.tensor(take.center).float().expand(count, 2),
        points=seen.points, confidence=seen.confidence, side=seen.side,
        track=torch.zeros(count, dtype=torch.long), times=torch.from_numpy(plan.times[rows]).float(),
    )  # fmt: skip
