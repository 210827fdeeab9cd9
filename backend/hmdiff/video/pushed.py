"""Footage without a file: frames that somebody else has, such as Blender, and pushes one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from .frames import Frame, SourceInfo, check_size


class Pushed(Protocol):
    """A frame as it comes: index and time (seconds) rise; image (H,W,3) uint8 RGB, upright."""

    @property
    def index(self) -> int: ...
    @property
    def time(self) -> float: ...
    @property
    def image(self) -> NDArray[Any]: ...


class PushedSource:
    """A ``Footage`` that can be gone through once. kind ``image`` is exactly one frame.

    Iterating raises ``input.is_video`` for a second ``image``; errors of the frames themselves pass through.
    """

    def __init__(
        self, name: str, frames: Iterator[Pushed], width: int, height: int, fps: float,
        kind: Literal["video", "image"] = "video", frame_range: tuple[int, int | None] | None = None,
    ) -> None:  # fmt: skip
        path = Path(name or "pushed")
        check_size(path, width, height)
        self.info = SourceInfo(path, kind, width, height, fps, 1 if kind == "image" else None, None)
        self.notes: list[str] = []
        self._frames = frames
        self._first, self._end = frame_range or (0, None)

    @property
    def n_frames(self) -> int | None:
        """1 for an image, the range's length where it has an end, else unknown."""
        if self.info.kind == "image":
            return 1
        return None if self._end is None else self._end - self._first

    def starting_at(self, index: int) -> PushedSource:
        """The same frames, those before ``index`` passed over."""
        info, kind = self.info, "image" if self.info.kind == "image" else "video"
        span = (max(self._first, index), self._end)
        return PushedSource(info.path.name, self._frames, info.width, info.height, info.fps, kind, span)

    def mark(self) -> str:
        return ""

    def __iter__(self) -> Iterator[Frame]:
        if self.info.kind == "image":
            yield from self._only()
            return
        for frame in self._frames:
            if self._end is not None and frame.index >= self._end:
                return
            if frame.index >= self._first:
                yield Frame(frame.index, frame.time, frame.image)

    def _only(self) -> Iterator[Frame]:
        """A photo is frame 0 at 0 s, wherever it was in what its client has."""
        first = next(self._frames, None)
        if first is not None:
            if next(self._frames, None) is not None:
                raise HmdiffError(
                    "input.is_video", f"More than one frame came of {self.info.path.name}.",
                    "Send it as a job of kind animate.",
                )  # fmt: skip
            yield Frame(0, 0.0, first.image)
