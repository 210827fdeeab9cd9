"""The vector ScoreHMR works on: 24 rotations as 6D, and the betas where a model wants them.

144 numbers, or 154. The root turns in camera axes (or in whatever frame the body is to be refined in); 6D is the first
two columns of each matrix, unstandardised (method_notes 2.3). Betas are brought to [-1, 1] by the limits of the
training people; they may leave that range.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix, matrix_to_6d, sixd_to_matrix

POSE_SIZE = 144


@dataclass(frozen=True)
class BetaRange:
    """low, high (S,): what -1 and 1 stand for."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, betas: Tensor) -> BetaRange:
        """The limits of betas (N,S)."""
        return cls(tuple(betas.amin(0).tolist()), tuple(betas.amax(0).tolist()))


@dataclass(frozen=True)
class PoseCode:
    """How a code is read. betas: None for poses alone."""

    betas: BetaRange | None = None

    @property
    def size(self) -> int:
        return POSE_SIZE + (0 if self.betas is None else len(self.betas.low))

    def encode(self, rotations: Tensor, betas: Tensor | None = None) -> Tensor:
        """rotations (B,24,3,3), betas (B,S) where the code holds them -> (B,size)."""
        pose = matrix_to_6d(rotations).flatten(1)
        if self.betas is None:
            return pose
        if betas is None:
            raise ValueError("This code holds betas; none were given.")
        low, high = self._limits(betas)
        return torch.cat([pose, 2 * (betas - low) / (high - low).clamp_min(1e-9) - 1], 1)

    def encode_axis_angle(self, pose: Tensor, betas: Tensor | None = None) -> Tensor:
        """As ``encode``, from axis-angles (B,72)."""
        return self.encode(axis_angle_to_matrix(pose.reshape(-1, 24, 3)), betas)

    def rotations(self, code: Tensor) -> Tensor:
        """(B,size) -> (B,24,3,3), differentiable; any code gives rotations (Gram-Schmidt)."""
        return sixd_to_matrix(code[:, :POSE_SIZE].reshape(-1, 24, 6))

    def betas_of(self, code: Tensor, otherwise: Tensor) -> Tensor:
        """(B,S): the code's betas, or ``otherwise`` where it holds none."""
        if self.betas is None:
            return otherwise
        low, high = self._limits(code)
        return low + (code[:, POSE_SIZE:] + 1) / 2 * (high - low)

    def _limits(self, like: Tensor) -> tuple[Tensor, Tensor]:
        assert self.betas is not None
        return torch.tensor(self.betas.low).to(like), torch.tensor(self.betas.high).to(like)
