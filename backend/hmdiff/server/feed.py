"""Pushed frames: what the router checks of them and grants, and what the job in the worker reads."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Credit, PushFrame, Submit
from numpy.typing import NDArray

from .contract import PushedFrame
from .failures import malformed
from .link import Link

MOST_CREDIT = 8
CREDIT_BYTES = 128 * 1024**2
"""Pushed frames on their way and in the worker, per job; the credit is at least two frames."""
LARGEST_SIDE = 16384


class Intake:
    """One job's pushed frames as the router sees them."""

    def __init__(self, stream: Mapping[str, Any]) -> None:
        width, height, _ = check_stream(stream)
        self.begin_with = max(2, min(MOST_CREDIT, CREDIT_BYTES // (3 * width * height)))
        self.shape = (height, width, 3)
        self.credit = 0
        self.index, self.time, self.ended = -1, -math.inf, False

    def grant(self, frames: int) -> None:
        self.credit += frames

    def admit(self, frame: PushFrame) -> None:
        """Errors: ``protocol.credit``, ``protocol.malformed``; the frame is not used then."""
        if self.credit < 1 or self.ended:
            raise HmdiffError(
                "protocol.credit", "A frame was pushed that the backend has no room for.",
                "Push only as many frames as Credit messages allowed.",
                f"frame {frame.index}" + (", after the end" if self.ended else ""),
            )  # fmt: skip
        if frame.index <= self.index or frame.time <= self.time:
            raise malformed(f"frame {frame.index} at {frame.time} s does not follow frame {self.index}")
        image, file = frame.arrays.get("image"), frame.arrays.get("file")
        if len(frame.arrays) != 1 or (image is None) == (file is None):
            raise malformed("a frame brings either `image` or `file`")
        if image is not None and (image.dtype != "u1" or image.shape != self.shape):
            raise malformed(f"`image` is {image.dtype} {image.shape}, the stream said {self.shape} bytes")
        if file is not None and (file.dtype != "u1" or file.ndim != 1 or not file.size):
            raise malformed(f"`file` is {file.dtype} {file.shape}, not bytes")
        self.credit -= 1
        self.index, self.time = frame.index, frame.time


def check_stream(stream: Mapping[str, Any]) -> tuple[int, int, float]:
    """{"width", "height", "fps"} -> the three. Errors: ``protocol.malformed``."""
    width, height, fps = (stream.get(name, 0) for name in ("width", "height", "fps"))
    sides = all(
        isinstance(one, int) and not isinstance(one, bool) and 0 < one <= LARGEST_SIDE for one in (width, height)
    )
    rate = isinstance(fps, int | float) and not isinstance(fps, bool) and 0 < fps <= 1000
    if not sides or not rate:
        raise malformed("`stream` has no width, height (pixels) and fps")
    assert isinstance(width, int) and isinstance(height, int) and isinstance(fps, int | float)
    return width, height, float(fps)


def pushed_frames(link: Link, submit: Submit) -> Iterator[PushedFrame]:
    """In the worker: the frames as they come, each making room for another. Errors: ``input.unreadable``."""
    width, height, _ = check_stream(submit.stream)
    while (frame := link.next_pushed(submit.job)) is not None:
        image = frame.arrays.get("image")
        if image is None:
            image = _read_picture(frame, width, height)
        link.send(Credit(submit.job, 1))
        yield PushedFrame(frame.index, frame.time, np.asarray(image))


def _read_picture(frame: PushFrame, width: int, height: int) -> NDArray[np.uint8]:
    """A JPEG or PNG file's bytes -> (H,W,3) RGB upright. Its size is looked at before its pixels are unpacked."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(frame.arrays["file"].tobytes()), formats=("JPEG", "PNG")) as picture:
            if sorted(picture.size) == sorted((width, height)):
                image = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
                if image.shape == (height, width, 3):
                    return image
            found = f"{picture.size[0]} x {picture.size[1]}"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise HmdiffError(
            "input.unreadable", f"Frame {frame.index} is not a readable JPEG or PNG picture.",
            "Push pictures of one of these two kinds.", repr(error),
        ) from error  # fmt: skip
    raise HmdiffError(
        "input.unreadable", f"Frame {frame.index} has {found} pixels, the others {width} x {height}.",
        "Push frames of the size the job named.",
    )  # fmt: skip
