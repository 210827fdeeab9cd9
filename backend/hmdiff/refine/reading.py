"""A request of refinement from JSON (the server's options, ``version.json``) and edits from files. Imports no torch."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hmdiff_wire.body import JOINT_NAMES
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.landmarks import LANDMARK_NAMES

from .request import METHODS, N_LANDMARKS, ONLY_PERSON, QUALITIES, Choice, KeypointEdit, Lock, RefineRequest

LARGEST = 10**9
_LANDMARK = "landmark:"


def read_request(options: Mapping[str, Any]) -> RefineRequest:
    """Options by name, null as if left out. Errors: ``options.unknown``, ``options.bad``, ``refine.joint`` for a name
    that is none, ``refine.keypoints`` for a file of edits that cannot be read.
    """
    for name in options:
        if name not in _READERS and name != "keypoints":
            known = ", ".join(("edits", "keypoints", *(one for one in _READERS if one != "edits")))
            raise HmdiffError("options.unknown", f"There is no option {name[:60]!r}.", f"Options are {known}.")
    given = {name: value for name, value in options.items() if value is not None and name in _READERS}
    values = {name: _READERS[name](name, value) for name, value in given.items()}
    if options.get("keypoints") is not None:
        if not isinstance(options["keypoints"], str | Path):
            raise _bad("keypoints", "a path")
        values["edits"] = (*read_edits_file(Path(options["keypoints"])), *values.get("edits", ()))
    return RefineRequest(**values)


def read_edits_file(path: Path) -> tuple[KeypointEdit, ...]:
    """``.json``: a list of edits; ``.csv``: a header line with their names. Errors: ``refine.keypoints``,
    ``refine.joint``.
    """
    try:
        if path.suffix.lower() == ".csv":
            with open(path, encoding="utf-8-sig", newline="") as file:
                entries: Any = [_from_csv(line) for line in csv.DictReader(file)]
        else:
            entries = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise _bad_file(path, "cannot be read", repr(error)) from error
    if isinstance(entries, dict) and "edits" in entries:
        entries = entries["edits"]
    if not isinstance(entries, list):
        raise _bad_file(path, "holds no list of edits")
    found = []
    for number, entry in enumerate(entries, start=1):
        try:
            found.append(edit_from(entry))
        except HmdiffError as error:
            raise HmdiffError(
                "refine.joint" if error.kind == "refine.joint" else "refine.keypoints",
                f"{path.name}, edit {number}: {error.message}", error.fix,
            ) from error  # fmt: skip
    return tuple(found)


def edit_from(entry: Any) -> KeypointEdit:
    """Errors: ``options.bad``, ``refine.joint``."""
    known = ("frame", "track_id", "joint", "x", "y", "confidence", "remove")
    if not isinstance(entry, Mapping) or not {"frame", "joint"} <= set(entry) <= set(known):
        raise _bad("edits", f"a list of objects with {', '.join(known)}")
    remove = _flag("remove", entry.get("remove") or False)
    frame, track = _whole("frame", entry["frame"]), _only(entry)
    point = point_from(entry["joint"])
    if remove:
        return KeypointEdit(frame, track, point, remove=True)
    confidence = entry.get("confidence")
    confidence = 1.0 if confidence is None else _number("confidence", confidence)
    if not 0 <= confidence <= 1:
        raise _bad("confidence", "a number from 0 to 1")
    return KeypointEdit(frame, track, point, _number("x", entry.get("x")), _number("y", entry.get("y")), confidence)


def point_from(joint: Any) -> int:
    """``left_wrist`` or 20 -> 33 + 20, ``landmark:left_wrist`` or ``landmark:15`` -> 15. Errors: ``refine.joint``."""
    text = str(joint).strip().lower().replace(" ", "_")
    landmark = text.startswith(_LANDMARK)
    names, text = (LANDMARK_NAMES, text[len(_LANDMARK) :]) if landmark else (JOINT_NAMES, text)
    number = int(text) if text.isdecimal() else names.index(text) if text in names else -1
    if isinstance(joint, bool) or not 0 <= number < len(names):
        other = "landmark:" + text if not landmark and text in LANDMARK_NAMES else ""
        raise HmdiffError(
            "refine.joint", f"There is no joint {str(joint)[:60]!r}.",
            f"Did you mean {other!r}?" if other else f"Joints are {', '.join(names)}.",
        )  # fmt: skip
    return number if landmark else N_LANDMARKS + number


def _from_csv(line: Mapping[str | None, Any]) -> dict[str, Any]:
    """Text to numbers where it is one; empty cells are left out."""
    found: dict[str, Any] = {}
    for name, text in line.items():
        if name is None or text is None:
            raise ValueError(f"a line has {'more' if name is None else 'fewer'} cells than the header")
        name, text = name.strip(), text.strip()
        if text == "":
            continue
        if name in ("frame", "track_id"):
            found[name] = int(text)
        elif name in ("x", "y", "confidence"):
            found[name] = float(text)
        elif name == "remove":
            found[name] = text.lower() in ("1", "true", "yes")
        else:
            found[name] = text
    return found


def _bad(name: str, wanted: str) -> HmdiffError:
    return HmdiffError("options.bad", f"The option {name} is not {wanted}.", "Correct it and send the job again.")


def _bad_file(path: Path, what: str, detail: str = "") -> HmdiffError:
    return HmdiffError(
        "refine.keypoints", f"The file of keypoints {path} {what}.",
        'Give a .json with a list of {"frame", "track_id", "joint", "x", "y"} or a .csv with those columns.', detail,
    )  # fmt: skip


def _whole(name: str, value: Any, low: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= LARGEST:
        raise _bad(name, f"a whole number from {low} on")
    return value


def _number(name: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise _bad(name, "a number")
    return float(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _bad(name, "true or false")
    return value


def _seconds(name: str, value: Any) -> float:
    if _number(name, value) < 0:
        raise _bad(name, "a number of seconds, 0 or more")
    return float(value)


def _entries(name: str, value: Any, names: tuple[str, ...]) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) and set(one) <= set(names) for one in value):
        raise _bad(name, f"a list of objects with {', '.join(names)}")
    return value


def _edits(name: str, value: Any) -> tuple[KeypointEdit, ...]:
    if not isinstance(value, list):
        raise _bad(name, "a list")
    return tuple(edit_from(one) for one in value)


def _locks(name: str, value: Any) -> tuple[Lock, ...]:
    entries = _entries(name, value, ("frame", "track_id"))
    return tuple(Lock(_whole("lock frame", one.get("frame")), _person(one)) for one in entries)


def _choices(name: str, value: Any) -> tuple[Choice, ...]:
    found = []
    for one in _entries(name, value, ("frame", "end", "track_id", "hypothesis")):
        frame = _whole("choose frame", one.get("frame"))
        end = frame + 1 if one.get("end") is None else _whole("choose end", one["end"])
        if end <= frame:
            raise _bad("choose", "from a frame to a later one")
        found.append(Choice(frame, end, _whole("choose hypothesis", one.get("hypothesis"), -1), _person(one)))
    return tuple(found)


def _only(entry: Mapping[str, Any]) -> int:
    track = _person(entry)
    return ONLY_PERSON if track is None else track


def _person(entry: Mapping[str, Any]) -> int | None:
    return None if entry.get("track_id") is None else _whole("track_id", entry["track_id"])


def _range(name: str, value: Any) -> tuple[int, int | None]:
    if not isinstance(value, list) or len(value) != 2:
        raise _bad(name, "[first, end], end null or the frame after the last one")
    first, end = _whole(name, value[0]), None if value[1] is None else _whole(name, value[1])
    if end is not None and end <= first:
        raise _bad(name, "[first, end], end null or the frame after the last one")
    return first, end


def _tracks(name: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise _bad(name, "a list of people")
    return tuple(_whole(name, one) for one in value)


def _one_of(words: tuple[str, ...]) -> Callable[[str, Any], str]:
    def read(name: str, value: Any) -> str:
        if value not in words:
            raise _bad(name, f"one of {', '.join(words)}")
        return value

    return read


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "edits": _edits, "spread": _whole, "frame_range": _range, "track_ids": _tracks, "lock": _locks, "choose": _choices,
    "smooth": _seconds, "feet": _flag, "floor": _flag, "detections": _flag, "focal": _flag,
    "method": _one_of(METHODS), "quality": _one_of(QUALITIES), "forget": _flag, "write": _flag,
    "vertices": _flag,
}  # fmt: skip
