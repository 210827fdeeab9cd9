"""Video decoding through PyAV: true time stamps, rotation metadata, whatever a damaged file still gives."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .frames import Frame, Image, SourceInfo, check_size, empty, not_footage, not_found
from .photo import FULL_FRAME_DIAGONAL_MM

MIN_STEP = 1e-4
FOCAL_KEY = "focal_length.35mm_equivalent"


@dataclass(frozen=True)
class Turn:
    """How stored pixels become upright: transpose first, then flips. degrees: counter-clockwise, as the file says."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False
    degrees: int = 0

    def apply(self, image: Image) -> Image:
        if self.transpose:
            image = image.transpose(1, 0, 2)
        image = image[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return np.ascontiguousarray(image)


def turn_from_matrix(matrix: tuple[float, ...]) -> Turn:
    """A display matrix's a, b, c, d (x' = a x + c y, y' = b x + d y; y down), rounded to quarter turns."""
    a, b, c, d = matrix
    degrees = -round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(False, a < 0, d < 0, degrees)
    return Turn(True, c < 0, b < 0, degrees)


def read_info(path: Path) -> tuple[SourceInfo, Turn]:
    """Open, decode the first picture, close.

    Errors: ``input.not_found``, ``input.unreadable``, ``input.empty``, ``input.too_large``.
    """
    with _open(path) as container:
        stream = _video_stream(path, container)
        try:
            frame = next(container.decode(stream), None)
        except FFmpegError as error:
            raise not_footage(path, str(error)) from error
        if frame is None:
            raise empty(path, "the video stream has no frames")
        turn = _turn(frame)
        width, height = square_pixel_size(frame, stream)
        width, height = (height, width) if turn.transpose else (width, height)
        check_size(path, width, height)
        fps = float(stream.average_rate or stream.guessed_rate or stream.base_rate or 25)
        duration = _duration(container, stream)
        n_frames = stream.frames or (round(duration * fps) if duration else None)
        info = SourceInfo(
            path,
            "video",
            width,
            height,
            fps,
            n_frames,
            duration,
            turn.degrees,
            _focal(container, stream, width, height),
        )
        return info, turn


def read_frames(
    path: Path, info: SourceInfo, turn: Turn, first: int, end: int | None, notes: list[str]
) -> Iterator[Frame]:
    """Frames first..end-1 with their own times. What is odd about the file is added to ``notes``."""
    index, start, last = 0, None, -math.inf
    with _open(path) as container:
        stream = _video_stream(path, container)
        stream.thread_type = "AUTO"
        for picture in _pictures(container, stream, notes):
            stamp = None if picture.pts is None or picture.time_base is None else float(picture.pts * picture.time_base)
            start = stamp if start is None else start
            time = last + 1 / info.fps if stamp is None or start is None else stamp - start
            # Broken muxers repeat or reverse stamps; everything after needs them to rise.
            time = max(0.0 if index == 0 else time, last + MIN_STEP)
            if index >= first:
                yield Frame(index, time, _upright(picture, info, turn))
            index, last = index + 1, time
            if index == end:
                return
        named = stream.frames
    # Only a count from the file itself tells of loss; one guessed from its duration is off where the rate varies.
    if named and index < named * 0.95 - 1:
        notes.append(f"The video names {named} frames but only {index} could be read.")


def square_pixel_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Stored size with non-square pixels widened or narrowed to square ones."""
    ratio = stream.sample_aspect_ratio or Fraction(1)
    if ratio <= 0 or not Fraction(1, 4) < ratio < 4:
        ratio = Fraction(1)
    return max(1, round(frame.width * ratio)), frame.height


def _open(path: Path) -> InputContainer:
    if not path.is_file():
        raise not_found(path)
    if path.stat().st_size == 0:
        raise empty(path, "zero bytes")
    try:
        # A path with a colon or percent sign must stay a file, whatever protocols FFmpeg knows.
        return av.open(f"file:{path}", mode="r", metadata_errors="replace")
    except (FFmpegError, ValueError) as error:
        raise not_footage(path, str(error)) from error


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    streams = [stream for stream in container.streams.video if "attached_pic" not in str(stream.disposition).lower()]
    if not streams:
        raise not_footage(path, "no video stream")
    return streams[0]


def _pictures(container: InputContainer, stream: VideoStream, notes: list[str]) -> Iterator[VideoFrame]:
    skipped = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except FFmpegError as error:
            notes.append(f"The video could only be read in part: {error.strerror}.")
            break
        try:
            yield from packet.decode()
        except FFmpegError:
            skipped += 1
    if skipped:
        notes.append(f"{skipped} damaged pieces of the video were skipped.")


def _upright(picture: VideoFrame, info: SourceInfo, turn: Turn) -> Image:
    width, height = (info.height, info.width) if turn.transpose else (info.width, info.height)
    # A stream may change its size midway; every frame leaves at the size the first one had.
    return turn.apply(np.asarray(picture.to_ndarray(format="rgb24", width=width, height=height), np.uint8))


def _turn(frame: VideoFrame) -> Turn:
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return Turn()
    values = struct.unpack("=9i", bytes(data)[:36])
    return turn_from_matrix((values[0], values[1], values[3], values[4]))


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration and container.duration > 0 else None


def _focal(container: InputContainer, stream: VideoStream, width: int, height: int) -> float | None:
    """Recent phones write the lens's 35 mm equivalent into QuickTime metadata."""
    for key, value in {**container.metadata, **stream.metadata}.items():
        if key.endswith(FOCAL_KEY):
            try:
                equivalent = float(value)
            except ValueError:
                continue
            if 5 < equivalent < 2000:
                return equivalent / FULL_FRAME_DIAGONAL_MM * math.hypot(width, height)
    return None
