"""Person detector and pose network run by ``rtmlib``: pictures in, boxes and Observations out."""

from __future__ import annotations

import contextlib
import importlib
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError

from .image import ImageU8
from .observation import Array, Observation
from .rtm_layouts import KEYPOINT_NAMES, person_observation
from .rtm_models import RtmFiles

_PERSON = 0
"""Of the COCO classes, for detectors that find other things too."""


@dataclass
class RtmTiming:
    """searches: pictures the person detector looked at; people: crops the pose network read; seconds of each."""

    searches: int = 0
    people: int = 0
    search_seconds: float = 0.0
    people_seconds: float = 0.0

    def sentence(self) -> str:
        search, read = (
            1000 * seconds / max(count, 1)
            for seconds, count in ((self.search_seconds, self.searches), (self.people_seconds, self.people))
        )
        return (
            f"rtmlib: searches for people {self.searches} ({search:.0f} ms each), people read {self.people} "
            f"({read:.0f} ms each)."
        )


class RtmNetworks:
    """Errors: ``detector.unreadable`` for a file that is no such network, ``detector.unknown_keypoints``."""

    def __init__(
        self, files: RtmFiles, device: str = "auto", min_score: float = 0.5, tiny_height: float = 48.0
    ) -> None:
        rtmlib = importlib.import_module("rtmlib")
        where = _device(device)
        kind = "RTMDet" if "rtmdet" in files.detector.stem.lower() else "YOLOX"
        self._detector = _load(getattr(rtmlib, kind), files.detector, where, (640, 640))
        self._detector.score_thr = min_score
        outputs = _probe(self._detector, files.detector)
        if len(outputs[0]) != 3 or outputs[0][2] < 5:
            raise _unreadable(files.detector, f"outputs {outputs}")
        # rtmlib tells the classes apart only where the file leaves choosing among the boxes to it.
        self._all_classes = outputs[0][-1] != 5
        self._detector.det_mode = "multiclass" if self._all_classes else "human"
        self._pose = _load_pose(rtmlib, files.pose, where)
        self._tiny = tiny_height
        self.timing = RtmTiming()

    def people(self, image: ImageU8) -> Array:
        """image (H,W,3) RGB -> (N,4) boxes px inside the image."""
        began = time.perf_counter()
        # Trained on OpenCV's order of colours, unlike the pose networks.
        found = self._detector(np.ascontiguousarray(image[..., ::-1]))
        if self._all_classes:
            boxes, classes = found
            found = np.asarray(boxes)[np.asarray(classes) == _PERSON] if len(boxes) else boxes
        height, width = image.shape[:2]
        boxes = np.asarray(found, np.float32).reshape(-1, 4)
        boxes = boxes[np.isfinite(boxes).all(1)].clip(0, [width, height, width, height])
        self.timing.searches += 1
        self.timing.search_seconds += time.perf_counter() - began
        return boxes[((boxes[:, 2:] - boxes[:, :2]) >= 2).all(1)].astype(np.float32)

    def read(self, image: ImageU8, boxes: Sequence[Array]) -> list[Observation | None]:
        """The person in each box (4,) px; None where hardly a keypoint is sure."""
        if not len(boxes):  # rtmlib would take the whole picture for a person
            return []
        began = time.perf_counter()
        points, scores = self._pose(image, bboxes=[list(map(float, box)) for box in boxes])
        height, width = image.shape[:2]
        # rtmlib counts from pixel centres, this project from pixel corners.
        points = np.asarray(points, np.float32) + np.float32(0.5)
        found = [
            person_observation(one, score, width, height, self._tiny)
            for one, score in zip(points, np.asarray(scores, np.float32), strict=True)
        ]
        self.timing.people += len(boxes)
        self.timing.people_seconds += time.perf_counter() - began
        return found


def _device(wanted: str) -> str:
    """rtmlib's name of the device: a graphics card only where this onnxruntime can use one."""
    available = importlib.import_module("onnxruntime").get_available_providers()
    cuda = "CUDAExecutionProvider" in available
    if wanted == "auto":
        return "cuda" if cuda else "cpu"
    return wanted if wanted.startswith("cuda") and cuda else "cpu"


def _load(make: Callable[..., Any], path: Path, device: str, size: tuple[int, int]) -> Any:
    """An rtmlib tool with the picture size its file names; ``size`` (h, w) where the file leaves it open."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # rtmlib prints, and our output may be JSON
            tool = make(str(path), size, backend="onnxruntime", device=device)
    except Exception as error:  # onnxruntime's errors have no common base of their own
        raise _unreadable(path, repr(error)) from error
    shape = list(tool.session.get_inputs()[0].shape)
    if len(shape) != 4 or shape[1] != 3:
        raise _unreadable(path, f"input {shape}")
    height, width = (n if isinstance(n, int) else usual for n, usual in zip(shape[2:], size, strict=True))
    tool.model_input_size = (height, width)
    return tool


def _load_pose(rtmlib: Any, path: Path, device: str) -> Any:
    tool = _load(rtmlib.RTMPose, path, device, (256, 192))
    outputs = _probe(tool, path)
    ranks = [len(shape) for shape in outputs]
    if ranks == [4]:
        tool = _load(rtmlib.ViTPose, path, device, tool.model_input_size)
    elif ranks != [3, 3]:
        raise _unreadable(path, f"outputs {outputs}")
    tool.model_input_size = tool.model_input_size[::-1]  # rtmlib's pose networks want (w, h)
    if outputs[0][1] not in KEYPOINT_NAMES:
        raise HmdiffError(
            "detector.unknown_keypoints", f"The pose network {path.name} has {outputs[0][1]} keypoints per person.",
            f"Use one with {', '.join(map(str, KEYPOINT_NAMES))}.",
        )  # fmt: skip
    return tool


def _probe(tool: Any, path: Path) -> list[tuple[int, ...]]:
    """Shapes of the outputs for one black picture; what files declare is often only a name for each length."""
    try:
        return [np.shape(output) for output in tool.inference(np.zeros((*tool.model_input_size, 3), np.float32))]
    except Exception as error:  # as in _load
        raise _unreadable(path, repr(error)) from error


def _unreadable(path: Path, detail: str) -> HmdiffError:
    return HmdiffError(
        "detector.unreadable", f"{path.name} is not a network that the detector rtmlib can use.",
        f"Delete {path} to have it fetched again, or put another one there.", detail,
    )  # fmt: skip
