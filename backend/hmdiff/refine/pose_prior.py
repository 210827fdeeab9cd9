"""How people bend: a Gaussian mixture over the 6D body pose, in its principal directions (SMPLify's prior, from our
motion capture). Shipped as a small array; ``python -m hmdiff.refine.fit_prior`` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from hmdiff_wire.errors import HmdiffError
from torch import Tensor

from ..bodies.rotations import matrix_to_6d
from ..models.weights import DATA

PRIOR_FILE = DATA / "pose_prior.npz"
JOINTS = 21
"""Without the root and the two hands."""


@dataclass(frozen=True)
class PosePrior:
    """mean (126,), basis (126,R) orthonormal; left (): variance in each direction outside the basis; log_weight (M,),
    centre (M,R), precision_root (M,R,R): upper factors with P = L L^T.
    """

    mean: Tensor
    basis: Tensor
    left: Tensor
    log_weight: Tensor
    centre: Tensor
    precision_root: Tensor

    def __call__(self, rotations: Tensor) -> Tensor:
        """rotations (B,24,3,3) local -> (B,): -log of the best component's density (Bogo et al. 2016), plus what lies
        outside the basis; 0 at the best component's centre.
        """
        pose = matrix_to_6d(rotations[:, 1 : 1 + JOINTS]).flatten(1) - self.mean
        inside = pose @ self.basis
        outside = pose.square().sum(1) - inside.square().sum(1)
        white = torch.einsum("nmr,mrk->nmk", inside[:, None] - self.centre, self.precision_root)
        each = 0.5 * white.square().sum(-1) - self.log_weight
        return each.amin(1) + 0.5 * outside / self.left + self.log_weight.amax()


@lru_cache(maxsize=1)
def load_pose_prior(path: Path = PRIOR_FILE) -> PosePrior:
    """Errors: ``weights.missing``, ``weights.damaged``."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return PosePrior(**{
                name: torch.from_numpy(data[name].astype(np.float32))
                for name in ("mean", "basis", "left", "log_weight", "centre", "precision_root")
            })  # fmt: skip
    except FileNotFoundError as error:
        raise HmdiffError(
            "weights.missing", f"There is no pose prior at {path}.",
            "Install HMDiff again, or make it (`python -m hmdiff.refine.fit_prior`).",
        ) from error  # fmt: skip
    except (KeyError, ValueError, OSError) as error:
        raise HmdiffError(
            "weights.damaged", f"The pose prior at {path} cannot be used.", "Install HMDiff again.", repr(error)
        ) from error
