"""The picture of the learning curves is drawn from what training wrote."""

from __future__ import annotations

from pathlib import Path

import cv2
from hmdiff.training.curves import DOCS, PANELS, draw_curves, read_curve


def test_every_curve_that_is_kept_is_drawn(tmp_path: Path):
    made = draw_curves(DOCS / "curves", tmp_path / "training.png")
    picture = cv2.imread(str(made))
    assert picture is not None and picture.shape[1] == 1200 and picture.std() > 10
    known = {name for name, *_ in PANELS}
    for file in (DOCS / "curves").glob("*.jsonl"):
        assert file.stem in known and len(read_curve(file)) >= 2
