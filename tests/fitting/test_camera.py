from __future__ import annotations

import math

import pytest
import torch
from hmdiff.fitting import focal_from_film, focal_pixels, project, solve_translation
from hmdiff_wire.errors import HmdiffError
from torch import Tensor

FOCAL, CENTRE = 1500.0, (960.0, 540.0)


def people(count: int = 20, points: int = 33) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    body = torch.randn(count, points, 3, generator=generator) * torch.tensor([0.25, 0.5, 0.2])
    low, high = torch.tensor([-1.0, -0.5, 2.0]), torch.tensor([1.0, 0.5, 15.0])
    transl = low + torch.rand(count, 3, generator=generator) * (high - low)
    pixels = project(body + transl[:, None], torch.full((count,), FOCAL), torch.tensor(CENTRE).expand(count, 2))
    return body, pixels, transl


def test_focal_comes_from_the_user_then_the_file_then_the_image() -> None:
    size = (1920, 1080)
    assert focal_pixels(size, 1000.0, 1400.0) == (1000.0, "user")
    assert focal_pixels(size, None, 1400.0) == (1400.0, "metadata")
    assert focal_pixels(size) == (pytest.approx(math.hypot(*size)), "assumed")
    assert focal_pixels(size, None, 3.0)[1] == "assumed"
    assert focal_pixels(size, None, float("nan"))[1] == "assumed"
    for wrong in (0.0, -5.0, float("nan"), float("inf")):
        with pytest.raises(HmdiffError) as caught:
            focal_pixels(size, wrong)
        assert caught.value.kind == "input.focal"


def test_film_lengths_are_by_the_diagonal() -> None:
    assert focal_from_film((3000, 2000), 36.0) == pytest.approx(3000.0, rel=1e-3)


def test_exact_points_give_the_exact_place() -> None:
    body, pixels, transl = people()
    placed = solve_translation(body, pixels, torch.ones(20, 33), FOCAL, CENTRE)
    assert placed.ok.all()
    assert torch.allclose(placed.transl, transl, atol=2e-3)
    assert placed.error_px.max() < 0.05


def test_wrong_points_do_not_pull() -> None:
    body, pixels, transl = people()
    generator = torch.Generator().manual_seed(4)
    pixels = pixels + torch.randn(pixels.shape, generator=generator)
    pixels[:, :5] += 200.0
    placed = solve_translation(body, pixels, torch.ones(20, 33), FOCAL, CENTRE)
    relative = (placed.transl - transl).norm(dim=1) / transl[:, 2]
    assert relative.median() < 0.01 and relative.max() < 0.05


def test_points_without_confidence_do_not_count() -> None:
    body, pixels, transl = people()
    confidence = torch.ones(20, 33)
    pixels[:, 10:] = float("nan")
    pixels[:, 5:10] = 0.0
    confidence[:, 5:10] = 0.0
    placed = solve_translation(body, pixels, confidence, FOCAL, CENTRE)
    assert placed.ok.all() and torch.allclose(placed.transl, transl, atol=5e-3)


def test_two_points_are_enough() -> None:
    body, pixels, transl = people()
    confidence = torch.zeros(20, 33)
    confidence[:, [0, 7]] = 1.0
    placed = solve_translation(body, pixels, confidence, FOCAL, CENTRE)
    close = (placed.transl - transl).norm(dim=1) < 0.02 * transl[:, 2]
    assert close[placed.ok].all() and placed.ok.float().mean() > 0.9


def test_hopeless_cases_are_flagged_and_finite() -> None:
    body, pixels, _ = people(4)
    confidence = torch.ones(4, 33)
    confidence[0] = 0.0
    confidence[1, 1:] = 0.0
    pixels[2] = torch.tensor([700.0, 300.0])
    pixels[3] = float("nan")
    placed = solve_translation(body, pixels, confidence, FOCAL, CENTRE)
    assert not placed.ok.any()
    assert torch.isfinite(placed.transl).all() and (placed.transl[:, 2] > 0.2).all()
    assert torch.isinf(placed.error_px).all()


def test_a_mirrored_picture_does_not_put_the_body_behind_the_camera() -> None:
    body, pixels, _ = people()
    mirrored = 2 * torch.tensor(CENTRE) - pixels
    placed = solve_translation(body, mirrored, torch.ones(20, 33), FOCAL, CENTRE)
    assert torch.isfinite(placed.transl).all() and (placed.transl[:, 2] > 0).all()
