"""One decoded picture and what is known about the footage it came from; errors of reading footage."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

Image = NDArray[np.uint8]
MAX_PIXELS = 200_000_000


@dataclass(frozen=True, eq=False)
class Frame:
    """index: 0-based in the footage's own order; time: seconds from its first; image_rgb (H,W,3) uint8, upright."""

    index: int
    time: float
    image_rgb: Image


@dataclass(frozen=True)
class SourceInfo:
    """width, height: pixels of the upright image; fps nominal; n_frames an estimate, None where nothing tells;
    duration seconds or None; rotation: degrees counter-clockwise the file asked for (already applied);
    focal_px: from the file's metadata, None where it has none; notes: sentences about what was odd.
    """

    path: Path
    kind: Literal["video", "image", "sequence"]
    width: int
    height: int
    fps: float
    n_frames: int | None
    duration: float | None
    rotation: int = 0
    focal_px: float | None = None
    notes: tuple[str, ...] = field(default=())


def not_found(path: Path) -> HmdiffError:
    return HmdiffError("input.not_found", f"There is no file {path}.", "Check the path.")


def not_footage(path: Path, detail: str) -> HmdiffError:
    return HmdiffError(
        "input.unreadable",
        f"{path.name} is not a video or image that can be read.",
        "Use a common format such as MP4, MOV, JPEG or PNG; a file that stops early may have to be copied again.",
        detail,
    )


def empty(path: Path, detail: str = "") -> HmdiffError:
    return HmdiffError("input.empty", f"{path.name} holds no pictures.", "Check that it was copied completely.", detail)


def too_large(path: Path, width: int, height: int) -> HmdiffError:
    return HmdiffError(
        "input.too_large", f"{path.name} has {width} x {height} pixels, more than this program reads.",
        "Make it smaller first.",
    )  # fmt: skip


def check_size(path: Path, width: int, height: int) -> None:
    """Errors: ``input.empty`` for zero pixels, ``input.too_large``."""
    if width <= 0 or height <= 0:
        raise empty(path, f"size {width} x {height}")
    if width * height > MAX_PIXELS:
        raise too_large(path, width, height)
