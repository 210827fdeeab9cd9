"""f_I: 49 tokens of 128 that the denoiser attends to.

Default: 8 x 8 patches of the detector's heatmaps and mask (DESIGN 6) plus the regressor's state. Table 4's pose feature
is U's heatmaps cut into the same patches. The paper's pooling of an RGB backbone's 2048 x 7 x 7 map stands beside it
(supplement 3.1; note A14).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from .embeddings import position_code
from .inputs import CHANNELS, ModelInputs
from .pose_head import PoseHeatmaps
from .regressor import N_J14

PATCH = 8
TOKENS = 49
WIDTH = 128

FeatureSource = Literal["image", "pose", "both", "mask"]
"""Table 4: what the picture shows, the pose distribution U, or both; mask: the picture without heatmaps."""

WANT_POSE: tuple[FeatureSource, ...] = ("pose", "both")


class ProxyFeatures(nn.Module):
    """Heatmaps, mask and the regressor's hidden state (``image``), the same without heatmaps (``mask``), or U
    (``pose``), or ``both`` -> f_I (N,49,128).
    """

    position: Tensor

    def __init__(self, hidden_width: int, inner: int = 128, source: FeatureSource = "image") -> None:
        super().__init__()
        self.source: FeatureSource = source
        channels = {"image": CHANNELS, "mask": 1, "pose": 2 * N_J14, "both": CHANNELS + 2 * N_J14}[source]
        self.patch = nn.Linear(channels * PATCH * PATCH, inner)
        self.mix = nn.Linear(inner, WIDTH)
        self.state = nn.Linear(hidden_width, WIDTH) if source != "pose" else None
        self.norm = nn.LayerNorm(WIDTH)
        self.register_buffer("position", position_code(TOKENS, WIDTH), persistent=False)

    def forward(self, inputs: ModelInputs, hidden: Tensor, pose: PoseHeatmaps | None = None) -> Tensor:
        """pose: U's heatmaps, for a source that wants them."""
        grids = {"image": [inputs.grid], "mask": [inputs.grid[:, -1:]], "pose": [], "both": [inputs.grid]}[self.source]
        if self.source in WANT_POSE:
            if pose is None:
                raise ValueError(f"Features of the source {self.source} need U's heatmaps; none were given.")
            # A peak is 1 as in the detector's heatmaps, however narrow it is.
            grids += [maps / maps.amax((2, 3), keepdim=True).clamp_min(1e-12) for maps in (pose.xy, pose.xz)]
        patches = nn.functional.unfold(torch.cat(grids, 1), PATCH, stride=PATCH).transpose(1, 2)
        local = self.mix(torch.nn.functional.gelu(self.patch(patches)))
        if self.state is not None:
            local = local + self.state(hidden)[:, None]
        return self.norm(local + self.position)


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
