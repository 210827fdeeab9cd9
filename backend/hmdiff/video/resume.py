"""Going on with a take that an earlier run left: with its settings, its footage and its people."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import OK, STATUS_NAMES, TINY, TRUNCATED, PersonFrame, Take, TakeHeader, read_manifest
from hmdiff_wire.take_format import HYPOTHESIS_FIELDS, damaged

from .options import RunOptions
from .source import Footage

_ANYWHERE = ("device",)
"""Settings that may change between the parts of a run."""
_FROM_DISK = tuple(one.name for one in fields(PersonFrame) if one.name not in ("track_id", "status", "vertices"))


@dataclass(frozen=True)
class Earlier:
    """header of the take; options: those it was begun with, on the device that is wanted now."""

    header: TakeHeader
    options: RunOptions


def earlier_run(folder: Path, given: RunOptions) -> Earlier:
    """The settings to go on with. What ``given`` leaves at its default is the take's.

    Errors: those of ``read_manifest``, ``take.settings_differ`` where something else is asked for.
    """
    header = read_manifest(folder).header
    try:
        begun = RunOptions.from_settings(header.settings)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(folder, f"settings: {error!r}") from error
    # A preset may mean something else in another release; the rows on disk have this many.
    begun = replace(begun, device=given.device, hypotheses=header.n_hypotheses)
    plain = RunOptions()
    for name in (one.name for one in fields(RunOptions) if one.name not in _ANYWHERE):
        asked, was = _whole(getattr(given, name)), _whole(getattr(begun, name))
        if asked not in (getattr(plain, name), was):
            raise HmdiffError(
                "take.settings_differ",
                f"The take in {folder} was begun with {_spoken(name, was)}, not with {_spoken(name, asked)}.",
                "Leave the setting away to go on as it was begun, or begin a new take.",
            )
    return Earlier(header, begun)


def check_footage(header: TakeHeader, source: Footage) -> None:
    """Errors: ``take.other_footage`` unless source is what the take was made from."""
    info = source.info
    mark = source.mark()
    same = (info.kind, info.width, info.height) == (header.source_kind, header.width, header.height)
    if not same or (mark and header.source_mark and mark != header.source_mark):
        raise HmdiffError(
            "take.other_footage", f"{info.path.name} is not what this take was made from, or it has changed since.",
            f"Give {header.source_path} as it was, or begin a new take.",
            f"{info.kind} {info.width} x {info.height} {mark}; the take: {header.source_kind} "
            f"{header.width} x {header.height} {header.source_mark}",
        )  # fmt: skip


def last_rows(take: Take) -> list[PersonFrame]:
    """The latest row of each track of a raw take."""
    found = []
    for person in range(take.n_people):
        frames = np.flatnonzero(take.status[person])
        if len(frames):
            found.append(_row(take, person, int(frames[-1])))
    return found


def count_seen(take: Take) -> int:
    """Frames of a raw take in which somebody was seen, not only held."""
    return int(np.isin(take.status, (OK, TINY, TRUNCATED)).any(0).sum())


def people_in(take: Take) -> tuple[int, ...]:
    """Track ids with a body."""
    return tuple(int(track) for person, track in enumerate(take.track_ids) if (take.status[person] >= OK).any())


def _row(take: Take, person: int, at: int) -> PersonFrame:
    values = {name: take.read(name, person, at)[0] for name in _FROM_DISK}
    count = int(np.isfinite(values["hypotheses_score"]).sum())
    for name in HYPOTHESIS_FIELDS:
        values[f"hypotheses_{name}"] = values[f"hypotheses_{name}"][:count]
    if not np.isfinite(values["vertex_std"]).any():
        values["vertex_std"] = values["vertex_std"][:0]
    vertices = take.read("vertices", person, at)[0] if take.has_vertices else None
    if vertices is not None and not np.isfinite(vertices).any():
        vertices = None
    return PersonFrame(int(take.track_ids[person]), STATUS_NAMES[take.status[person, at]], **values, vertices=vertices)


def _whole(value: object) -> object:
    return value.resolve() if isinstance(value, Path) else value


def _spoken(name: str, value: object) -> str:
    words = {"raw_vertices": "stored vertices", "frame_range": "frame range"}.get(name, name)
    return f"the {words} {value}" if value not in (None, ()) else f"no {words}"
