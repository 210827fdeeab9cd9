"""Training state on disk: complete, and never lost to a kill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hmdiff.models.regressor import Regressor
from hmdiff.training import checkpoint
from hmdiff.training.checkpoint import Progress, load_state, save_state
from torch import nn


def _trained(
    make: Callable[[], nn.Module], steps: int = 3
) -> tuple[nn.Module, dict[str, torch.Tensor], torch.optim.AdamW]:
    module = make()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    for step in range(steps):
        _step(module, optimizer, step)
    return module, {name: value.detach() * 0.5 for name, value in module.state_dict().items()}, optimizer


def _step(module: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    loss = torch.stack([(p * torch.randn(p.shape, generator=generator)).sum() for p in module.parameters()]).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def test_a_resumed_state_takes_the_very_next_step(make_regressor: Callable[[], Regressor], tmp_path: Path):
    module, ema, optimizer = _trained(make_regressor)
    progress = Progress(steps=3, samples=48, seconds=1.25)
    save_state(tmp_path / "state.safetensors", module, ema, optimizer, progress)
    fresh = make_regressor()
    other = torch.optim.AdamW(fresh.parameters(), lr=1e-3)
    loaded = {name: torch.zeros_like(value) for name, value in ema.items()}
    assert load_state(tmp_path / "state.safetensors", fresh, loaded, other) == progress
    assert all(torch.equal(loaded[name], ema[name]) for name in ema)
    for a, b in zip(module.parameters(), fresh.parameters(), strict=True):
        for key in ("step", "exp_avg", "exp_avg_sq"):
            assert torch.equal(optimizer.state[a][key], other.state[b][key]), key
    _step(module, optimizer, 99)
    _step(fresh, other, 99)
    for (name, a), b in zip(module.state_dict().items(), fresh.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_a_kill_while_saving_leaves_the_last_state(
    make_regressor: Callable[[], Regressor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "state.safetensors"
    module, ema, optimizer = _trained(make_regressor)
    save_state(path, module, ema, optimizer, Progress(3, 48, 1.0))
    good = path.read_bytes()

    def killed(tensors, aside, metadata) -> None:
        Path(aside).write_bytes(good[: len(good) // 3])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save_file", killed)
        with pytest.raises(KeyboardInterrupt):
            save_state(path, module, ema, optimizer, Progress(4, 64, 2.0))
    assert path.read_bytes() == good
    fresh = make_regressor()
    assert load_state(path, fresh, dict(ema), torch.optim.AdamW(fresh.parameters())).steps == 3
    save_state(path, module, ema, optimizer, Progress(5, 80, 3.0))
    assert load_state(path, fresh, dict(ema), torch.optim.AdamW(fresh.parameters())).steps == 5
    assert [file.name for file in tmp_path.iterdir()] == ["state.safetensors"]


def test_parameters_the_file_lacks_stay_fresh(make_regressor: Callable[[], Regressor], tmp_path: Path):
    module, ema, optimizer = _trained(make_regressor)
    small = module.norm  # type: ignore[union-attr]
    assert isinstance(small, nn.Module)
    save_state(tmp_path / "part.safetensors", small, {}, torch.optim.AdamW(small.parameters()), Progress())
    fresh = make_regressor()
    before = fresh.entry.weight.detach().clone()
    load_state(tmp_path / "part.safetensors", fresh, {}, optimizer)
    assert torch.equal(fresh.entry.weight, before)
