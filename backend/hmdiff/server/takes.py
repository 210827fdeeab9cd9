"""What clients ask of takes on disk: meshes, files, and frames they missed. Runs in the background thread."""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Decode, Fetch, FrameResult, Meshes, Piece
from hmdiff_wire.take import Take, read_take
from hmdiff_wire.take_format import MANIFEST, VERSIONS
from hmdiff_wire.take_version import parent_of

from .rows import changed_frames, stored_frames

PIECE_BYTES = 256 * 1024
MESH_BYTES = 512 * 1024
OPEN_TAKES = 4


class Takes:
    """Opens takes and keeps the last few open, until they have grown."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[Path, bool], tuple[tuple[int, ...], Take]] = OrderedDict()

    def open(self, folder: Path, raw: bool) -> Take:
        """Errors: those of ``read_take``."""
        key, seen = (folder, raw), _looks(folder)
        if key in self._open and self._open[key][0] == seen:
            self._open.move_to_end(key)
            return self._open[key][1]
        take = read_take(folder, raw)
        self._open[key] = (seen, take)
        self._open.move_to_end(key)
        while len(self._open) > OPEN_TAKES:
            self._open.popitem(last=False)
        return take

    def frames(self, folder: Path, job: str, first: int, last: int, refined: bool = False) -> Iterator[FrameResult]:
        """Raw rows of the frames whose index is in first..last, both included; of a refined take, what it changed."""
        if refined:
            parent = parent_of(folder)
            before = self.open(folder if parent is None else parent, raw=False)
            stored = changed_frames(self.open(folder, raw=False), before, first, last)
        else:
            stored = stored_frames(self.open(folder, raw=True), first, last)
        for index, seconds, arrays in stored:
            yield FrameResult(job, index, seconds, arrays)

    def meshes(self, folder: Path, asked: Decode) -> Iterator[Meshes]:
        """Errors: ``take.no_person``, ``take.no_hypothesis``, ``take.no_frames``, those of ``read_take``."""
        take = self.open(folder, raw=False)
        person = _person(take, asked)
        first, end = asked.first, min(asked.end, take.n_frames)
        positions = first + np.flatnonzero(take.valid[person, first:end])
        step = max(1, MESH_BYTES // (12 * take.n_vertices))
        hypothesis = None if asked.hypothesis < 0 else asked.hypothesis
        for at in range(0, max(1, len(positions)), step):
            part = positions[at : at + step]
            vertices = take.decode(person, part, hypothesis)
            known = np.isfinite(vertices).all((1, 2))
            part, vertices = part[known], vertices[known]
            arrays = {
                "position": part.astype("<i4"), "index": take.frame_indices[part].astype("<i4"),
                "time": take.times[part].astype("<f8"), "vertices": vertices,
            }  # fmt: skip
            if at == 0:
                arrays["faces"] = take.body.faces.astype("<i4")
            yield Meshes(asked.job, asked.track_id, asked.hypothesis, at + step >= len(positions), arrays)


def piece(folder: Path, asked: Fetch) -> Iterator[Piece]:
    """The bytes of one file of the take from an offset on, or of the list of its files.

    Errors: ``take.not_found``, ``take.no_file``.
    """
    if not (folder / MANIFEST).is_file():
        raise HmdiffError("take.not_found", f"There is no take in {folder}.", "It may not have begun yet.")
    if asked.name == "":
        listed = json.dumps(dict(_files(folder)), ensure_ascii=False).encode()
        size, data = len(listed), listed[max(asked.offset, 0) :][:PIECE_BYTES]
    else:
        path = _inside(folder, asked.name)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(asked.offset, 0))
            data = file.read(PIECE_BYTES)
    yield Piece(asked.job, asked.name, max(asked.offset, 0), size, {"data": np.frombuffer(data, np.uint8)})


def _files(folder: Path, inside: str = "") -> Iterator[tuple[str, int]]:
    """Names and sizes of plain files; links, what is half-written and other versions of the take left out."""
    with os.scandir(folder / inside) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            name = f"{inside}{entry.name}"
            if entry.name.endswith(".tmp") or name == VERSIONS:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(folder, f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                yield name, entry.stat(follow_symlinks=False).st_size


def _inside(folder: Path, name: str) -> Path:
    """A name in the take as a path that cannot lead out of it, by dots, drives or links."""
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") and not set(part) & set("\\:\0") for part in parts)
    path = folder.joinpath(*parts) if plain and len(name) < 500 else None
    try:
        good = path is not None and path.is_file() and path.resolve() == folder.resolve().joinpath(*parts)
    except (OSError, ValueError):
        good = False
    if path is None or not good:
        raise HmdiffError(
            "take.no_file", f"The take has no file {name[:200]!r}.", 'Fetch the name "" for the list of its files.'
        )
    return path


def _person(take: Take, asked: Decode) -> int:
    tracks = take.track_ids.tolist()
    if asked.track_id not in tracks:
        raise HmdiffError(
            "take.no_person", f"Person {asked.track_id} is not in the take.",
            f"It has {', '.join(map(str, tracks)) or 'nobody yet'}.",
        )  # fmt: skip
    if asked.hypothesis >= take.n_hypotheses:
        raise HmdiffError(
            "take.no_hypothesis", f"The take has no hypothesis {asked.hypothesis}.",
            f"They count from 0, and it has {take.n_hypotheses}; -1 is the estimate.",
        )  # fmt: skip
    if not 0 <= asked.first <= asked.end:
        raise HmdiffError(
            "take.no_frames", f"{asked.first} to {asked.end} is no range of frames.",
            "Give positions from 0, the end not included.",
        )  # fmt: skip
    return tracks.index(asked.track_id)


def _looks(folder: Path) -> tuple[int, ...]:
    """What changes with every chunk and track that is added."""
    try:
        seen = os.stat(folder / MANIFEST)
    except OSError:
        return ()
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
