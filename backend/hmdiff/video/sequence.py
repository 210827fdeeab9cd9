"""Image sequences: a folder, or a pattern with ``*``, ``####`` or ``%04d``, in the order a person would count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hmdiff_wire.errors import HmdiffError

from .frames import Frame, SourceInfo, empty, not_footage
from .photo import photo_size, read_photo

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".tga", ".ppm", ".pgm", ".jp2"}
_PLACEHOLDER = re.compile(r"%0?\d*d|#+|\*+")


def is_pattern(path: Path) -> bool:
    return bool(_PLACEHOLDER.search(path.name)) and not path.exists()


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which frame 2 comes before frame 10."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name) if part
    ]


def sequence_files(path: Path) -> list[Path]:
    """The images of a folder or pattern in counting order. Errors: ``input.empty``, ``input.not_found``."""
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        raise HmdiffError("input.not_found", f"There is no folder {folder}.", "Check the path.")
    files = [entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")]
    if path.is_dir():
        files = [entry for entry in files if entry.suffix.lower() in PHOTO_SUFFIXES]
    else:
        matcher = _matcher(path.name)
        files = [entry for entry in files if matcher.fullmatch(entry.name)]
    files.sort(key=lambda entry: natural_key(entry.name))
    if not files:
        raise empty(path, "no image matches")
    return files


def sequence_info(path: Path, files: list[Path], fps: float) -> SourceInfo:
    """fps is the user's: images carry no time. Errors as ``read_photo``."""
    width, height = photo_size(files[0])
    focal = read_photo(files[0]).focal_px
    return SourceInfo(path, "sequence", width, height, fps, len(files), len(files) / fps, focal_px=focal)


def read_sequence(files: list[Path], info: SourceInfo, first: int, end: int | None) -> Iterator[Frame]:
    """Errors as ``read_photo``; ``input.unreadable`` where one image's size differs from the first's."""
    for index in range(first, len(files) if end is None else min(end, len(files))):
        image = read_photo(files[index]).image_rgb
        if image.shape[:2] != (info.height, info.width):
            raise not_footage(
                files[index], f"{image.shape[1]} x {image.shape[0]}, the first is {info.width} x {info.height}"
            )
        yield Frame(index, index / info.fps, image)


def _matcher(pattern: str) -> re.Pattern[str]:
    parts, at = [], 0
    for found in _PLACEHOLDER.finditer(pattern):
        parts.append(re.escape(pattern[at : found.start()]))
        parts.append(".*" if found.group().startswith("*") else r"\d+")
        at = found.end()
    return re.compile("".join(parts) + re.escape(pattern[at:]))
