"""What refinement is given: estimated bodies, and what is wished of them, made into a ``Problem``."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix
from ..fitting.camera import solve_translation
from .figure import Figure
from .losses.ground import Ground, detect_contacts, floor_loss, slide_loss
from .losses.reprojection import SCALE, Keypoints, reprojection_loss
from .losses.temporal import acceleration_loss, neighbours, smoothness_loss
from .losses.views import CONSISTENCY, CalibratedViews, calibrated_loss, consistency_loss
from .pose_code import POSE_SIZE, PoseCode
from .problem import Problem, Term

REPROJECTION, TEMPORAL, VIEWS = 0.003, 30.0, 0.005
"""Step sizes rho of the paper."""


@dataclass(frozen=True)
class Bodies:
    """B estimated bodies. pose (B,72) axis-angle with the root in camera axes, betas (B,S), transl (B,3) metres;
    focal (B,), principal (B,2) px; points (B,33,2) px and confidence (B,33) of the landmarks; side (B,) px of the crop.
    condition (B, conditions.SIZE), None where nothing is known of the picture; track (B,) long, times (B,) s: rows with
    one label follow each other; None for independent rows.
    """

    pose: Tensor
    betas: Tensor
    transl: Tensor
    focal: Tensor
    principal: Tensor
    points: Tensor
    confidence: Tensor
    side: Tensor
    condition: Tensor | None = None
    track: Tensor | None = None
    times: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pose)


@dataclass(frozen=True)
class Wishes:
    """What pulls, and how strongly; 0 leaves a loss out. reprojection, smoothness (codes, as published), acceleration
    (joints), slide and floor (feet; for a camera that stands still, up (3,) in camera axes), consistency over ``group``
    (B,) long, calibrated over ``views``. locked (B,) bool: rows that stay as they are. hold (B,24): how firmly each
    joint keeps its local rotation, as the weight of the squared change of its code. solve_transl: False for bodies that
    are where they should be. together: rows that a loss ties are judged by their sum; False: each by its own, so that a
    bad one cannot hold back the others. share: how much of the way that was found is gone. scale: of the robust error,
    as a share of the crop, one number or (B,K,1). The defaults are for a detector's keypoints: TRUSTED is for an
    artist's.
    """

    reprojection: float = 0.002
    smoothness: float = 0.0
    acceleration: float = 0.0
    slide: float = 0.0
    floor: float = 0.0
    consistency: float = 0.0
    calibrated: float = 0.0
    scale: float | Tensor = 0.03
    up: Tensor | None = None
    group: Tensor | None = None
    views: CalibratedViews | None = None
    locked: Tensor | None = None
    hold: Tensor | None = None
    solve_transl: bool = True
    solve_focal: bool = False
    place_first: bool = True
    together: bool = True
    share: float = 1.0
    extra: tuple[Term, ...] = field(default_factory=tuple)


DOUBTED = Wishes(share=0.3)
"""A detector's keypoints in a single picture. They pull as often away from the truth as towards it; a third of the way
keeps most of what is gained and, by measurement (docs/refine.md), never loses a tenth."""
TRUSTED = Wishes(reprojection=0.02, scale=0.2)
"""Keypoints that are right: followed closely and from afar."""
LITERAL = Wishes(reprojection=REPROJECTION, scale=SCALE)
"""The paper's weight and scale."""


