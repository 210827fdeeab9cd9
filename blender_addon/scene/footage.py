"""The footage behind the camera: photo, video or image sequence, upright and in time with the mesh."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.take import Take

from ..core.source import Footage
from . import compat, naming
from .timing import FrameMap, footage_offsets

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".tga", ".jp2")
EXIF_TURNS = {1: (0, False), 2: (0, True), 3: (180, False), 4: (180, True), 5: (270, True), 6: (270, False),
              7: (90, True), 8: (90, False)}  # fmt: skip
"""EXIF orientation -> (degrees counter-clockwise, mirrored left-right afterwards) that make the picture upright."""


def add_footage(camera: Any, take: Take, frame_map: FrameMap, scene: Any) -> Generator[None, None, Any | None]:
    """Put the take's footage behind the camera; None where the file is gone or in a format Blender does not read.

    Yields between the moments in which Blender opens the file, about 10 ms each for a video.
    """
    path = _first_file(take)
    if path is None:
        return None
    try:
        image = bpy.data.images.load(str(path), check_existing=True)
    except RuntimeError:
        return None
    image.filepath = naming.stored_path(path)
    if take.header.source_kind == "sequence":
        image.source = "SEQUENCE"
    data = camera.data
    data.show_background_images = True
    footage = data.background_images.new()
    footage.image = image
    footage.alpha = 1.0
    footage.display_depth = "BACK"
    yield
    _fit(footage, path, take, scene)
    yield
    if take.header.source_kind != "image":
        _synchronise(data, footage, path, take, frame_map)
    return footage


def resynchronise(camera: Any, take: Take, frame_map: FrameMap) -> None:
    """The scene's time runs otherwise than before: show each frame of the footage behind ``camera`` at its time again,
    where it is still the take's."""
    path = _first_file(take)
    if path is None or take.header.source_kind == "image":
        return
    for footage in camera.data.background_images:
        image = footage.image
        if image is not None and Path(bpy.path.abspath(image.filepath)).resolve() == path:
            _synchronise(camera.data, footage, path, take, frame_map)
            return


def exif_orientation(path: Path) -> int:
    """The orientation (1..8) a JPEG's EXIF asks for, which Blender leaves aside; 1 where there is none."""
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    at = head.find(b"Exif\0\0")
    if not head.startswith(b"\xff\xd8") or at < 0:
        return 1
    tiff = head[at + 6 :]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        first = struct.unpack_from(order + "I", tiff, 4)[0]
        for entry in range(struct.unpack_from(order + "H", tiff, first)[0]):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, first + 2 + 12 * entry)
            if tag == 0x0112 and value in EXIF_TURNS:
                return value
    except struct.error:
        return 1
    return 1


def _first_file(take: Take) -> Path | None:
    """The file Blender is to load, if it is there."""
    path = Path(take.header.source_path)
    if take.header.source_kind == "sequence":
        return first_picture(path)
    return path.resolve() if path.is_file() else None


def footage_file(footage: Footage) -> Path:
    """The file Blender is to load of footage that was resolved."""
    path = Path(footage.path)
    return path if path.is_file() else (first_picture(path) or path)


def first_picture(path: Path) -> Path | None:
    """Of a sequence, given as a folder or as a pattern, the first image."""
    escaped = re.escape(path.name).replace(r"\#", "#")
    pattern = ".*" if path.is_dir() else re.sub(r"%0?\d*d|#+|\\\*+", r"\\d+", escaped)
    folder = path if path.is_dir() else path.parent
    files = [p for p in folder.iterdir() if re.fullmatch(pattern, p.name)] if folder.is_dir() else []
    files = [p for p in files if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    return min(files, key=lambda p: (_file_number(p), p.name)).resolve() if files else None


def _fit(footage: Any, path: Path, take: Take, scene: Any) -> None:
    """Make the upright picture's width the sensor's width, whatever shape the scene renders in."""
    header = take.header
    if header.source_kind == "video":
        turn, mirrored = (0 if _turned_by_blender(footage.image, take) else header.rotation % 360), False
    else:
        turn, mirrored = EXIF_TURNS[exif_orientation(path)]
    lay_upright(footage, turn, mirrored, (header.width, header.height), scene)


def lay_upright(footage: Any, turn: int, mirrored: bool, size: tuple[int, int], scene: Any) -> None:
    """Turn a background as ``EXIF_TURNS`` says and let its upright width be the sensor's. size: upright, in pixels."""
    width, height = size
    render = scene.render
    shape = (render.resolution_x * render.pixel_aspect_x) / (render.resolution_y * render.pixel_aspect_y)
    footage.frame_method = "CROP" if shape > width / height else "FIT"
    footage.rotation = -math.radians(turn)  # Blender turns a background clockwise
    if turn % 180:
        # Blender fits the picture as it is stored and turns it afterwards, so its height must become the width.
        footage.frame_method = "FIT"
        footage.scale = max(height / width, shape)
        footage.use_flip_y = mirrored
    else:
        footage.use_flip_x = mirrored
        stored = footage.image.size
        if stored[0] and stored[1]:  # videos with pixels that are not square
            footage.image.display_aspect[0] = (width / height) / (stored[0] / stored[1])


def _turned_by_blender(image: Any, take: Take) -> bool:
    """Whether this Blender obeys a video's rotation mark; a quarter turn shows in the size, a half turn does not."""
    width, height = image.size
    if take.header.rotation % 180 == 0 or take.header.width == take.header.height or not height:
        return compat.TURNS_VIDEOS
    return (width > height) == (take.header.width > take.header.height)


def _synchronise(data: Any, footage: Any, path: Path, take: Take, frame_map: FrameMap) -> None:
    """Show each frame at its time. A scene that runs at another rate than the video gets a keyed frame offset."""
    user = footage.image_user
    last = int(np.ceil(frame_map.frames(_times(take, frame_map))[-1]))
    user.frame_start = frame_map.start
    user.frame_duration = max(1, last - frame_map.start + 1)
    user.use_auto_refresh = True
    rate = _movie_rate(path) if take.header.source_kind == "video" else take.header.fps
    frames, offsets = footage_offsets(frame_map, rate or take.header.fps, last)
    if take.header.source_kind == "sequence":
        offsets = offsets + (_file_number(path) - 1)
    index = list(data.background_images).index(footage)
    name = f"background_images[{index}].image_user.frame_offset"
    if len(frames) > 1 or any(curve.data_path == name for curve in compat.iter_fcurves(data)):
        compat.set_keys(compat.ensure_fcurve(data, name), frames, offsets, "CONSTANT")
    user.frame_offset = int(offsets[0])


def _times(take: Take, frame_map: FrameMap) -> np.ndarray:
    """The take's time stamps; of one that has only begun, when the footage will end at the latest."""
    if len(take.times):
        return take.times
    return np.array([frame_map.origin + (take.header.n_frames or 1) / (take.header.fps or frame_map.fps)])


def _movie_rate(path: Path) -> float:
    """The rate by which Blender itself counts this movie's frames; 0 where it cannot tell."""
    clip = bpy.data.movieclips.load(str(path))
    rate = float(clip.fps)
    bpy.data.movieclips.remove(clip)
    return rate


def _file_number(path: Path) -> int:
    """The last number in a file's name, by which Blender finds the next of a sequence; 1 where there is none."""
    numbers = re.findall(r"\d+", path.stem)
    return int(numbers[-1]) if numbers else 1
