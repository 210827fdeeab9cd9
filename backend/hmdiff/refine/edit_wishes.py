"""What a dragged keypoint pulls and what it leaves alone: the limb follows, the rest of the body stays."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix
from .figure import Figure
from .losses.reprojection import project_points
from .refiner import Bodies, Wishes
from .request import N_LANDMARKS
from .take_bodies import EDIT_SCALE, Seen

PULL = 0.1
"""Weight of the reprojection in an edited frame: the artist's word counts for more than a detector's."""
HOLD = 3000.0
"""How firmly joints outside the dragged limb keep their rotation."""
STAYS = 0.15
"""Confidence that a joint nobody dragged is where it is in the picture, so that a wrist stays when its elbow goes."""
TORSO = frozenset((0, 1, 2, 3, 6, 9, 12, 13, 14, 15, 16, 17))
"""Joints whose place is the torso's or the root's affair: dragging one frees the whole body."""
_LANDMARK_BONE = (
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 16, 17, 18, 19, 20, 21, 20, 21, 20, 21, 20, 21, 1, 2, 4, 5, 7, 8,
    7, 8, 10, 11,
)  # fmt: skip
"""For each landmark the joint it moves with or is."""


def edit_case(figure: Figure, bodies: Bodies, seen: Seen, focal: bool) -> tuple[Bodies, Wishes]:
    """Rows that all hold edits, with what pulls them: the edits, the other joints where they are, and the detections in
    place of keypoints that were removed.
    """
    touched = seen.edited | seen.removed
    hold = held_joints(figure, touched)
    confidence = torch.where(seen.edited, seen.confidence, 0.0)
    anyone = seen.removed.any(1, keepdim=True)
    confidence = torch.where(anyone & ~seen.edited, seen.confidence, confidence)
    points = seen.points.clone()
    with torch.no_grad():
        rotations = axis_angle_to_matrix(bodies.pose.reshape(-1, 24, 3))
        joints = figure.pose(figure.tables(bodies.betas), rotations)[1] + bodies.transl[:, None]
    here = torch.zeros_like(touched)
    # a limb that a removed keypoint held is free to go where the others lead it
    here[:, N_LANDMARKS:] = ~(touched[:, N_LANDMARKS:] | (anyone & (hold == 0)))
    points[:, N_LANDMARKS:][here[:, N_LANDMARKS:]] = project_points(joints, bodies.focal, bodies.principal)[
        here[:, N_LANDMARKS:]
    ]
    confidence = torch.where(here, STAYS, confidence)
    whole = bool((hold == 0).all(1).any())
    wishes = Wishes(
        reprojection=PULL, scale=torch.where(here[..., None], EDIT_SCALE, seen.scale), hold=HOLD * hold,
        solve_transl=whole, solve_focal=focal, place_first=False,
    )  # fmt: skip
    return replace(bodies, points=points, confidence=confidence), wishes


def held_joints(figure: Figure, edited: Tensor) -> Tensor:
    """edited (B,57) bool -> (B,24): 1 for joints that no edit frees."""
    hold = torch.ones(len(edited), 24)
    for row, point in torch.nonzero(edited).tolist():
        joint = point - N_LANDMARKS if point >= N_LANDMARKS else _LANDMARK_BONE[point]
        if joint in TORSO:
            hold[row] = 0.0
            continue
        for _ in range(4):
            hold[row, joint] = 0.0
            joint = figure.body.parents[joint]
            if joint in (0, 3, 6, 9, 12):
                break
    return hold
