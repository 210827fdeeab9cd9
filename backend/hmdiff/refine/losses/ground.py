"""Feet: those that stand do not slide, and nothing is under the floor. For a camera that stands still, or bodies that
are refined in the world's frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..figure import Posed
from .temporal import Neighbours, _shared

FEET = (7, 8, 10, 11)
"""Ankles, then the balls of the feet (SMPL's "foot" joints)."""
HEIGHT = (0.08, 0.08, 0.02, 0.02)
"""Metres of these joints above the floor under a standing foot, on the free body."""


@dataclass(frozen=True)
class Ground:
    """up (3,) unit vector and level (P,) metres in the frame of refinement: the floor of place p is where
    up . x = level. place (B,) long: which of them a row stands on (zeros for one floor); contact (B,4) 0..1 for FEET.
    """

    up: Tensor
    level: Tensor
    place: Tensor
    contact: Tensor


def slide_loss(posed: Posed, ground: Ground, near: Neighbours) -> Tensor:
    """(B,): squared way of standing feet between neighbouring frames, in (10 mm)^2."""
    feet = posed.joints[:, list(FEET)]
    before, after = near.pairs[:, 0], near.pairs[:, 1]
    both = torch.minimum(ground.contact[before], ground.contact[after])
    way = 100.0 * (feet[after] - feet[before])
    return _shared((both[..., None] * way.square()).sum((1, 2)), near.pairs, len(posed.code))


def floor_loss(posed: Posed, ground: Ground) -> Tensor:
    """(B,): squared depth of joints under the floor and height of standing feet over it, in (10 mm)^2.

    Only feet and hands, knees and the head are looked at; a foot's sole is below its joint by HEIGHT.
    """
    level = ground.level[ground.place]
    up = ground.up.to(posed.joints)
    feet = posed.joints[:, list(FEET)] @ up - level[:, None] - torch.tensor(HEIGHT).to(posed.joints)
    others = posed.joints[:, [4, 5, 15, 20, 21, 22, 23]] @ up - level[:, None] - 0.02
    under = feet.clamp_max(0).square().sum(1) + others.clamp_max(0).square().sum(1)
    standing = (ground.contact * feet.clamp_min(0).square()).sum(1)
    return 1e4 * (under + standing)


@torch.no_grad()
def detect_contacts(
    joints: Tensor, near: Neighbours, times: Tensor, up: Tensor, speed: float = 0.35, height: float = 0.12
) -> tuple[Tensor, Tensor]:
    """Which feet stand, and where the floor is: joints (B,24,3), times (B,) s -> contact (B,4), level ().

    A foot stands when it is slower than ``speed`` m/s to its neighbours and within ``height`` metres of the floor, the
    tenth percentile of the slow feet.
    """
    feet = joints[:, list(FEET)]
    tall = feet @ up.to(feet) - torch.tensor(HEIGHT).to(feet)
    velocity = torch.full(tall.shape, torch.inf)
    for first, second in (near.pairs.unbind(1), near.pairs.unbind(1)[::-1]):
        step = (feet[second] - feet[first]).norm(dim=-1)
        step = step / (times[second] - times[first]).abs().clamp_min(1e-6)[:, None]
        velocity[first] = torch.minimum(velocity[first], step)
    slow = velocity < speed
    known = tall[slow] if bool(slow.any()) else tall.flatten()
    level = torch.quantile(known.float(), 0.1)
    return (slow & (tall - level < height)).float(), level
