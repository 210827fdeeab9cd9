"""Whether footage is still what it was, without reading all of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from .frames import not_footage

_PART = 1 << 20


def file_mark(path: Path) -> str:
    """From the size and both ends of a file; a copy under another name has the same. Errors: ``input.unreadable``."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest.update(file.read(_PART))
            file.seek(max(size - _PART, 0))
            digest.update(file.read(_PART))
    except OSError as error:
        raise not_footage(path, repr(error)) from error
    return f"file-{size}-{digest.hexdigest()[:24]}"


def files_mark(files: Sequence[Path]) -> str:
    """From names and sizes of the pictures of a sequence. Errors: ``input.unreadable``."""
    digest = hashlib.sha256()
    for path in files:
        try:
            digest.update(f"{path.name}\0{path.stat().st_size}\n".encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise not_footage(path, repr(error)) from error
    return f"files-{len(files)}-{digest.hexdigest()[:24]}"
