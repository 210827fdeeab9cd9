"""Writing clips to files that other programs read: one file of this folder per format.

What is exported is what the artist sees of the clip, sampled at the take's own rate (``sampled``), set up in a scene of
its own (``staged``), so that nothing of the artist's file is touched, and written by Blender's exporters.
"""

from __future__ import annotations

from pathlib import Path

from hmdiff_wire.errors import HmdiffError

from .formats import FORMATS, SUFFIXES, WORDS, checked_suffix, format_of
from .wish import What, Wish

__all__ = ["FORMATS", "SUFFIXES", "WORDS", "What", "Wish", "checked_suffix", "export", "format_of"]


def export(path: Path, wish: Wish | None = None) -> list[Path]:
    """Write the file its suffix asks for; returns the files written (one per person where a format holds but one).

    Errors: ``export.suffix``, ``export.what``, ``export.nothing``, ``export.too_long``, ``export.failed``.
    """
    wish = wish or Wish()
    form = format_of(path)
    if wish.what is not None and wish.what not in form.holds:
        raise HmdiffError(
            "export.what", f"{form.label} cannot hold {WORDS[wish.what]}.",
            f"Choose {' or '.join(WORDS[what] for what in form.holds)}, or another format.",
        )  # fmt: skip
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = form.write(path, wish)
    except (RuntimeError, OSError) as error:
        raise _failed(path, str(error)) from error
    missing = [one for one in written if not one.is_file()]
    if missing:
        raise _failed(missing[0], "the exporter has left no file")
    return written


def _failed(path: Path, detail: str) -> HmdiffError:
    return HmdiffError(
        "export.failed", f"{path.name} could not be written.",
        "Check that the folder can be written to and that the disk has room.", detail,
    )  # fmt: skip
