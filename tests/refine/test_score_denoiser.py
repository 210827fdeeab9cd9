from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hmdiff.refine import condition as conditions
from hmdiff.refine.denoiser import ScoreConfig, ScoreDenoiser
from hmdiff.refine.pose_code import BetaRange
from hmdiff.refine.refiner import Refiner
from hmdiff.refine.weights import load_score, save_score
from hmdiff_wire.errors import HmdiffError

SMALL = ScoreConfig(hidden=32, blocks=2, time_inner=16)


def small(config: ScoreConfig = SMALL) -> ScoreDenoiser:
    torch.manual_seed(0)
    return ScoreDenoiser(config).eval()


def test_without_its_network_it_is_the_best_linear_denoiser() -> None:
    """The noise of a Gaussian is known in closed form: sqrt(1-a) (a C + (1-a) I)^-1 (x - sqrt(a) m)."""
    model = small()
    codes = torch.randn(400, 144, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.05, 1, 144) + 0.3
    model.measure(codes, torch.randn(400, conditions.SIZE))
    torch.nn.init.zeros_(model.exit.weight)
    torch.nn.init.zeros_(model.exit.bias)
    x, t = codes[:3] + 0.1, torch.tensor([5, 50, 700])
    covariance = torch.cov(codes.T.double(), correction=0)
    a = model.bars[t][:, None]
    for row in range(3):
        matrix = a[row] * covariance + (1 - a[row]) * torch.eye(144, dtype=torch.float64)
        away = x[row].double() - a[row].sqrt() * codes.double().mean(0)
        expected = (1 - a[row]).sqrt() * torch.linalg.solve(matrix, away)
        found = model(x, t, torch.zeros(3, conditions.SIZE))[row].double()
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("parametrisation", ["epsilon", "preconditioned"])
def test_batch_equals_single_and_context_equals_condition(parametrisation: str) -> None:
    model = small(ScoreConfig(hidden=32, blocks=2, time_inner=16, parametrisation=parametrisation))
    generator = torch.Generator().manual_seed(1)
    x, c = torch.randn(4, 144, generator=generator), torch.randn(4, conditions.SIZE, generator=generator)
    c[:, -2:] = 1
    t = torch.tensor([3, 40, 300, 900])
    whole = model(x, t, c)
    torch.testing.assert_close(model(x, t, model.context(c)), whole, rtol=0, atol=1e-5)
    for row in range(4):
        one = slice(row, row + 1)
        torch.testing.assert_close(model(x[one], t[one], c[one]), whole[one], rtol=0, atol=1e-5)


def test_missing_parts_have_no_say() -> None:
    model = small()
    x, t = torch.randn(2, 144), torch.tensor([40, 40])
    c = torch.randn(1, conditions.SIZE).expand(2, -1).clone()
    c[:, -2:] = 1
    hidden = conditions.hide(c, torch.tensor([True, False]), torch.tensor([True, False]))
    assert bool((hidden[0] == 0).all()) and torch.equal(hidden[1], c[1])
    other = hidden.clone()
    other[0, :-2] = 5.0  # numbers behind a flag of 0
    torch.testing.assert_close(model(x, t, other)[0], model(x, t, hidden)[0])
    assert not torch.allclose(model(x[1:].expand(2, -1), t, hidden)[0], model(x[1:], t[1:], hidden[1:])[0])


def test_betas_make_the_code_longer() -> None:
    model = small(ScoreConfig(hidden=16, blocks=1, time_inner=8, betas=BetaRange((-3.0,) * 10, (3.0,) * 10)))
    assert model(torch.randn(2, 154), torch.tensor([1, 2]), torch.zeros(2, conditions.SIZE)).shape == (2, 154)


def test_shipped_denoiser_knows_noise_from_pose(refiner: Refiner, case) -> None:
    model = refiner.denoiser
    assert model is not None
    clean = model.config.code.encode(case.truth.people.rotations)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(3))
    for level, limit in ((50, 0.75), (300, 0.3)):
        a = model.bars[level].float()
        t = torch.full((len(clean),), level)
        error = model(a.sqrt() * clean + (1 - a).sqrt() * noise, t, case.bodies.condition) - noise
        assert float(error.square().mean()) < limit


def test_weights_come_back(tmp_path: Path) -> None:
    model = small(ScoreConfig(hidden=16, blocks=1, time_inner=8, betas=BetaRange((-3.0,) * 10, (3.0,) * 10)))
    file = tmp_path / "score.safetensors"
    save_score(file, model, {"licence": "none"})
    again = load_score(file)
    assert again.model.config == model.config and again.card["licence"] == "none"
    x, t, c = torch.randn(2, 154), torch.tensor([10, 500]), torch.zeros(2, conditions.SIZE)
    torch.testing.assert_close(again.model(x, t, c), model(x, t, c), rtol=0, atol=5e-3)


def test_weights_that_are_not_there_or_broken(tmp_path: Path) -> None:
    with pytest.raises(HmdiffError) as missing:
        load_score(tmp_path / "none.safetensors")
    assert missing.value.kind == "weights.missing"
    file = tmp_path / "broken.safetensors"
    file.write_bytes(b"no weights")
    file.with_suffix(".json").write_text('{"config": {}}', encoding="utf-8")
    with pytest.raises(HmdiffError) as damaged:
        load_score(file)
    assert damaged.value.kind == "weights.damaged"
