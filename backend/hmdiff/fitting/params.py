"""What a fit returns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FittedBody:
    """SMPL-format parameters of B bodies.

    rotations (B,24,3,3) local; pose (B,72) the same as axis-angle, global_orient first; betas (B,10);
    transl (B,3) metres, vertices = skin(betas, pose) + transl; vertex_error_mm (B,) mean distance between the fitted
    and the given vertices.
    """

    rotations: Tensor
    pose: Tensor
    betas: Tensor
    transl: Tensor
    vertex_error_mm: Tensor

    def __len__(self) -> int:
        return len(self.pose)


def concatenate(parts: list[FittedBody]) -> FittedBody:
    """Several fits as one, in order."""
    names = ("rotations", "pose", "betas", "transl", "vertex_error_mm")
    return FittedBody(*(torch.cat([getattr(part, name) for part in parts]) for name in names))
