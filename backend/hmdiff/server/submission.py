"""A Submit before it may enter the queue: its paths held against the roots, its take chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Submit
from hmdiff_wire.take import read_manifest
from hmdiff_wire.take_format import MANIFEST
from hmdiff_wire.take_version import next_version

from . import access, options
from .feed import check_stream


def checked(
    asked: Submit, roots: tuple[Path, ...], uploaded: Callable[[str], Path], is_written: Callable[[Path], bool]
) -> Submit:
    """With absolute, allowed paths; ``take`` is "" where none is written. uploaded: the file of a job that sent one;
    is_written: whether another job is to write that take.

    Errors: ``input.relative``, ``input.outside_roots``, ``take.missing``, those of ``read_manifest`` for a take to go
    on with or to refine, ``protocol.malformed`` for a stream without a size, ``options.bad`` for a refinement of
    anything but a path, those of ``uploaded``.
    """
    if asked.kind == "refine" and (asked.input != "path" or asked.resume):
        raise HmdiffError(
            "options.bad", "A refinement takes the path of a take and cannot be resumed.", "Send it as a new job."
        )
    if asked.input == "path":
        source, beside = access.allowed(asked.source, roots), None
    elif asked.input == "upload":
        source, beside = uploaded(asked.job), roots[0]
    else:
        check_stream(asked.stream)
        source, beside = Path(Path(asked.source.replace("\\", "/")).name or "frames"), roots[0]
    if asked.kind == "refine":
        read_manifest(source)
    if asked.kind == "people" or (asked.kind == "refine" and asked.options.get("write") is False):
        take = ""
    elif asked.take:
        take = str(access.allowed(asked.take, roots))
    elif asked.kind == "refine":
        # A version links to files of its original, so a link that leads out of the roots is followed before.
        take = str(access.allowed(str(next_version(source, is_written)), roots))
    else:
        take = str(access.default_take(source, asked.job, beside))
    if asked.resume and take:
        _check_resumable(asked.take, take)
    named = {
        name: str(access.allowed(str(asked.options[name]), roots))
        for name in options.PATHS
        if asked.options.get(name) is not None
    }
    outputs = tuple(str(access.allowed(path, roots)) for path in asked.outputs)
    return replace(asked, source=str(source), take=take, outputs=outputs, options={**asked.options, **named})


def _check_resumable(named: str, take: str) -> None:
    if not named or not (Path(take) / MANIFEST).is_file():
        where = f"in {take}" if named else "without its folder's name"
        raise HmdiffError(
            "take.missing", f"There is no take to go on with {where}.",
            "Name the folder an earlier run left, or send the job without `resume`.",
        )  # fmt: skip
    read_manifest(Path(take))
