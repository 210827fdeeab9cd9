"""What is dear to load and the same for every run: models, bodies and the detector, kept between runs of a process.

A few of each, the one unused longest goes first. For the one thread that runs jobs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..bodies.hierarchy import load_hierarchy
from ..bodies.joint_maps import fit_joint_maps
from ..bodies.model import BodyModel
from ..detect import Detector, RtmDetector, load_rtm
from ..models.weights import LoadedModel, load_model, weights_path
from .options import RunOptions

T = TypeVar("T")
MOST_MODELS, MOST_BODIES = 2, 2


class Shelf:
    """The last few things made, by key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._things:
            while len(self._things) >= self._most:  # before, so that there are never more in memory
                self._things.popitem(last=False)
            self._things[key] = make()
        self._things.move_to_end(key)
        return self._things[key]

    def __len__(self) -> int:
        return len(self._things)


@dataclass(frozen=True)
class ReadyModel:
    """coarse: the free body's 431 vertices; landmarks (33,431): from them to the detector's landmarks; middle (431,):
    where they are among the 1723.
    """

    loaded: LoadedModel
    coarse: BodyModel
    landmarks: Tensor
    middle: Tensor


@dataclass(frozen=True)
class ReadyBody:
    """A user's body for the finish: coarse: its 431 vertices; joints (24,431): from them to its joints."""

    coarse: BodyModel
    joints: Tensor


_models, _bodies, _detectors = Shelf(MOST_MODELS), Shelf(MOST_BODIES), Shelf(2)


def ready_model(preset: str, device: torch.device) -> ReadyModel:
    """The shipped weights of ``default`` or ``paper``, read again when their file has changed. Errors as
    ``load_model``.
    """
    return _models.get((preset, str(device), _looks(weights_path(preset))), lambda: _make_model(preset, device))


def ready_body(body: BodyModel, sha256: str) -> ReadyBody:
    """sha256: of the body's file."""
    return _bodies.get(sha256, lambda: _make_body(body))


def ready_detector() -> Detector:
    """With a fresh tracker. Errors as ``Detector``."""
    detector = _detectors.get("default", Detector)
    detector.reset()
    return detector


def chosen_detector(options: RunOptions) -> Detector | RtmDetector:
    """The one the run wants, with a fresh tracker. Errors as ``Detector`` and ``load_rtm``."""
    if options.detector == "blazepose":
        return ready_detector()
    name, models, device = options.detector, options.detector_models, options.device
    detector = _detectors.get((name, models, device), lambda: load_rtm(name, models, device))
    detector.reset()
    return detector


def _looks(path: Path) -> tuple[int, ...]:
    if not path.is_file():
        return ()
    seen = path.stat()
    return seen.st_mtime_ns, seen.st_size


def _make_model(preset: str, device: torch.device) -> ReadyModel:
    loaded = load_model(preset, device)
    middle, coarse = (torch.from_numpy(indices) for indices in loaded.hierarchy.indices)
    return ReadyModel(
        loaded, loaded.hierarchy.coarse(loaded.body), torch.from_numpy(loaded.maps.coarse_landmarks),
        torch.searchsorted(middle, coarse),
    )  # fmt: skip


def _make_body(body: BodyModel) -> ReadyBody:
    hierarchy = load_hierarchy(body.data)
    maps = fit_joint_maps(body, hierarchy, np.zeros((33, body.data.n_vertices), np.float32))
    return ReadyBody(hierarchy.coarse(body), torch.from_numpy(maps.coarse_joints))
