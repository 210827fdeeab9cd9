"""A look at the neighbours: what it may and may not depend on."""

from __future__ import annotations

import torch
from hmdiff.models.temporal import TemporalConfig, TemporalFusion

HIDDEN, FRAMES = 24, 41
MIDDLE = FRAMES // 2


def _trained() -> TemporalFusion:
    """Weights as after training: nothing is zero."""
    torch.manual_seed(3)
    fusion = TemporalFusion(TemporalConfig(width=16, heads=6), HIDDEN)
    with torch.no_grad():
        for weight in fusion.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return fusion.eval()


def _clip(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, FRAMES, HIDDEN, generator=generator), torch.ones(2, FRAMES, dtype=torch.bool)


def test_it_starts_as_a_mean_over_near_frames_and_of_a_frame_alone_as_itself():
    fusion, (hidden, seen) = TemporalFusion(TemporalConfig(width=16, heads=6), HIDDEN), _clip()
    weight = torch.exp(-0.5 * (torch.arange(-13, 14) / 2.0) ** 2)
    mean = (weight[:, None] * hidden[0, MIDDLE - 13 : MIDDLE + 14]).sum(0) / weight.sum()
    assert torch.allclose(fusion(hidden, seen)[0, MIDDLE], mean, atol=1e-5)
    assert torch.equal(fusion(hidden[:, :1], seen[:, :1]), hidden[:, :1])


def test_the_middle_of_a_window_is_the_frame_amid_its_clip():
    fusion, (hidden, seen) = _trained(), _clip()
    seen[0, MIDDLE - 4] = False
    window = slice(MIDDLE - 13, MIDDLE + 14)
    amid = fusion(hidden, seen)[:, MIDDLE]
    assert torch.allclose(fusion.middle(hidden[:, window], seen[:, window]), amid, atol=1e-5)


def test_a_frame_depends_on_its_neighbours_within_reach_and_no_further():
    fusion, (hidden, seen) = _trained(), _clip()
    hidden.requires_grad_(True)
    fusion(hidden, seen)[0, MIDDLE].sum().backward()
    assert hidden.grad is not None
    felt = hidden.grad[0].abs().sum(-1) > 0
    reach = fusion.config.reach
    assert reach == 13
    assert felt[MIDDLE - reach] and felt[MIDDLE + reach] and felt[MIDDLE]
    assert not felt[: MIDDLE - reach].any() and not felt[MIDDLE + reach + 1 :].any()
    assert not hidden.grad[1].any()


def test_frames_without_the_person_say_nothing():
    fusion, (hidden, seen) = _trained(), _clip()
    seen[:, MIDDLE + 3] = False
    other = hidden.clone()
    other[:, MIDDLE + 3] = 100.0
    first, second = fusion(hidden, seen), fusion(other, seen)
    rest = torch.arange(FRAMES) != MIDDLE + 3
    assert torch.equal(first[:, rest], second[:, rest])


def test_a_photo_is_a_clip_of_one_frame_and_equals_a_frame_whose_neighbours_were_not_found():
    fusion, (hidden, _) = _trained(), _clip()
    alone = torch.zeros(2, FRAMES, dtype=torch.bool)
    alone[:, MIDDLE] = True
    amid = fusion(hidden, alone)[:, MIDDLE]
    photo = fusion(hidden[:, MIDDLE : MIDDLE + 1], torch.ones(2, 1, dtype=torch.bool))[:, 0]
    assert torch.allclose(amid, photo, atol=1e-5)
