"""A deeper network begins as the one whose weights it takes over, and earlier weights still load."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from hmdiff.models.config import DEFAULT
from hmdiff.models.hmdiff import HMDiff
from hmdiff.models.spread import DiagonalSpread
from hmdiff.models.weights import load_model, save_model
from hmdiff.synthesis.batch import Batch
from hmdiff.training.assemble import Assembly
from hmdiff.training.stages import begin_with


def test_blocks_that_the_weights_lack_change_nothing(
    make_model: Callable[..., HMDiff], parts: Assembly, batch: Batch, tmp_path: Path
):
    first = make_model().eval()
    save_model(tmp_path / "first.safetensors", first, {})
    deeper = replace(first.config, regressor=replace(first.config.regressor, blocks=3))
    second = HMDiff(deeper, parts.hierarchy, parts.maps)
    begin_with(second, tmp_path / "first.safetensors")
    with torch.no_grad():
        before, after = (model.eval().regressor(batch.inputs) for model in (first, second))
    assert (before.mesh - after.mesh).abs().max() < 2e-3, "kept in halves"
    assert torch.allclose(before.u.mean, after.u.mean, atol=5e-3)


def test_weights_of_a_release_without_time_and_with_a_diagonal_spread_load(
    make_model: Callable[..., HMDiff], batch: Batch, tmp_path: Path
):
    old = make_model(replace(DEFAULT, spread="diagonal", temporal=None))
    path = tmp_path / "old.safetensors"
    save_model(path, old, {})
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    for name in ("spread", "temporal"):
        del card["config"][name]
    for name in ("exact", "centred"):
        del card["config"]["sampler"][name]
    path.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
    loaded = load_model(path=path).model
    assert loaded.temporal is None and isinstance(loaded.spread, DiagonalSpread)
    with torch.no_grad():
        out = loaded.sample(batch.inputs[:2], torch.arange(2), sampler=replace(DEFAULT.sampler, steps=2))
    assert torch.isfinite(out.vertices).all()
