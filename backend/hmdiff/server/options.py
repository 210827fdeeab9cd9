"""The options of a Submit message as ``RunOptions``: what the command line's parser is to `hmdiff animate`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError

from ..video.options import DETECTORS, PEOPLE, RunOptions

PRESETS = ("default", "preview", "quality", "thorough", "paper")
PATHS = ("detector_models", "keypoints", "masks", "body")
"""Options that name files; the server lets only those below its roots through."""


def run_options(options: Mapping[str, Any], device: str) -> RunOptions:
    """Names as in ``RunOptions``. Errors: ``options.unknown``, ``options.bad``."""
    for name in options:
        if name not in _READERS:
            raise HmdiffError(
                "options.unknown", f"There is no option {name[:60]!r}.", f"Options are {', '.join(_READERS)}."
            )
    values = {name: _READERS[name](name, value) for name, value in options.items() if value is not None}
    return RunOptions(**values, device=device)


def frame_option(options: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Options of a job ``people`` -> the frame to look at, and the options of the run it is for. ``frame``, else the
    first of ``frame_range``, else 0. Errors: ``options.bad``.
    """
    others = {name: value for name, value in options.items() if name != "frame"}
    if options.get("frame") is not None:
        return _whole(0, 10**9)("frame", options["frame"]), others
    if options.get("frame_range") is not None:
        return _frame_range("frame_range", options["frame_range"])[0], others
    return 0, others


def _bad(name: str, wanted: str) -> HmdiffError:
    return HmdiffError("options.bad", f"The option {name} is not {wanted}.", "Correct it and send the job again.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(low: int, high: int) -> Callable[[str, Any], int]:
    def read(name: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _bad(name, f"a whole number from {low} to {high}")
        return value

    return read


def _number(good: Callable[[float], bool], wanted: str) -> Callable[[str, Any], float]:
    def read(name: str, value: Any) -> float:
        if not _is_number(value) or not good(value):
            raise _bad(name, wanted)
        return float(value)

    return read


def _one_of(words: tuple[str, ...]) -> Callable[[str, Any], str]:
    def read(name: str, value: Any) -> str:
        if value not in words:
            raise _bad(name, f"one of {', '.join(words)}")
        return value

    return read


def _boxes(name: str, value: Any) -> tuple[tuple[float, ...], ...]:
    good = isinstance(value, list) and all(
        isinstance(box, list) and len(box) == 4 and all(map(_is_number, box)) and box[0] < box[2] and box[1] < box[3]
        for box in value
    )
    if not good:
        raise _bad(name, "a list of boxes [x0, y0, x1, y1]")
    return tuple(tuple(map(float, box)) for box in value)


def _frame_range(name: str, value: Any) -> tuple[int, int | None]:
    wanted = "[first, end], end null or the frame after the last one"
    if not isinstance(value, list) or len(value) != 2:
        raise _bad(name, wanted)
    first, end = value
    whole = _whole(0, 10**9)
    if whole(name, first) < 0 or (end is not None and whole(name, end) <= first):
        raise _bad(name, wanted)
    return first, end


def _path(name: str, value: Any) -> Path:
    if not isinstance(value, str):
        raise _bad(name, "a path")
    return Path(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _bad(name, "true or false")
    return value


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "preset": _one_of(PRESETS),
    "hypotheses": _whole(1, 1000),
    "steps": _whole(1, 1000),
    "seed": _whole(0, 2**63 - 1),
    "person": _one_of(PEOPLE),
    "boxes": _boxes,
    "detector": _one_of(DETECTORS),
    **dict.fromkeys(PATHS, _path),
    "focal": _number(lambda px: px > 0, "a number of pixels above zero"),
    "frame_range": _frame_range,
    "smooth": _number(lambda seconds: seconds >= 0, "a number of seconds, 0 or more"),
    "raw_vertices": _flag,
}
