"""g: the denoiser over vertex tokens (paper 4.3, supplement 3.1).

One class, two readings: ``PAPER_DENOISER`` is the text to the letter (one self-attention with a hard adjacency mask,
one cross-attention, one linear layer); ``DenoiserConfig()`` is what method_notes 2.2 found to learn (A13, A15):
residuals, layer norm, feed-forward, half of the heads near and half global, joint tokens, and the regressed mesh as
an input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .embeddings import step_code
from .features import WIDTH
from .regressor import N_COARSE, N_J14

ID_WIDTH, STEP_WIDTH = 64, 61
HOP_BUCKETS = (0, 1, 2, 3, 5, 8)
"""Lower ends of the hop-distance buckets that share a learned bias."""


@dataclass(frozen=True)
class DenoiserConfig:
    """layers, heads, feed-forward multiple (0: none); adjacency: ``mask`` is hard and one hop wide for every head,
    ``bias`` learns a bias per head and hop bucket and starts half of the heads near; joint_tokens: 0 or 14;
    around_mesh: the regressed mesh m and the best linear estimate of x0 around it (``dat.linear_denoise``) are inputs,
    and that estimate is the base of the output where it is a mesh (x0 prediction).
    """

    layers: int = 2
    heads: int = 4
    feed_forward: int = 2
    residual: bool = True
    adjacency: Literal["mask", "bias", "none"] = "bias"
    joint_tokens: int = N_J14
    around_mesh: bool = True


PAPER_DENOISER = DenoiserConfig(
    layers=1, heads=1, feed_forward=0, residual=False, adjacency="mask", joint_tokens=0, around_mesh=False
)


class Attention(nn.Module):
    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key_value = nn.Linear(WIDTH, 2 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, keys_values: tuple[Tensor, Tensor], bias: Tensor | None) -> Tensor:
        query = self._split(self.query(x))
        key, value = keys_values
        mixed = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=None if bias is None else bias.to(query.dtype)
        )
        return self.out(mixed.transpose(1, 2).flatten(2))

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        key, value = self.key_value(x).chunk(2, -1)
        return self._split(key), self._split(value)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Block(nn.Module):
    """Vertex self-attention, vertex-image cross-attention, feed-forward."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.residual = config.residual
        self.self_attention = Attention(config.heads)
        self.cross_attention = Attention(config.heads)
        norms = 3 if config.feed_forward else 2
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) if config.residual else nn.Identity() for _ in range(norms))
        self.feed: nn.Sequential | None = None
        if config.feed_forward:
            wide = WIDTH * config.feed_forward
            self.feed = nn.Sequential(nn.Linear(WIDTH, wide), nn.GELU(), nn.Linear(wide, WIDTH))

    def forward(self, x: Tensor, image: tuple[Tensor, Tensor], bias: Tensor | None) -> Tensor:
        y = self.norms[0](x)
        x = self._join(x, self.self_attention(y, self.self_attention.keys_values(y), bias))
        x = self._join(x, self.cross_attention(self.norms[1](x), image, None))
        return x if self.feed is None else self._join(x, self.feed(self.norms[2](x)))

    def _join(self, x: Tensor, update: Tensor) -> Tensor:
        return x + update if self.residual else update


@dataclass(frozen=True)
class ImageContext:
    """Keys and values of f_I per layer, computed once and shared by all hypotheses and steps (notes 5)."""

    layers: tuple[tuple[Tensor, Tensor], ...]

    def __getitem__(self, rows: slice) -> ImageContext:
        return ImageContext(tuple((k[rows], v[rows]) for k, v in self.layers))

    def repeat(self, count: int) -> ImageContext:
        """Each image count times in a row, to match (B*N) hypotheses."""
        return ImageContext(
            tuple((k.repeat_interleave(count, 0), v.repeat_interleave(count, 0)) for k, v in self.layers)
        )


