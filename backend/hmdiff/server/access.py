"""Which paths a client may name: those below the folders the server was started with, symbolic links followed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take_format import MANIFEST

LONGEST_PATH = 4096


def check_roots(roots: Sequence[Path]) -> tuple[Path, ...]:
    """The roots as absolute paths, each as given and as resolved. Errors: ``usage``, ``input.not_folder``."""
    if not roots:
        raise HmdiffError(
            "usage", "No folder is given that the backend may use.", "Add --root FOLDER, as often as needed."
        )
    for root in roots:
        if not root.is_dir():
            raise HmdiffError("input.not_folder", f"{root} is not a folder.", "Give --root a folder that exists.")
    return tuple(dict.fromkeys(path for root in roots for path in (Path(os.path.abspath(root)), root.resolve())))


def allowed(text: str, roots: Sequence[Path]) -> Path:
    """A client's path, resolved; it need not exist.

    The name alone is judged first, so that nothing outside is touched (on Windows a look at \\\\host\\share already
    sends the user's credentials), then where its links lead. Errors: ``input.relative``, ``input.outside_roots``.
    """
    if not text or len(text) > LONGEST_PATH or "\0" in text or not os.path.isabs(text):
        raise HmdiffError(
            "input.relative",
            f"{text[:200]!r} is not an absolute path.",
            "Send the whole path, from the root or drive on.",
        )
    named = Path(os.path.abspath(text))
    if any(named.is_relative_to(root) for root in roots):
        try:
            real = named.resolve()
        except (OSError, ValueError, RuntimeError):  # a circle of links, a name the file system cannot hold
            real = None
        if real is not None and any(real.is_relative_to(root) for root in roots):
            return real
    raise HmdiffError(
        "input.outside_roots", f"{text[:400]} is not in a folder this backend may use.",
        f"Start it with `--root` and that folder, or move the file below {roots[0]}.",
    )  # fmt: skip


def default_take(source: Path, job: str, folder: Path | None = None) -> Path:
    """Beside the footage, inside it where it is a folder, or in ``folder`` where the footage only has a name."""
    stem = re.sub(r"[^\w.-]+", "_", source.stem)[:80]
    if folder is not None:
        return folder / f"{stem}-{job}.take"
    return source / f"{job}.take" if source.is_dir() else source.with_name(f"{stem}-{job}.take")


def kept_take(take: str) -> str:
    """The take's folder if a run left something readable there, else ""."""
    return take if take and (Path(take) / MANIFEST).is_file() else ""
