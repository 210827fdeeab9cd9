"""A batch: many clips to be worked off one after another, as one JSON file (docs/batch.md).

The add-on's queue and `hmdiff batch` read and write the same. All changes are functions from a Batch to a Batch;
``read_batch`` and ``write_batch`` are the only ones that touch the disk.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from .errors import HmdiffError
from .take_format import MANIFEST

FORMAT, VERSION = "hmdiff.batch", 1
EntryState = Literal["waiting", "running", "done", "failed", "stopped"]
NOT_TO_GO_ON_WITH = ("take.other_footage", "take.settings_differ", "take.damaged", "take.foreign", "take.newer")
"""Why a take cannot be gone on with; one of them is left as it is, and the clip begins anew."""
STATES: tuple[EntryState, ...] = get_args(EntryState)


@dataclass(frozen=True)
class Entry:
    """One clip. source: file, folder or pattern; kind: ``animate`` or ``pose``; options: as in a Submit message; take:
    the folder its result goes to, and is gone on with where something is there; problem: why it failed, as
    ``HmdiffError.to_dict``; seconds: spent so far; quality: figures of a finished take.
    """

    source: str
    take: str
    kind: Literal["animate", "pose"] = "animate"
    label: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    state: EntryState = "waiting"
    problem: Mapping[str, Any] | None = None
    seconds: float = 0.0
    quality: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @property
    def name(self) -> str:
        return self.label or Path(self.source).stem

    @property
    def begun(self) -> bool:
        """Something is in its take to go on with (looks at the disk)."""
        return bool(self.take) and (Path(self.take) / MANIFEST).is_file()


@dataclass(frozen=True)
class Batch:
    """entries: in the order they are worked off; paused: nothing new is begun; owner: process id of who works on it."""

    name: str = ""
    entries: tuple[Entry, ...] = ()
    paused: bool = True
    owner: int = 0

    def find(self, entry_id: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.id == entry_id), None)

    @property
    def next_waiting(self) -> Entry | None:
        return next((entry for entry in self.entries if entry.state == "waiting"), None)

    def count(self, *states: EntryState) -> int:
        return sum(entry.state in states for entry in self.entries)


def added(batch: Batch, entries: Iterable[Entry]) -> Batch:
    return replace(batch, entries=(*batch.entries, *entries))


def changed(batch: Batch, entry_id: str, **changes: Any) -> Batch:
    entries = tuple(replace(entry, **changes) if entry.id == entry_id else entry for entry in batch.entries)
    return replace(batch, entries=entries)


def removed(batch: Batch, entry_id: str) -> Batch:
    """Without it; its take stays on disk. One that is being worked on stays."""
    kept = tuple(entry for entry in batch.entries if entry.id != entry_id or entry.state == "running")
    return replace(batch, entries=kept)


def moved(batch: Batch, entry_id: str, by: int) -> Batch:
    """by: places down, negative for up; as far as there are places."""
    entries = list(batch.entries)
    at = next((number for number, entry in enumerate(entries) if entry.id == entry_id), None)
    if at is not None:
        entries.insert(min(max(at + by, 0), len(entries) - 1), entries.pop(at))
    return replace(batch, entries=tuple(entries))


def retried(batch: Batch, entry_id: str) -> Batch:
    """Once more; what is in its take is gone on with, or left aside in a new one where it cannot be. One that is
    waiting, in work, or done with its take still there stays as it is.
    """
    entry = batch.find(entry_id)
    lost = entry is not None and entry.state == "done" and not entry.begun
    if entry is None or not (lost or entry.state in ("failed", "stopped")):
        return batch
    take = entry.take
    if entry.problem and entry.problem.get("kind") in NOT_TO_GO_ON_WITH:
        take = str(free_take(Path(take).parent, entry.name, batch))
    return changed(batch, entry_id, state="waiting", problem=None, take=take)


def recovered(batch: Batch) -> Batch:
    """After whoever worked on it has gone: what was being worked on waits again, and nothing starts by itself."""
    entries = tuple(replace(one, state="waiting") if one.state == "running" else one for one in batch.entries)
    return replace(batch, entries=entries, paused=True, owner=0)


def free_take(folder: Path, name: str, batch: Batch) -> Path:
    """A folder for a new take that neither exists nor belongs to another entry."""
    taken = {os.path.normcase(entry.take) for entry in batch.entries}
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:80] or "take"
    number, path = 1, folder / f"{plain}.take"
    while path.exists() or os.path.normcase(str(path)) in taken:
        number += 1
        path = folder / f"{plain}-{number}.take"
    return path


def read_batch(path: Path) -> Batch:
    """Errors: ``batch.missing``, ``batch.foreign``, ``batch.newer``."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise HmdiffError("batch.missing", f"There is no batch {path}.", "Check the path.") from error
    except (OSError, ValueError) as error:
        raise _foreign(path, repr(error)) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise _foreign(path, "no hmdiff.batch")
    if data.get("version") != VERSION:
        raise HmdiffError(
            "batch.newer", f"{Path(path).name} was written by another release of HMDiff.",
            "Use that release, or begin a new batch.", f"version {data.get('version')}",
        )  # fmt: skip
    try:
        entries = tuple(_entry(one) for one in data["entries"])
        return Batch(str(data.get("name", "")), entries, bool(data.get("paused", True)), int(data.get("owner", 0)))
    except (KeyError, TypeError, ValueError) as error:
        raise _foreign(path, repr(error)) from error


def write_batch(path: Path, batch: Batch) -> None:
    """In one step, so that there is always a whole one. Raises OSError."""
    data = {"format": FORMAT, "version": VERSION, **asdict(batch)}
    temporary = Path(path).with_name(f"{Path(path).name}.{os.getpid()}.part")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _entry(data: Mapping[str, Any]) -> Entry:
    known = {one.name for one in fields(Entry)}
    entry = Entry(**{name: value for name, value in data.items() if name in known})
    whole = isinstance(entry.source, str) and isinstance(entry.take, str) and isinstance(entry.options, Mapping)
    if entry.state not in STATES or entry.kind not in ("animate", "pose") or not whole or not isinstance(entry.id, str):
        raise ValueError(f"entry {data}")
    return entry


def _foreign(path: Path, why: str) -> HmdiffError:
    return HmdiffError(
        "batch.foreign", f"{Path(path).name} is not a batch of HMDiff, or it is damaged.",
        "Name a folder, a text file with one path per line, or a batch.json.", why,
    )  # fmt: skip
