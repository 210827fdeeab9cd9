"""The regressor: one look at the features gives the mesh m, the camera and the pose distribution U.

Cheap and trained first (method_notes 4.4); the diffusion model then works on the residual around m (notes A4, A15).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .inputs import GRID, LANDMARK_FEATURES, ModelInputs

N_COARSE = 431
N_J14 = 14
N_MIXTURES = 3


@dataclass(frozen=True)
class RegressorConfig:
    """width: of the residual MLP; blocks: number of residual blocks; mask_features: size of the mask's summary."""

    width: int = 768
    blocks: int = 5
    mask_features: int = 96


@dataclass(frozen=True)
class PoseMixture:
    """U as a Gaussian mixture per joint (N,14,M,...), metres around the pelvis, camera axes.

    logits (N,14,M); mean (N,14,M,3); scale_tril (N,14,M,3,3) lower Cholesky factors.
    """

    logits: Tensor
    mean: Tensor
    scale_tril: Tensor

    def log_prob(self, joints: Tensor) -> Tensor:
        """joints (N,14,3) -> (N,14) natural log density."""
        difference = (joints[:, :, None] - self.mean)[..., None]
        white = torch.linalg.solve_triangular(self.scale_tril, difference, upper=False).squeeze(-1)
        log_scale = torch.diagonal(self.scale_tril, dim1=-2, dim2=-1).log().sum(-1)
        each = -0.5 * (white**2).sum(-1) - log_scale - 2.7568156
        return torch.logsumexp(torch.log_softmax(self.logits, -1) + each, -1)

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean (N,14,3) and covariance (N,14,3,3) of the mixture."""
        weight = torch.softmax(self.logits, -1)[..., None]
        mean = (weight * self.mean).sum(2)
        spread = self.mean - mean[:, :, None]
        inner = self.scale_tril @ self.scale_tril.transpose(-1, -2) + spread[..., None] * spread[..., None, :]
        return mean, (weight[..., None] * inner).sum(2)


@dataclass(frozen=True)
class Regression:
    """hidden (N,W): the trunk's state, for the features; mesh (N,431,3) and camera (N,3): the pelvis in the crop
    (-1..1) and the log of depth over crop side; u: the pose distribution.
    """

    hidden: Tensor
    mesh: Tensor
    camera: Tensor
    u: PoseMixture


class ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)
        nn.init.normal_(self.down.weight, std=0.3 / width**0.5)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(torch.nn.functional.gelu(self.up(self.norm(x))))


class Regressor(nn.Module):
    """Residual MLP over landmarks, camera and mask."""

    mean_mesh: Tensor
    joint_map: Tensor

    def __init__(self, config: RegressorConfig) -> None:
        super().__init__()
        self.config = config
        size = 33 * LANDMARK_FEATURES + 3 + 3 + config.mask_features
        self.mask = nn.Linear((GRID // 2) ** 2, config.mask_features)
        self.entry = nn.Linear(size, config.width)
        self.blocks = nn.ModuleList(ResidualBlock(config.width) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.width)
        self.mesh = nn.Linear(config.width, N_COARSE * 3)
        self.camera = nn.Linear(config.width, 3)
        self.u = nn.Linear(config.width, N_J14 * N_MIXTURES * 10)
        self.register_buffer("mean_mesh", torch.zeros(N_COARSE, 3))
        self.register_buffer("joint_map", torch.zeros(N_J14, N_COARSE))
        for layer in (self.mesh, self.camera, self.u):
            nn.init.normal_(layer.weight, std=0.2 / config.width**0.5)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            # Mixture components start apart in depth, where the picture is ambiguous.
            bias = self.u.bias.view(N_J14, N_MIXTURES, 10)
            bias[:, :, 3] = torch.linspace(-0.15, 0.15, N_MIXTURES)
            bias[:, :, 4:7] = -2.0

    def forward(self, inputs: ModelInputs) -> Regression:
        return self.read(self.look(inputs))

    def look(self, inputs: ModelInputs) -> Tensor:
        """What one picture says: the trunk's state (N,W)."""
        flags = inputs.flags
        small = torch.nn.functional.avg_pool2d(inputs.grid[:, -1:], 2).flatten(1)
        crop = torch.cat([inputs.crop[:, :2], inputs.crop[:, 2:].clamp_min(1e-3).log()], 1)
        x = torch.cat([inputs.landmarks.flatten(1), flags, crop, torch.nn.functional.gelu(self.mask(small))], 1)
        x = self.entry(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def read(self, hidden: Tensor) -> Regression:
        """Mesh, camera and pose distribution from the trunk's state."""
        mesh = self.mean_mesh + self.mesh(hidden).view(-1, N_COARSE, 3)
        return Regression(hidden, mesh, self.camera(hidden), self._mixture(hidden, mesh))

    def _mixture(self, hidden: Tensor, mesh: Tensor) -> PoseMixture:
        raw = self.u(hidden).view(-1, N_J14, N_MIXTURES, 10).float()
        # U is anchored at f(m) without a gradient into m: it learns where m is wrong and how much.
        anchor = torch.einsum("kv,nvc->nkc", self.joint_map, mesh.detach().float())
        mean = anchor[:, :, None] + raw[..., 1:4]
        scale = torch.zeros(*raw.shape[:-1], 3, 3, device=raw.device)
        diagonal = torch.nn.functional.softplus(raw[..., 4:7]) + 0.004
        scale = scale + torch.diag_embed(diagonal)
        scale[..., 1, 0], scale[..., 2, 0], scale[..., 2, 1] = raw[..., 7] * 0.1, raw[..., 8] * 0.1, raw[..., 9] * 0.1
        return PoseMixture(raw[..., 0], mean, scale)
