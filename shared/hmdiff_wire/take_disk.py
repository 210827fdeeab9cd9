"""What writing and resuming a take need of the disk: errors as sentences, chunks that are whole, the state to go on."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .body import load_body
from .errors import HmdiffError
from .take_format import CHUNKS, STATE_FILE, chunk_name, damaged, file_sha256, load_array

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_KNOWN_BODIES = 8
_known_bodies: dict[str, int] = {}


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise HmdiffError(
                "disk.full", f"The disk that holds {folder} is full.",
                "Make some room and resume the take: what was finished is kept.", repr(error),
            ) from error  # fmt: skip
        raise HmdiffError(
            "take.not_writable",
            f"The folder {folder} cannot be written.",
            "Choose a folder you may write to, on a disk with free space; a take that was begun can be resumed.",
            repr(error),
        ) from error


def chunk_path(folder: Path, number: int) -> Path:
    return folder / CHUNKS / chunk_name(number)


def count_vertices(body_file: Path) -> int:
    """Looks into a body once: a worker writes many takes with the same one. Errors as ``load_body``."""
    if not body_file.is_file():
        return load_body(body_file).n_vertices
    digest = file_sha256(body_file)
    if digest not in _known_bodies:
        while len(_known_bodies) >= _KNOWN_BODIES:
            _known_bodies.pop(next(iter(_known_bodies)))
        _known_bodies[digest] = load_body(body_file).n_vertices
    return _known_bodies[digest]


def write_state(chunk: Path, state: Mapping[str, Any] | None) -> None:
    if state is None:
        return
    with open(chunk / STATE_FILE, "w", encoding="utf-8", newline="\n") as file:
        json.dump(state, file, ensure_ascii=False, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())


def read_state(folder: Path, number: int) -> Mapping[str, Any] | None:
    """Without one, or with a damaged one, a run can still go on the long way."""
    if number < 0:
        return None
    try:
        state = json.loads((chunk_path(folder, number) / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def chunk_end(folder: Path, number: int) -> tuple[int, float] | None:
    """(last frame index, its time), or None where any file of the chunk cannot be read whole."""
    try:
        arrays = {path.stem: load_array(path, mapped=True) for path in chunk_path(folder, number).glob("*.npy")}
        n_rows = len(arrays["index"])
        whole = len(arrays["frames"]) > 0 and len(arrays["rows"]) == n_rows
        for name in ("vertex_std", "hypotheses", "vertices"):
            whole = whole and (name not in arrays or len(arrays[name]) == n_rows)
        return (int(arrays["frames"][-1, 0]), float(arrays["frames"][-1, 1])) if whole else None
    except (OSError, ValueError, EOFError, KeyError, IndexError):
        return None


def count_frames(folder: Path, n_chunks: int) -> int:
    """Frames of the first chunks. Errors: ``take.damaged``."""
    try:
        return sum(
            len(load_array(chunk_path(folder, number) / "frames.npy", mapped=True)) for number in range(n_chunks)
        )
    except (OSError, ValueError, EOFError) as error:
        raise damaged(folder, repr(error)) from error


def remove_others(folder: Path, keep: set[str]) -> None:
    if not folder.is_dir():
        raise damaged(folder.parent, f"{folder.name} is missing")
    for entry in folder.iterdir():
        if entry.name not in keep:
            shutil.rmtree(entry, ignore_errors=True)
