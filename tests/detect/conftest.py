from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hmdiff.detect import Detector, model_path
from hmdiff.detect.assets import POSE_DETECTION, POSE_LANDMARK
from hmdiff_wire.errors import HmdiffError

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"


@pytest.fixture(scope="session")
def detector() -> Detector:
    try:
        for name in (POSE_DETECTION, POSE_LANDMARK):
            model_path(name)
    except HmdiffError as error:
        pytest.skip(f"the detector's models are not at hand: {error}")
    return Detector()


@pytest.fixture(scope="session")
def samples() -> Path:
    if not SAMPLES.is_dir():
        pytest.skip(f"no sample footage at {SAMPLES}")
    return SAMPLES


@pytest.fixture(scope="session")
def photo(samples: Path):
    def load(name: str) -> np.ndarray:
        image = cv2.imread(str(samples / "images" / name))
        assert image is not None
        return np.ascontiguousarray(image[..., ::-1])

    return load


@pytest.fixture(scope="session")
def truth(samples: Path):
    """Keypoints (P,17,3) and boxes (P,4) of a sample photo."""

    def load(name: str) -> tuple[np.ndarray, np.ndarray]:
        people = json.loads((samples / "truth" / name).with_suffix(".json").read_text())["persons"]
        boxes = np.array([p["bbox_xywh"] for p in people], np.float32)
        boxes[:, 2:] += boxes[:, :2]
        return np.array([p["keypoints_2d"] for p in people], np.float32), boxes

    return load
