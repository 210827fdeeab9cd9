"""Trained models on disk, whole and damaged; and that the shipped one works."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hmdiff.models.config import DEFAULT
from hmdiff.models.hmdiff import HMDiff
from hmdiff.models.weights import load_model, pick_device, save_model, weights_path
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff_wire.errors import HmdiffError
from safetensors.torch import load_file, save_file


@pytest.fixture
def stored(model: HMDiff, tmp_path: Path) -> Path:
    path = tmp_path / "a b" / "hmdiff_default.safetensors"
    path.parent.mkdir()
    save_model(path, model, {"note": "made by a test", "scores": {"pa_mpjpe_mm": 70.5}})
    return path


def _refused(path: Path) -> HmdiffError:
    with pytest.raises(HmdiffError) as caught:
        load_model("default", path=path)
    assert caught.value.fix and str(path) in caught.value.message
    return caught.value


def test_weights_come_back_to_half_precision_with_their_card(model: HMDiff, stored: Path):
    loaded = load_model("default", path=stored)
    assert loaded.card["note"] == "made by a test" and loaded.card["scores"] == {"pa_mpjpe_mm": 70.5}
    assert loaded.model.config == model.config and not loaded.model.training
    assert loaded.maps.coarse_j14.shape == (14, 431)
    before, after = model.state_dict(), loaded.model.state_dict()
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert after[name].dtype == value.dtype
        assert torch.allclose(after[name].float(), value.float(), rtol=1e-3, atol=1e-4), name


def test_weights_are_stored_in_halves(model: HMDiff, stored: Path):
    size = sum(
        value.numel() * (2 if value.is_floating_point() else value.element_size())
        for value in model.state_dict().values()
    )
    assert stored.stat().st_size < size + 20_000


def test_weights_that_are_not_there(tmp_path: Path):
    assert _refused(tmp_path / "none.safetensors").kind == "weights.missing"


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x80\x04not weights" * 100)


def _no_card(path: Path) -> None:
    path.with_suffix(".json").unlink()


def _card_cut(path: Path) -> None:
    path.with_suffix(".json").write_text('{"config": {"pre', encoding="utf-8")


def _card_binary(path: Path) -> None:
    path.with_suffix(".json").write_bytes(b"\xff\xfe\x00\x01")


def _card_unknown(path: Path) -> None:
    card = path.with_suffix(".json")
    data = json.loads(card.read_text(encoding="utf-8"))
    data["config"]["denoiser"]["flux"] = 3
    card.write_text(json.dumps(data), encoding="utf-8")


def _one_tensor_short(path: Path) -> None:
    tensors = load_file(path)
    tensors.pop("basis")
    save_file(tensors, path)


def _other_size(path: Path) -> None:
    tensors = load_file(path)
    tensors["basis"] = tensors["basis"][:, :7].contiguous()
    save_file(tensors, path)


@pytest.mark.parametrize(
    "damage", [_truncate, _garbage, _no_card, _card_cut, _card_binary, _card_unknown, _one_tensor_short, _other_size]
)
def test_damaged_weights_are_refused_with_a_sentence(stored: Path, damage: Callable[[Path], None]):
    damage(stored)
    error = _refused(stored)
    assert error.kind == "weights.damaged" and error.detail


def test_devices():
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type in ("cuda", "cpu")
    with pytest.raises(HmdiffError) as caught:
        pick_device("toaster")
    assert caught.value.kind == "device.missing" and "toaster" in caught.value.message


def test_shipped_weights_beat_the_mean_pose(stream: SyntheticStream):
    """On poses made at random, which no training saw; the margin is small since they are odder than mocap."""
    path = weights_path("default")
    if not path.is_file():
        pytest.skip(f"no weights are shipped yet ({path.name})")
    loaded = load_model("default")
    batch = stream.draw(12, torch.Generator().manual_seed(4))
    sampler = replace(DEFAULT.sampler, steps=4, hypotheses=2)
    out = loaded.model.sample(batch.inputs, torch.arange(12), sampler=sampler)
    truth = batch.people.vertices
    error = (out.mean - truth).norm(dim=-1).mean().item()
    baseline = (loaded.model.regressor.mean_mesh - truth).norm(dim=-1).mean().item()
    assert error < 0.85 * baseline, f"{1000 * error:.0f} mm against {1000 * baseline:.0f} mm of the mean pose"
    assert (loaded.model.basis.norm(dim=0) > 0).all()
