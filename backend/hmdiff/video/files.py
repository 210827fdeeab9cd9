"""Output files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hmdiff_wire.errors import HmdiffError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a name beside ``path`` to write to, which takes its place at the end; after an error nothing is left.

    Nothing written means nothing replaced. Errors: ``disk.full``, ``output.not_writable`` for any other OSError inside.
    """
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.exists():
            os.replace(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            raise HmdiffError(
                "disk.full", f"The disk that {path} is to be written to is full.",
                "Make some room and ask for the file again; the take itself is complete.", repr(error),
            ) from error  # fmt: skip
        raise HmdiffError(
            "output.not_writable",
            f"{path} cannot be written.",
            "Choose a folder you may write to, on a disk with free space.",
            repr(error),
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
