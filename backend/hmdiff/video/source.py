"""Footage of any kind behind one door: a video file, one photo, a folder or pattern of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from hmdiff_wire.errors import HmdiffError

from .decode import Turn, read_frames, read_info
from .frames import Frame, SourceInfo, not_found
from .marks import file_mark, files_mark
from .photo import Photo, read_photo
from .sequence import PHOTO_SUFFIXES, is_pattern, read_sequence, sequence_files, sequence_info

DEFAULT_SEQUENCE_FPS = 30.0


class Footage(Protocol):
    """What a run needs of its footage: ``Source`` has it in files, ``pushed.PushedSource`` gets it frame by frame."""

    info: SourceInfo
    notes: list[str]

    @property
    def n_frames(self) -> int | None: ...

    def starting_at(self, index: int) -> Footage: ...

    def mark(self) -> str:
        """The same as long as the footage is; "" where nothing can tell."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...


class Source:
    """Iterate it for ``Frame``s, as often as needed, one picture in memory at a time.

    info: see ``SourceInfo``; notes: sentences about what was odd, complete once an iteration has ended.
    """

    def __init__(
        self, info: SourceInfo, turn: Turn, files: list[Path], first: int, end: int | None, photo: Photo | None = None
    ) -> None:
        self.info = info
        self.notes: list[str] = list(info.notes)
        self._turn = turn
        self._files = files
        self._first = first
        self._end = end
        self._photo = photo

    @property
    def n_frames(self) -> int | None:
        """How many frames the iteration gives, as far as the file tells."""
        if self.info.n_frames is None:
            return None if self._end is None else self._end - self._first
        end = self.info.n_frames if self._end is None else min(self._end, self.info.n_frames)
        return max(0, end - self._first)

    def starting_at(self, index: int) -> Source:
        """The same footage from frame ``index`` on, or from its range's start where that is later."""
        return Source(self.info, self._turn, self._files, max(self._first, index), self._end, self._photo)

    def mark(self) -> str:
        """See ``Footage``. Errors: ``input.unreadable``."""
        return files_mark(self._files[self._first : self._end]) if self._files else file_mark(self.info.path)

    def __iter__(self) -> Iterator[Frame]:
        self.notes = list(self.info.notes)
        if self.info.kind == "video":
            return read_frames(self.info.path, self.info, self._turn, self._first, self._end, self.notes)
        if self.info.kind == "sequence":
            return read_sequence(self._files, self.info, self._first, self._end)
        assert self._photo is not None
        return iter([Frame(0, 0.0, self._photo.image_rgb)] if self._first == 0 else [])


def open_source(path: Path, frame_range: tuple[int, int | None] | None = None, fps: float | None = None) -> Source:
    """Open footage. frame_range: first frame and the one after the last, 0-based; fps: of an image sequence.

    Errors: ``input.not_found``, ``input.unreadable``, ``input.empty``, ``input.too_large``, ``input.range``.
    """
    path = Path(path)
    first, end = frame_range or (0, None)
    if first < 0 or (end is not None and end <= first):
        raise HmdiffError(
            "input.range", f"The frame range {first}:{end} is empty.", "Give a first frame and a later end."
        )
    if fps is not None and not 0.01 <= fps <= 10_000:
        raise HmdiffError(
            "input.fps", f"{fps} frames per second cannot be right.", "Give the rate the images were taken at."
        )
    if path.is_dir() or is_pattern(path):
        files = sequence_files(path)
        source = Source(sequence_info(path, files, fps or DEFAULT_SEQUENCE_FPS), Turn(), files, first, end)
    elif not path.exists():
        raise not_found(path)
    elif path.suffix.lower() in PHOTO_SUFFIXES:
        photo = read_photo(path)
        height, width = photo.image_rgb.shape[:2]
        info = SourceInfo(path, "image", width, height, 1.0, 1, None, focal_px=photo.focal_px)
        source = Source(info, Turn(), [], first, end, photo)
    else:
        info, turn = read_info(path)
        source = Source(info, turn, [], first, end)
    known = source.info.n_frames
    if known is not None and source.info.kind != "video" and first >= known:
        raise HmdiffError("input.range", f"{path.name} has only {known} frames.", "Give a range that starts earlier.")
    return source


def parse_range(text: str) -> tuple[int, int | None]:
    """``A:B`` -> frames A up to, not including, B; either side may be left out. Errors: ``input.range``."""
    try:
        first_text, end_text = text.split(":")
        first, end = int(first_text or 0), int(end_text) if end_text else None
    except ValueError as error:
        raise HmdiffError(
            "input.range", f"{text!r} is not a frame range.", "Write it as A:B, for example 0:120."
        ) from error
    if first < 0 or (end is not None and end <= first):
        raise HmdiffError("input.range", f"The frame range {text} is empty.", "Give a first frame and a later end.")
    return first, end