def make_problem(figure: Figure, code: PoseCode, bodies: Bodies, wishes: Wishes) -> Problem:
    """The wishes as losses on these bodies. Raises ValueError where a wish needs what the bodies do not tell."""
    seen = Keypoints(bodies.points, bodies.confidence, bodies.side, bodies.principal)
    terms: list[Term] = []
    if wishes.reprojection:
        terms.append(
            Term(
                "reprojection",
                wishes.reprojection,
                lambda p: reprojection_loss(p, seen, wishes.scale),
                seen,
                wishes.scale,
            )
        )
    if wishes.smoothness or wishes.acceleration or wishes.slide:
        if bodies.track is None or bodies.times is None:
            raise ValueError("Losses over time need the rows' tracks and times.")
        near = neighbours(bodies.track, bodies.times)
        terms.append(Term("smoothness", wishes.smoothness, lambda p: smoothness_loss(p, near), code_curvature=8.0))
        terms.append(
            Term("acceleration", wishes.acceleration, lambda p: acceleration_loss(p, near), joint_curvature=3.2e5)
        )
    if wishes.slide or wishes.floor:
        terms += _ground_terms(figure, bodies, wishes)
    if wishes.consistency and wishes.group is not None:
        group = wishes.group
        terms.append(
            Term(
                "consistency",
                wishes.consistency,
                lambda p: consistency_loss(p, group),
                code_curvature=2 * CONSISTENCY**2,
            )
        )
    if wishes.calibrated and wishes.views is not None:
        views = wishes.views
        terms.append(
            Term(
                "calibrated", wishes.calibrated, lambda p: calibrated_loss(p, views, wishes.scale), views, wishes.scale
            )
        )
    if wishes.hold is not None:
        start = code.encode_axis_angle(bodies.pose, bodies.betas)
        terms.append(hold_term(start, wishes.hold))
    terms = [term for term in terms if term.weight] + list(wishes.extra)
    transl = bodies.transl
    if wishes.place_first and wishes.reprojection:
        transl = _placed(figure, bodies, wishes.locked)
    return Problem(
        figure, code, bodies.betas, transl, bodies.focal, tuple(terms), wishes.solve_transl, wishes.solve_focal
    )


def hold_term(start: Tensor, hold: Tensor) -> Term:
    """start (B,D) codes, hold (B,24)."""
    weight = hold.repeat_interleave(6, 1)
    pose = start[:, :POSE_SIZE]
    return Term(
        "hold", 1.0, lambda p: (weight * (p.code[:, :POSE_SIZE] - pose).square()).sum(1), code_curvature=2 * weight
    )


@torch.no_grad()
def _placed(figure: Figure, bodies: Bodies, locked: Tensor | None) -> Tensor:
    """Where the estimated bodies stand best for the keypoints as they are now."""
    rotations = axis_angle_to_matrix(bodies.pose.reshape(-1, 24, 3))
    _, _, points = figure.pose(figure.tables(bodies.betas), rotations)
    found = solve_translation(points, bodies.points, bodies.confidence, bodies.focal, bodies.principal)
    better = found.ok if locked is None else found.ok & ~locked
    return torch.where(better[:, None], found.transl.to(bodies.transl), bodies.transl)


def _ground_terms(figure: Figure, bodies: Bodies, wishes: Wishes) -> list[Term]:
    if wishes.up is None or bodies.track is None or bodies.times is None:
        raise ValueError("Losses of the feet need the direction up, and the rows' tracks and times.")
    near = neighbours(bodies.track, bodies.times)
    rotations = axis_angle_to_matrix(bodies.pose.reshape(-1, 24, 3))
    with torch.no_grad():
        _, joints, _ = figure.pose(figure.tables(bodies.betas), rotations)
        joints = joints + bodies.transl[:, None]
    labels, place = torch.unique(bodies.track, return_inverse=True)
    contact, levels = torch.zeros(len(bodies), 4), []
    for number in range(len(labels)):
        rows = torch.nonzero(place == number).flatten()
        inside = neighbours(torch.zeros_like(rows), bodies.times[rows])
        contact[rows], level = detect_contacts(joints[rows], inside, bodies.times[rows], wishes.up)
        levels.append(level)
    ground = Ground(wishes.up, torch.stack(levels), place, contact)
    return [
        Term("slide", wishes.slide, lambda p: slide_loss(p, ground, near), joint_curvature=8e4),
        Term("floor", wishes.floor, lambda p: floor_loss(p, ground), joint_curvature=2e4),
    ]


def tied_rows(bodies: Bodies, wishes: Wishes) -> Tensor | None:
    """Rows to be judged together: a track in time, a group of views, or both where a view of one is in the other."""
    if not wishes.together:
        return None
    over_time = bodies.track if wishes.smoothness or wishes.acceleration or wishes.slide else None
    labels = [each for each in (over_time, wishes.group if wishes.consistency else None) if each is not None]
    if len(labels) == 2:
        return torch.zeros(len(bodies), dtype=torch.long)
    return torch.unique(labels[0], return_inverse=True)[1] if labels else None
