"""Writing H.264 video with the frames' own time stamps."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from .files import written_whole
from .frames import Frame, Image

TICKS = 90_000


def write_video(path: Path, width: int, height: int, fps: float, frames: Iterable[Frame]) -> int:
    """Write an mp4 (libx264, yuv420p) -> number of frames; no file is left where there are none or something fails.

    Times are kept, the first becoming 0; odd sizes grow by a copied row or column. fps is nominal.
    Errors: ``output.not_writable``.
    """
    with written_whole(path) as temporary:
        with av.open(f"file:{temporary}", "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
            stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
            stream.options = {"crf": "20", "preset": "veryfast"}
            stream.codec_context.time_base = Fraction(1, TICKS)
            stream.codec_context.colorspace = Colorspace.ITU709
            stream.codec_context.color_range = ColorRange.MPEG
            try:
                done = _encode(container, stream, frames)
            except FFmpegError as error:
                raise OSError(error.errno, str(error)) from error
        if not done:
            temporary.unlink(missing_ok=True)
    return done


def _encode(container: OutputContainer, stream: VideoStream, frames: Iterable[Frame]) -> int:
    start, last, done = 0.0, -1, 0
    for frame in frames:
        start = frame.time if done == 0 else start
        picture = VideoFrame.from_ndarray(_even(frame.image_rgb), format="rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
        last = max(last + 1, round((frame.time - start) * TICKS))
        picture.pts, picture.time_base = last, Fraction(1, TICKS)
        container.mux(stream.encode(picture))
        done += 1
    if done:
        container.mux(stream.encode(None))
    return done


def _even(image: Image) -> Image:
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(image)
