"""Options of a Submit become the options of a run, or one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hmdiff.commands import arguments
from hmdiff.models.config import SPEEDS
from hmdiff.server import options
from hmdiff.server.options import frame_option, run_options
from hmdiff.video.options import RunOptions
from hmdiff_wire.errors import HmdiffError


def test_every_option_of_a_run_but_the_device_can_be_sent():
    sent = {
        "preset": "preview", "hypotheses": 4, "steps": 5, "seed": 9, "person": "largest",
        "boxes": [[0, 1, 2, 3.5]], "detector": "rtmlib", "detector_models": "/o", "keypoints": "/k.json",
        "masks": "/m", "body": "/b.npz", "focal": 900, "frame_range": [2, None], "smooth": 0, "raw_vertices": True,
    }  # fmt: skip
    assert run_options(sent, "cpu") == RunOptions(
        preset="preview", hypotheses=4, steps=5, seed=9, device="cpu", person="largest", boxes=((0.0, 1.0, 2.0, 3.5),),
        detector="rtmlib", detector_models=Path("/o"), keypoints=Path("/k.json"), masks=Path("/m"),
        body=Path("/b.npz"), focal=900.0, frame_range=(2, None), smooth=0.0, raw_vertices=True,
    )  # fmt: skip
    assert set(sent) == set(RunOptions.__dataclass_fields__) - {"device"}
    assert set(options.PATHS) == {name for name in sent if "Path" in str(RunOptions.__annotations__[name])}
    assert run_options(dict.fromkeys(sent), "auto") == RunOptions(), "null is the same as nothing"


def test_presets_are_the_same_everywhere():
    assert options.PRESETS == arguments.PRESETS and set(options.PRESETS) == {*SPEEDS, "paper"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("preset", "best"), ("preset", ["default"]), ("hypotheses", 0), ("hypotheses", True), ("steps", 2.0),
        ("seed", -1), ("person", "smallest"), ("person", 1),
        ("boxes", [[0, 0, 1]]), ("boxes", [[0, 0, 0, 1]]), ("boxes", "0,0,1,1"),
        ("boxes", [["a", 0, 1, 1]]), ("keypoints", 3), ("detector", "openpose"), ("detector", ["rtmlib"]),
        ("focal", 0), ("focal", "35mm"), ("focal", float("nan")), ("frame_range", [3, 3]),
        ("frame_range", [None, 3]), ("frame_range", 3), ("smooth", -1), ("raw_vertices", 1), ("device", "cuda"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_a_sentence_that_names_it(name: str, value: Any):
    with pytest.raises(HmdiffError, match=name) as caught:
        run_options({name: value}, "cpu")
    assert caught.value.kind.startswith("options.") and caught.value.fix


def test_the_frame_to_look_for_people_in():
    assert frame_option({}) == (0, {})
    assert frame_option({"frame": 7, "preset": "preview", "frame_range": [3, None]}) == (
        7, {"preset": "preview", "frame_range": [3, None]},
    )  # fmt: skip
    assert frame_option({"frame": None, "frame_range": [3, 9]}) == (3, {"frame_range": [3, 9]})
    for wrong in (-1, 1.5, "1", True):
        with pytest.raises(HmdiffError, match="frame"):
            frame_option({"frame": wrong})


def test_settings_of_a_take_are_its_options_again():
    first = RunOptions(
        preset="quality", seed=3, boxes=((0.0, 1.0, 2.5, 3.0),), keypoints=Path("k.json"), frame_range=(2, None),
        smooth=0.0, person="largest",
    )  # fmt: skip
    stored = json.loads(json.dumps(first.to_settings()))
    assert RunOptions.from_settings(stored) == replace(first, keypoints=Path("k.json").resolve())
    for damaged in ({"colour": 1}, {"boxes": 3}, {"frame_range": ["a", "b"]}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            RunOptions.from_settings(damaged)
