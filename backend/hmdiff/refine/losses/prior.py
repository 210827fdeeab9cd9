"""How people bend and how they are built, for fitting without a network."""

from __future__ import annotations

from torch import Tensor

from ..figure import Posed
from ..pose_prior import PosePrior


def pose_prior_loss(posed: Posed, prior: PosePrior) -> Tensor:
    """(B,): -log density of the body pose under the mixture, up to a constant."""
    return prior(posed.rotations)


def fitted_shape_loss(posed: Posed) -> Tensor:
    """(B,): squared betas; they have unit variance."""
    return posed.betas.square().sum(1)
