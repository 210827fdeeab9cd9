"""Loading before the first job what every job needs, and running each network once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..detect.assemble import observe
from ..detect.search import box_crop
from .estimate import estimate_people, make_estimator
from .options import RunOptions
from .warm import ready_detector

_SIDE = 256


def warm_up(device: str = "auto", should_stop: Callable[[], bool] = lambda: False) -> None:
    """The detector, the default weights and the body into memory, and one estimate of nobody.

    should_stop is asked between the steps, none of which takes more than about a second: a job that has come can begin.
    Errors: those of the detector, the weights and the device.
    """
    detector = ready_detector()
    image = np.random.default_rng(0).integers(0, 255, (_SIDE, _SIDE, 3), np.uint8)
    if should_stop():
        return
    detector.people.detect(image)
    reading = detector.landmarks.read(image, box_crop(np.array([0, 0, _SIDE, _SIDE], np.float32)))
    if should_stop():
        return
    estimator = make_estimator(RunOptions(preset="preview", device=device))
    if should_stop():
        return
    estimate_people(estimator, [observe(reading, _SIDE, _SIDE, 0)], float(_SIDE), (_SIDE / 2, _SIDE / 2))
