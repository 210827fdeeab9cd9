"""From what the user names to a batch: a folder, a text file with paths, or a batch.json, Blender's queue included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from hmdiff_wire.batch import Batch, Entry, added, free_take, read_batch
from hmdiff_wire.errors import HmdiffError

from ..video.sequence import PHOTO_SUFFIXES, is_pattern, natural_key

MOVIE_SUFFIXES = {
    ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".gif",
}  # fmt: skip
BATCH_FILE = "batch.json"


def plan(footage: Path, out: Path, options: Mapping[str, Any], known: Batch | None = None) -> Batch:
    """A new batch, or that of a .json file with its own options and takes.

    footage: a folder (its videos and photos, and each folder of pictures in it as one clip), a text file with a path
    per line (``#`` begins a comment; a preset may follow after a tab), or a .json; out: where takes go; options: for
    all; known: the batch so far, to which only new clips are added.
    Errors: ``input.not_found``, ``batch.empty``, those of ``read_batch``.
    """
    if footage.suffix.lower() == ".json":
        return read_batch(footage)
    if not footage.exists():
        raise HmdiffError("input.not_found", f"There is no {footage}.", "Name a folder or a text file with paths.")
    named = _in_folder(footage, out) if footage.is_dir() else _in_list(footage)
    batch = known or Batch(name=footage.stem if footage.is_file() else footage.resolve().name)
    there = {entry.source for entry in batch.entries}
    for path, preset in named:
        if str(path) in there:
            continue
        photo = path.suffix.lower() in PHOTO_SUFFIXES and not path.is_dir() and not is_pattern(path)
        kind: Literal["animate", "pose"] = "pose" if photo else "animate"
        mine = {**options, **({"preset": preset} if preset else {})}
        if kind == "pose":
            mine.pop("smooth", None)
        label = path.name if path.is_dir() else path.stem
        entry = Entry(str(path), str(free_take(out, label, batch)), kind, label, mine)
        batch = added(batch, [entry])
    if not batch.entries:
        raise HmdiffError(
            "batch.empty", f"There is no footage in {footage}.", "Name a folder with videos, photos or picture folders."
        )
    return batch


def _in_folder(folder: Path, out: Path) -> Iterator[tuple[Path, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: natural_key(entry.name)):
        if entry.name.startswith(".") or entry.resolve() == out.resolve():
            continue
        if entry.is_dir():
            if entry.suffix != ".take" and _is_sequence(entry):
                yield entry.resolve(), ""
        elif entry.suffix.lower() in MOVIE_SUFFIXES | PHOTO_SUFFIXES:
            yield entry.resolve(), ""


def _is_sequence(folder: Path) -> bool:
    suffixes = [entry.suffix.lower() for entry in folder.iterdir() if entry.is_file()]
    return sum(suffix in PHOTO_SUFFIXES for suffix in suffixes) > 1 and not MOVIE_SUFFIXES.intersection(suffixes)


def _in_list(file: Path) -> Iterator[tuple[Path, str]]:
    """Paths that do not exist are kept: they become failures of the batch, not its end."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HmdiffError(
            "batch.foreign", f"{file.name} is not a text file with a path per line.",
            "Name a folder, such a text file, or a batch.json.", repr(error),
        ) from error  # fmt: skip
    for line in lines:
        text, _, preset = line.partition("\t")
        if text.strip() and not text.lstrip().startswith("#"):
            path = Path(text.strip().strip("\"'")).expanduser()
            path = path if path.is_absolute() else file.resolve().parent / path
            yield (path if is_pattern(path) else path.resolve()), preset.strip()
