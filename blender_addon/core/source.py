"""What the user points at, as footage the backend reads; frame ranges; where a take goes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hmdiff_wire.errors import HmdiffError

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".tga", ".ppm", ".pgm", ".jp2"}
)
"""Those of hmdiff.video.sequence: the backend decides by them too."""
MOVIE_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".flv", ".ogv",
     ".3gp", ".mxf", ".dv", ".gif"}
)  # fmt: skip
_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)
_PLACEHOLDER = re.compile(r"%0?\d*d|#+|\*+")

SourceKind = Literal["FILE", "SEQUENCE"]


@dataclass(frozen=True)
class Footage:
    """path: for the backend, perhaps a pattern such as ``f_%04d.png``; job_kind: of the Submit message; name: for
    people and file names; count: pictures of a sequence, 1 for a photo, None for a movie.
    """

    path: str
    job_kind: Literal["pose", "animate"]
    name: str
    count: int | None

    @property
    def folder(self) -> Path:
        """Where the footage lies; a folder of pictures lies in its parent."""
        return Path(self.path).parent


def resolve(kind: SourceKind, path: str) -> Footage:
    """kind: one file (photo or movie), or a sequence by its folder or by one of its numbered pictures; path: absolute.

    Errors: ``input.none``, ``input.not_found``, ``input.empty``, ``input.unknown_type``, ``input.no_number``,
    ``input.odd_name``.
    """
    if not path.strip():
        raise HmdiffError("input.none", "No footage is chosen.", "Choose a photo, a movie or a sequence of pictures.")
    place = Path(os.path.abspath(path))
    if place.is_dir():
        return _folder(place)
    if not place.exists():
        raise HmdiffError("input.not_found", f"There is no file {place}.", "Check the path, or choose it again.")
    suffix = place.suffix.lower()
    if suffix in PHOTO_SUFFIXES:
        return _numbered(place) if kind == "SEQUENCE" else Footage(str(place), "pose", place.stem, 1)
    if suffix not in MOVIE_SUFFIXES:
        raise HmdiffError(
            "input.unknown_type", f"{place.name} is neither a photo nor a movie that HMDiff knows.",
            f"Photos: {_spoken(PHOTO_SUFFIXES)}. Movies: {_spoken(MOVIE_SUFFIXES)}.",
        )  # fmt: skip
    return Footage(str(place), "animate", place.stem, None)


def frame_range(first: int, last: int, count: int | None = None) -> tuple[int, int | None]:
    """From the user's first and last frame, counted from 1 and both meant, to the protocol's [first, end). last: 0 for
    all that follow; beyond ``count`` it means the last one. Errors: ``input.range``.
    """
    if first < 1 or (last and last < first):
        raise HmdiffError(
            "input.range", f"There are no frames from {first} to {last}.",
            "Frames count from 1, and the last one may not be before the first.",
        )  # fmt: skip
    if count is not None and first > count:
        raise HmdiffError(
            "input.range", f"The footage has {count} frames; it cannot begin at frame {first}.",
            f"Choose a first frame from 1 to {count}.",
        )  # fmt: skip
    end = min(last, count) if last and count is not None else last
    return first - 1, end or None


def take_folder(blend_path: Path | None, user_folder: str | Path | None, footage: Footage) -> Path:
    """A folder that does not exist yet: in ``user_folder``, else beside the saved .blend, else beside the footage.

    Errors: ``take.not_writable``.
    """
    if user_folder:
        base = Path(os.path.abspath(os.path.expanduser(str(user_folder))))
    elif blend_path:
        base = Path(os.path.abspath(blend_path)).with_suffix(".hmdiff")
    else:
        base = footage.folder
    there = next((folder for folder in (base, *base.parents) if folder.exists()), base)
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise HmdiffError(
            "take.not_writable", f"The results cannot be written to {base}.",
            "Save the .blend somewhere you may write, or choose a folder for the results.",
        )  # fmt: skip
    name = re.sub(r"[^\w.-]+", "_", footage.name).strip("._")[:80] or "take"
    numbers = ("", *(f"-{number}" for number in range(2, 100_000)))
    return next(folder for number in numbers if not (folder := base / f"{name}{number}.take").exists())


def _folder(folder: Path) -> Footage:
    count = sum(1 for _ in _pictures(folder))
    if not count:
        raise HmdiffError(
            "input.empty", f"There are no pictures in the folder {folder.name}.",
            f"Choose a folder with pictures ({_spoken(PHOTO_SUFFIXES)}).",
        )  # fmt: skip
    return Footage(str(folder), "animate", folder.name, count)


def _numbered(picture: Path) -> Footage:
    """All pictures whose names differ in their last number only."""
    parts = _NUMBER.fullmatch(picture.stem)
    if parts is None:
        raise HmdiffError(
            "input.no_number", f"{picture.name} has no number in its name, so it is not part of a sequence.",
            "Choose a picture such as frame_0001.png, or choose it as a single photo.",
        )  # fmt: skip
    before, digits, after = parts.groups()
    same = re.compile(re.escape(before) + r"\d+" + re.escape(after + picture.suffix))
    members = [entry for entry in _pictures(picture.parent) if same.fullmatch(entry.name)]
    name = before.rstrip("._- ") or picture.parent.name
    if _PLACEHOLDER.search(before + after):
        if len(members) < sum(1 for _ in _pictures(picture.parent)):
            raise HmdiffError(
                "input.odd_name", f"The name {picture.name} holds a sign that means a number elsewhere (% # *).",
                "Rename the pictures, or put them into a folder of their own.",
            )  # fmt: skip
        return Footage(str(picture.parent), "animate", name, len(members))
    width = f"0{len(digits)}" if len(digits) > 1 else ""
    pattern = picture.with_name(f"{before}%{width}d{after}{picture.suffix}")
    return Footage(str(pattern), "animate", name, len(members))


def _pictures(folder: Path) -> list[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise HmdiffError(
            "input.unreadable", f"The folder {folder} cannot be read.", "Check its permissions.", repr(error)
        ) from error
    shown = (entry for entry in entries if not entry.name.startswith("."))
    return [entry for entry in shown if entry.suffix.lower() in PHOTO_SUFFIXES and entry.is_file()]


def _spoken(suffixes: frozenset[str]) -> str:
    return " ".join(sorted(suffix[1:] for suffix in suffixes))
