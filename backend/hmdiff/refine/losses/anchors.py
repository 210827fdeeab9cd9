"""Joints that are to be at places in space."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..figure import Posed


@dataclass(frozen=True)
class Anchors:
    """joints: J numbers of the 24; target (B,J,3) metres in the frame of refinement; weight (B,J), 0 for none."""

    joints: tuple[int, ...]
    target: Tensor
    weight: Tensor


def anchor_loss(posed: Posed, anchors: Anchors) -> Tensor:
    """(B,): squared distances in (10 mm)^2, weighted."""
    away = 100.0 * (posed.joints[:, list(anchors.joints)] - anchors.target)
    return (anchors.weight * away.square().sum(-1)).sum(1)
