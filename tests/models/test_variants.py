"""The paper's baselines and feature variants as models: what each sees, and that one pass is one pass (Tables 3, 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hmdiff.models.config import DEFAULT, SPEEDS, config_from_dict, config_to_dict
from hmdiff.models.hmdiff import SAMPLE_STAGES, HMDiff
from hmdiff.models.inputs import ModelInputs
from hmdiff.models.variants import VARIANTS, check_variant, find_variants, variant_file
from hmdiff.synthesis.batch import Batch
from hmdiff_wire.errors import HmdiffError

QUICK = replace(DEFAULT.sampler, steps=2, hypotheses=2)


def tokens(model: HMDiff, inputs: ModelInputs) -> torch.Tensor:
    with torch.no_grad():
        return model.image_tokens(inputs, model.regressor(inputs))


@pytest.mark.parametrize("source", ["image", "pose", "both", "mask"])
def test_features_see_what_they_are_named_after(make_model: Callable[..., HMDiff], batch: Batch, source: str):
    model = make_model(replace(DEFAULT, features=source))
    before = tokens(model, batch.inputs)
    assert before.shape == (3, 49, 128)
    # Only a heatmap channel changes, which the regressor (landmarks and mask) does not read.
    grid = batch.inputs.grid.clone()
    grid[:, 3] = grid[:, 3].flip(-1) + 0.3
    assert torch.allclose(tokens(model, replace(batch.inputs, grid=grid)), before) is (source in ("pose", "mask"))
    # Only U changes: m, the hidden state and the picture stay.
    with torch.no_grad():
        model.regressor.u.bias.view(14, 3, 10)[..., 1] += 0.2
    assert torch.allclose(tokens(model, batch.inputs), before) is (source in ("image", "mask"))


def test_pose_features_need_heatmaps_of_u(make_model: Callable[..., HMDiff], batch: Batch):
    model = make_model(replace(DEFAULT, features="pose"))
    with pytest.raises(ValueError, match="pose"):
        model.features(batch.inputs, torch.zeros(3, 48))


def test_a_direct_model_makes_one_mesh_without_noise(make_model: Callable[..., HMDiff], batch: Batch):
    model = make_model(replace(DEFAULT, process="direct"))
    keys = torch.arange(3)
    at_first = model.sample(batch.inputs, keys, sampler=QUICK)
    assert at_first.samples.shape == (3, 1, 431, 3)
    assert torch.allclose(at_first.mean, at_first.regression.mesh, atol=1e-5)  # untrained, it adds nothing to m
    torch.nn.init.normal_(model.denoiser.exit.weight, std=0.1)
    one, other = (model.sample(batch.inputs, keys, seed, QUICK) for seed in (1, 2))
    assert torch.equal(one.mean, other.mean) and (one.mean - one.regression.mesh).abs().max() > 1e-3
    assert not one.mean.requires_grad


def test_the_stages_of_sampling_are_told_in_order(make_model: Callable[..., HMDiff], batch: Batch):
    for process, stages in (("diffusion", SAMPLE_STAGES), ("direct", ("regressor", "features", "sampling", "mesh"))):
        heard: list[str] = []
        make_model(replace(DEFAULT, process=process)).sample(
            batch.inputs, torch.arange(3), sampler=QUICK, on_stage=heard.append
        )
        assert tuple(heard) == stages


def test_variants_differ_in_what_their_name_says(make_model: Callable[..., HMDiff]):
    configs = {name: one.change(DEFAULT) for name, one in VARIANTS.items()}
    assert configs["image"] == DEFAULT
    assert configs["one_step"] == replace(DEFAULT, process="direct")
    stacked = configs["stacked"]
    assert (stacked.process, stacked.denoiser.layers) == ("direct", DEFAULT.denoiser.layers * SPEEDS["default"].steps)
    assert (configs["pose"].features, configs["both"].features) == ("pose", "both")
    assert len(make_model(configs["k50"]).bars) == 51
    assert all(config_from_dict(config_to_dict(config)) == config for config in configs.values())


def test_variants_are_found_by_their_files_and_unknown_ones_refused(tmp_path: Path):
    for name in ("pose", "k50", "unheard"):
        variant_file(tmp_path, name).touch()
    assert find_variants(tmp_path) == {name: variant_file(tmp_path, name) for name in ("pose", "k50")}
    with pytest.raises(HmdiffError, match="no variant called x") as refused:
        check_variant("x")
    assert all(name in refused.value.fix for name in VARIANTS)
