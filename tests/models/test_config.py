"""Settings on their way to and from JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hmdiff.models.config import DEFAULT, PAPER, SPEEDS, HMDiffConfig, config_from_dict, config_to_dict


@pytest.mark.parametrize(
    "config",
    [
        DEFAULT,
        PAPER,
        replace(
            DEFAULT, mlp_axis="flat", dat=replace(DEFAULT.dat, clip=0.5), sampler=replace(DEFAULT.sampler, init="pose")
        ),
    ],
)
def test_config_survives_json(config: HMDiffConfig):
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


def test_missing_settings_take_their_defaults_and_unknown_ones_are_refused():
    data = config_to_dict(PAPER)
    del data["dat"]["trust"], data["mlp_axis"]
    assert config_from_dict(data) == PAPER
    with pytest.raises(TypeError, match="surprise"):
        config_from_dict({**config_to_dict(PAPER), "surprise": 1})
    with pytest.raises(TypeError, match="surprise"):
        config_from_dict({"dat": {"surprise": 1}})


def test_speeds_run_the_same_model_with_more_or_less_work():
    work = [SPEEDS[name].steps * SPEEDS[name].hypotheses for name in ("preview", "default", "quality")]
    assert work == sorted(work) and work[0] < work[2]
    assert {replace(speed, steps=1, hypotheses=1) for speed in SPEEDS.values()} == {
        replace(DEFAULT.sampler, steps=1, hypotheses=1)
    }
