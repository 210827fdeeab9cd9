"""f_I: 49 tokens of 128 from the detector's outputs, or from an RGB backbone by the paper's pooling (A14)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hmdiff.models.embeddings import position_code
from hmdiff.models.features import ProxyFeatures, pool_backbone
from hmdiff.synthesis.batch import Batch
from torch import nn


@pytest.fixture(scope="module")
def features() -> ProxyFeatures:
    torch.manual_seed(0)
    return ProxyFeatures(hidden_width=32).eval()


@torch.no_grad()
def test_features_are_49_tokens_of_128_and_a_patch_reaches_only_its_token(features: ProxyFeatures, batch: Batch):
    hidden = torch.randn(len(batch.inputs), 32, generator=torch.Generator().manual_seed(1))
    base = features(batch.inputs, hidden)
    assert base.shape == (3, 49, 128)
    grid = batch.inputs.grid.clone()
    grid[:, 4, 8:16, 16:24] += 1.0
    moved = (features(replace(batch.inputs, grid=grid), hidden) - base).abs().amax(-1)
    assert (moved[:, 1 * 7 + 2] > 1e-3).all()
    moved[:, 1 * 7 + 2] = 0
    assert moved.max() == 0
    assert ((features(batch.inputs, hidden + 1) - base).abs().amax(-1) > 1e-3).all()


@torch.no_grad()
def test_tokens_know_their_place(features: ProxyFeatures, batch: Batch):
    blank = replace(batch.inputs, grid=torch.zeros_like(batch.inputs.grid))
    tokens = features(blank, torch.zeros(3, 32))[0]
    assert (torch.cdist(tokens, tokens) + 9 * torch.eye(49)).min() > 0.01


def test_a14_average_pooling_is_over_groups_of_sixteen_channels():
    backbone = torch.randn(2, 2048, 7, 7, generator=torch.Generator().manual_seed(0))
    pooled = pool_backbone(backbone, "average") - position_code()
    assert pooled.shape == (2, 49, 128)
    for token, channel in ((0, 0), (10, 5), (48, 127)):
        row, column = divmod(token, 7)
        expected = backbone[:, 16 * channel : 16 * channel + 16, row, column].mean(1)
        assert torch.allclose(pooled[:, token, channel], expected, atol=1e-5)


def test_a14_learned_pooling_is_a_projection_per_place():
    backbone = torch.randn(2, 2048, 7, 7, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    projection = nn.Linear(2048, 128)
    with torch.no_grad():
        pooled = pool_backbone(backbone, "learned", projection)
        expected = projection(backbone[:, :, 3, 4]) + position_code()[3 * 7 + 4]
    assert torch.allclose(pooled[:, 3 * 7 + 4], expected, atol=1e-4)
    with pytest.raises(ValueError, match="projection"):
        pool_backbone(backbone, "learned")
