"""What the frames before and after say, trained with the regressor frozen."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..models.regressor import Regressor
from ..models.temporal import TemporalFusion
from ..synthesis.batch import pick
from .clip_stream import ClipBatch
from .regressor_task import regression_errors, regression_loss

ALONE = 0.15
"""Share of the clips whose frames are shown one by one, as photos are."""
SPARSE, DROPPED = 0.2, 0.04
"""Share of the clips of which only each 2nd to 6th frame is shown, as of footage with few frames a second, and share of
all frames that are taken away."""


class TemporalTask:
    """The regressor's own losses on every frame that is shown, read after a look around."""

    name = "temporal"

    def __init__(self, regressor: Regressor, module: TemporalFusion, joint_map: Tensor, held_out: ClipBatch) -> None:
        self.regressor = regressor.requires_grad_(False).eval()
        self.module, self.joints, self.held_out = module, joint_map, held_out

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        hidden = self._look(batch)
        clips, frames = batch.found.shape
        alone = torch.rand(clips, generator=generator, device=hidden.device) < ALONE
        shown = batch.found & shown_frames(clips, frames, generator, hidden.device)
        fused = self.module(hidden[~alone], shown[~alone])
        # a photo is a clip of one frame
        photos = hidden[alone].flatten(0, 1)[:, None]
        photos = self.module(photos, torch.ones_like(photos[..., 0], dtype=torch.bool)).view_as(hidden[alone])
        rows = torch.arange(clips * frames, device=hidden.device).view(clips, frames)
        chosen = torch.cat([rows[~alone][shown[~alone]], rows[alone].flatten()])
        read = self.regressor.read(torch.cat([fused[shown[~alone]], photos.flatten(0, 1)]))
        return regression_loss(read, pick(batch, chosen), self.joints)

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Of frames in which the person was found. ``alone_*``: each taken for a photo; ``before_*``: without this
        network.
        """
        assert isinstance(module, TemporalFusion)
        hidden, found = self._look(self.held_out), self.held_out.found
        here = found.flatten()
        some = pick(self.held_out, here.nonzero()[:, 0])
        photos = hidden.flatten(0, 1)[here]
        ways = {
            "": module(hidden, found).flatten(0, 1)[here],
            "alone_": module(photos[:, None], photos.new_ones(len(photos), 1).bool())[:, 0],
            "before_": photos,
        }
        found_errors: dict[str, float] = {}
        for name, state in ways.items():
            errors = regression_errors(self.regressor.read(state), some, self.joints)
            found_errors |= {f"{name}{key}": value for key, value in errors.items()}
        return found_errors

    def _look(self, batch: ClipBatch) -> Tensor:
        """(clips, frames, W)."""
        with torch.no_grad():
            return self.regressor.look(batch.inputs).float().view(*batch.found.shape, -1)


def shown_frames(clips: int, frames: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """(clips, frames) bool: all frames of most clips, each n-th of some, a few missing everywhere."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    step = torch.where(uniform(clips) < SPARSE, 2 + (5 * uniform(clips)).long(), 1)
    first = (uniform(clips) * step).long()
    at = torch.arange(frames, device=device)
    return ((at - first[:, None]) % step[:, None] == 0) & (uniform(clips, frames) > DROPPED)
