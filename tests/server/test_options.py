"""Options of a Submit become the options of a run, or one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hmdiff.server import options
from hmdiff.server.options import run_options
from hmdiff.video.options import RunOptions
from hmdiff_wire.errors import HmdiffError


def test_every_option_of_a_run_but_the_device_can_be_sent():
    sent = {
        "preset": "preview", "hypotheses": 4, "steps": 5, "seed": 9, "boxes": [[0, 1, 2, 3.5]], "keypoints": "/k.json",
        "masks": "/m", "body": "/b.npz", "focal": 900, "frame_range": [2, None], "smooth": 0, "raw_vertices": True,
    }  # fmt: skip
    assert run_options(sent, "cpu") == RunOptions(
        preset="preview", hypotheses=4, steps=5, seed=9, device="cpu", boxes=((0.0, 1.0, 2.0, 3.5),),
        keypoints=Path("/k.json"), masks=Path("/m"), body=Path("/b.npz"), focal=900.0, frame_range=(2, None),
        smooth=0.0, raw_vertices=True,
    )  # fmt: skip
    assert set(sent) == set(RunOptions.__dataclass_fields__) - {"device"}
    assert set(options.PATHS) == {name for name in sent if "Path" in str(RunOptions.__annotations__[name])}
    assert run_options(dict.fromkeys(sent), "auto") == RunOptions(), "null is the same as nothing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("preset", "best"), ("preset", ["default"]), ("hypotheses", 0), ("hypotheses", True), ("steps", 2.0),
        ("seed", -1), ("boxes", [[0, 0, 1]]), ("boxes", [[0, 0, 0, 1]]), ("boxes", "0,0,1,1"),
        ("boxes", [["a", 0, 1, 1]]), ("keypoints", 3),
        ("focal", 0), ("focal", "35mm"), ("focal", float("nan")), ("frame_range", [3, 3]),
        ("frame_range", [None, 3]), ("frame_range", 3), ("smooth", -1), ("raw_vertices", 1), ("device", "cuda"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_a_sentence_that_names_it(name: str, value: Any):
    with pytest.raises(HmdiffError, match=name) as caught:
        run_options({name: value}, "cpu")
    assert caught.value.kind.startswith("options.") and caught.value.fix
