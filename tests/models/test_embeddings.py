"""A21: the sinusoidal codes as the supplement writes them."""

from __future__ import annotations

import math

import pytest
import torch
from hmdiff.models.embeddings import position_code, step_code


def test_a21_step_code_is_base_200_over_61():
    code = step_code(torch.tensor([137]))[0]
    assert code.shape == (61,)
    for index in range(61):
        even = index - index % 2
        wave = math.sin if index % 2 == 0 else math.cos
        assert code[index].item() == pytest.approx(wave(137 / 200 ** (even / 61)), abs=1e-5)


def test_a21_position_code_is_base_49_counted_from_one():
    code = position_code()
    assert code.shape == (49, 128)
    for token in (1, 20, 49):
        for index in (0, 1, 2, 63, 126, 127):
            even = index - index % 2
            wave = math.sin if index % 2 == 0 else math.cos
            assert code[token - 1, index].item() == pytest.approx(wave(token / 49 ** (even / 128)), abs=1e-5)


def test_every_step_and_place_has_its_own_code():
    for code in (step_code(torch.arange(1, 201)), position_code()):
        apart = torch.cdist(code, code) + 9 * torch.eye(len(code))
        assert apart.min() > 0.01
