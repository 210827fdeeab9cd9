"""f_I: 49 tokens of 128 that the denoiser attends to.

Default: 8 x 8 patches of the detector's heatmaps and mask (DESIGN 6) plus the regressor's state. The paper's pooling
of an RGB backbone's 2048 x 7 x 7 map stands beside it (supplement 3.1; note A14).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from .embeddings import position_code
from .inputs import CHANNELS, ModelInputs

PATCH = 8
TOKENS = 49
WIDTH = 128


class ProxyFeatures(nn.Module):
    """Heatmaps, mask and the regressor's hidden state -> f_I (N,49,128)."""

    position: Tensor

    def __init__(self, hidden_width: int, inner: int = 128) -> None:
        super().__init__()
        self.patch = nn.Linear(CHANNELS * PATCH * PATCH, inner)
        self.mix = nn.Linear(inner, WIDTH)
        self.state = nn.Linear(hidden_width, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.register_buffer("position", position_code(TOKENS, WIDTH), persistent=False)

    def forward(self, inputs: ModelInputs, hidden: Tensor) -> Tensor:
        patches = nn.functional.unfold(inputs.grid, PATCH, stride=PATCH).transpose(1, 2)
        local = self.mix(torch.nn.functional.gelu(self.patch(patches)))
        return self.norm(local + self.state(hidden)[:, None] + self.position)


def pool_backbone(
    features: Tensor, method: Literal["average", "learned"] = "average", projection: nn.Linear | None = None
) -> Tensor:
    """An RGB backbone's f_c (N,2048,7,7) -> (N,49,128): average over channel groups (paper), or a learned 1x1 (A14)."""
    tokens = features.flatten(2).transpose(1, 2)
    if method == "average":
        return torch.nn.functional.adaptive_avg_pool1d(tokens, WIDTH) + position_code(TOKENS, WIDTH).to(tokens)
    if projection is None:
        raise ValueError("The learned pooling needs a projection of 2048 to 128.")
    return projection(tokens) + position_code(TOKENS, WIDTH).to(tokens)