class Denoiser(nn.Module):
    """g(h_k, k, f_I). Works on all 431 vertices or any subset of them (training).

    predicts_mesh: the output is a mesh (x0 prediction), so it may be a residual; noise and v are not near any mesh.
    """

    hop_bucket: Tensor
    joint_map: Tensor

    def __init__(
        self,
        config: DenoiserConfig,
        hops: NDArray[np.int64],
        joint_map: NDArray[np.float32],
        predicts_mesh: bool = True,
    ) -> None:
        super().__init__()
        self.config = config
        self.predicts_mesh = predicts_mesh
        self.identity = nn.Embedding(N_COARSE + config.joint_tokens, ID_WIDTH)
        nn.init.normal_(self.identity.weight, std=0.5)
        place = 9 if config.around_mesh else 3
        self.entry = nn.Linear(ID_WIDTH + STEP_WIDTH + place, WIDTH) if config.residual else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(WIDTH) if config.residual else nn.Identity()
        self.exit = nn.Linear(WIDTH, 3)
        if config.around_mesh:
            nn.init.zeros_(self.exit.weight)
            nn.init.zeros_(self.exit.bias)
        buckets = np.searchsorted(np.array(HOP_BUCKETS), hops, side="right") - 1
        self.register_buffer("hop_bucket", torch.from_numpy(buckets.astype(np.uint8)))
        self.register_buffer("joint_map", torch.from_numpy(joint_map.astype(np.float32)))
        self.hop_bias: nn.Parameter | None = None
        if config.adjacency == "bias":
            bias = torch.zeros(config.heads, len(HOP_BUCKETS))
            near = torch.tensor([2.0, 2.0, 1.0, 0.0, -3.0, -6.0])
            bias[: config.heads // 2] = near
            self.hop_bias = nn.Parameter(bias)

    def context(self, features: Tensor) -> ImageContext:
        """Precompute the cross-attention's keys and values for f_I (B,49,128)."""
        blocks: list[Block] = list(self.blocks)  # type: ignore[arg-type]
        return ImageContext(tuple(block.cross_attention.keys_values(features) for block in blocks))

    def forward(
        self,
        noisy: Tensor,
        k: Tensor,
        context: ImageContext,
        around: tuple[Tensor, Tensor] | None = None,
        subset: Tensor | None = None,
    ) -> Tensor:
        """noisy (B,431,3) h_k, k (B,), context for B images, around: m and the linear estimate of x0, (B,431,3) each,
        subset (S,) vertices to work on -> (B,S or 431,3): the raw prediction (the base already added).
        """
        config = self.config
        if config.around_mesh and around is None:
            raise ValueError("This denoiser works around a regressed mesh; none was given.")
        points = torch.cat([noisy, *around], -1) if config.around_mesh and around else noisy
        vertices = points if subset is None else points[:, subset]
        identity = self.identity.weight[:N_COARSE]
        identity = identity if subset is None else identity[subset]
        tokens = self._tokens(vertices, identity, k)
        if config.joint_tokens:
            joints = torch.einsum("jv,bvc->bjc", self.joint_map, points)
            tokens = torch.cat([tokens, self._tokens(joints, self.identity.weight[N_COARSE:], k)], 1)
        x = tokens if self.entry is None else self.entry(tokens)
        bias = self._bias(subset, noisy.device)
        for block, image in zip(self.blocks, context.layers, strict=True):
            x = block(x, image, bias)
        out = self.exit(self.norm(x[:, : vertices.shape[1]])).float()
        return out + vertices[..., 6:9] if config.around_mesh and self.predicts_mesh else out

    def _tokens(self, points: Tensor, identity: Tensor, k: Tensor) -> Tensor:
        count, width = points.shape[:2]
        code = step_code(k, STEP_WIDTH)[:, None].expand(count, width, -1)
        return torch.cat([identity.expand(count, -1, -1), code, points], -1)

    def _bias(self, subset: Tensor | None, device: torch.device) -> Tensor | None:
        """Additive attention bias (1,heads,T,T). Joint tokens see and are seen by everything."""
        if self.config.adjacency == "none":
            return None
        bucket = self.hop_bucket if subset is None else self.hop_bucket[subset][:, subset]
        if self.config.adjacency == "mask":
            bias = torch.zeros(bucket.shape, device=device).masked_fill(bucket > 1, float("-inf"))[None]
        else:
            assert self.hop_bias is not None
            bias = self.hop_bias[:, bucket.long()]
        extra = self.config.joint_tokens
        return torch.nn.functional.pad(bias, (0, extra, 0, extra))[None]
