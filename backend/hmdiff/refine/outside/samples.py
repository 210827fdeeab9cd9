"""Hypotheses around a pose that came from outside: noised and denoised by ScoreHMR's model."""

from __future__ import annotations

import torch
from torch import Tensor

from ...bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ...diffusion.schedule import add_noise
from ..condition import SIZE
from ..denoiser import ScoreDenoiser
from ..schedule import sample

LEVEL, STRIDE = 60, 10


@torch.no_grad()
def poses_around(model: ScoreDenoiser, pose: Tensor, count: int, seed: int) -> Tensor:
    """pose (n,72) -> (n,count,72): the pose itself first, then samples; sample k has one noise in all frames, so that
    it is one motion. The root stays.
    """
    n = len(pose)
    code = model.config.code
    start = code.encode(axis_angle_to_matrix(pose.reshape(-1, 24, 3)), torch.zeros(n, 10))
    context = model.context(torch.zeros(n, SIZE))
    found = [pose]
    for k in range(1, count):
        noise = torch.randn(1, start.shape[1], generator=torch.Generator().manual_seed(seed * 1000 + k)).expand(n, -1)
        noisy = add_noise(start, noise, model.bars[LEVEL].float())
        clean = sample(model, noisy, context, model.bars, LEVEL, STRIDE)
        turned = code.rotations(clean)
        made = matrix_to_axis_angle(turned).flatten(1)
        made[:, :3] = pose[:, :3]
        found.append(made)
    return torch.stack(found, 1)
