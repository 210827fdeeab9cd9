"""Takes that are open already: reading one costs tens of milliseconds, and pickers and painters ask at every frame."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take, read_take
from hmdiff_wire.take_format import MANIFEST, VERSIONS
from hmdiff_wire.take_version import original_of, version_name

from . import naming
from .reading import in_background

KEPT = 6
Key = tuple[str, int, bool]
_opened: dict[Key, Take] = {}
_changing = threading.Lock()


def folder_of(root: Any, version: int = 0) -> Path:
    """The folder of a clip's take; version: 0 the one it was imported from, 1 the original, from 2 on refined ones.

    Errors: ``take.missing``.
    """
    folder = naming.folder_of(root)
    if folder is not None and version > 0:
        folder = original_of(folder)
    if folder is not None and version > 1:
        folder = folder / VERSIONS / version_name(version)
    if folder is None or not (folder / MANIFEST).is_file():
        raise HmdiffError(
            "take.missing", "The folder with this clip's take is gone.",
            "Put it back, or run the clip again.", str(folder),
        )  # fmt: skip
    return folder


def iter_open(root: Any, version: int = 0, raw: bool = False) -> Generator[object, None, Take]:
    """The take of a clip's root, WAIT until it is read. Errors: ``take.missing``, those of reading."""
    folder = folder_of(root, version)
    key = _key(folder, raw)
    if key not in _opened:
        return _keep(key, (yield from in_background(lambda: _read(folder, raw))))
    return _opened[key]


def open_now(root: Any, version: int = 0) -> Take:
    """The same at once, for buttons. Errors: as ``iter_open``."""
    return read_here(folder_of(root, version))


def read_here(folder: Path) -> Take:
    """At once, in whatever thread this is. Errors: those of reading."""
    key = _key(folder, False)
    if key not in _opened:
        return _keep(key, _read(folder, False))
    return _opened[key]


def forget() -> None:
    """Another file is loaded."""
    _opened.clear()


def _read(folder: Path, raw: bool) -> Take:
    take = read_take(folder, raw=raw)
    _ = take.body
    return take


def _key(folder: Path, raw: bool) -> Key:
    return str(folder), (folder / MANIFEST).stat().st_mtime_ns, raw


def _keep(key: Key, take: Take) -> Take:
    with _changing:
        while len(_opened) >= KEPT:
            _opened.pop(next(iter(_opened)))
        _opened[key] = take
    return take
