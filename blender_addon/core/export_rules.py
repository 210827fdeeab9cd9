"""An export in a second Blender, without bpy: what it is asked for, what it says on the way, how its files come in."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError

MARK = "HMDIFF-EXPORT "
"""Before each line of progress; Blender and other add-ons write to the same output."""
READ_SHARE = 0.35
"""Of the bar for reading the motion; the exporters take longer than that with every format but the arrays'."""


@dataclass(frozen=True)
class Order:
    """What is to be written. path: the file, whose name begins with ``token`` until it is complete; subject: CLIP, then
    clip (uuid) and what (a ``What``), or CHARACTER, then item (its armature) and library (its name, "" for none).

    fps: None for the rate it has by itself; scene, layer: where it is seen; folder: of the artist's file, "" before it
    is saved; blend: the copy to read; scripts: may drivers and scripts run; addons: exporters that are switched on.
    """

    path: str
    subject: str = "CLIP"
    clip: str = ""
    what: str = ""
    item: str = ""
    library: str = ""
    fps: float | None = None
    scene: str = ""
    layer: str = ""
    folder: str = ""
    blend: str = ""
    scripts: bool = False
    addons: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: f".hmdiff-{uuid.uuid4().hex[:8]}-")

    @property
    def target(self) -> Path:
        return Path(self.path)

    @property
    def beside(self) -> Path:
        """Where the file is written: in the same folder, so that paths in it are right and it can take its place at
        once."""
        return self.target.with_name(self.token + self.target.name)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        data = json.loads(text)
        return cls(**{**data, "addons": tuple(data["addons"])})


@dataclass(frozen=True)
class Progress:
    """stage: starting, opening, reading or writing; frame: of so many frames, counted from 1, 0 for none yet."""

    stage: str = "starting"
    frame: int = 0
    frames: int = 0

    def line(self) -> str:
        return MARK + json.dumps([self.stage, self.frame, self.frames])


def parse(line: str) -> Progress | None:
    """Progress, wherever in a line of output it stands; None where there is none."""
    start = line.find(MARK)
    if start < 0:
        return None
    try:
        stage, frame, frames = json.loads(line[start + len(MARK) :])
        return Progress(str(stage), int(frame), int(frames))
    except (ValueError, TypeError):  # two programs' lines in one
        return None


def words(progress: Progress) -> str:
    if progress.stage == "starting":
        return "A second Blender is starting"
    if progress.stage == "opening":
        return "Opening a copy of the file"
    verb = "Reading" if progress.stage == "reading" else "Writing"
    return f"{verb}, frame {progress.frame:,} of {progress.frames:,}" if progress.frame else f"{verb} the motion"


def share(progress: Progress) -> float:
    """0 to 1."""
    part = progress.frame / progress.frames if progress.frames else 0.0
    if progress.stage == "reading":
        return READ_SHARE * part
    return READ_SHARE + (1 - READ_SHARE) * part if progress.stage == "writing" else 0.0


def command(program: str, script: Path, wire: Path, order: Path) -> list[str]:
    """How a Blender is told to carry out an order. wire: the folder of ``hmdiff_wire``."""
    # Scripts of the user's start-up file are none of this; the script opens the copy as the order says.
    words = [program, "-b", "--disable-autoexec", "--python", str(script), "--"]
    return [*words, "--wire", str(wire), "--export", str(order)]


def place(written: Sequence[Path], order: Order) -> list[Path]:
    """Complete files get the names they are for, over what was there. Errors: ``export.failed``."""
    placed = []
    for path in written:
        target = path.with_name(path.name.removeprefix(order.token))
        try:
            os.replace(path, target)
        except OSError as error:
            raise HmdiffError(
                "export.failed", f"{target.name} could not be written over.",
                "Close the program that has it open, or choose another name; then export again.", repr(error),
            ) from error  # fmt: skip
        placed.append(target)
    return placed


def sweep(order: Order) -> None:
    """Remove what an export that did not end well has left beside its file."""
    try:
        left = [path for path in order.target.parent.iterdir() if path.name.startswith(order.token)]
        for path in left:
            path.unlink()
    except OSError:
        return  # the folder is gone, or is nobody's to write to: then nothing of ours can be in it


def written_words(paths: Sequence[Path]) -> str:
    """What came of it, for the panel."""
    size = sum(path.stat().st_size for path in paths if path.exists())
    text = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{max(1, round(size / 1e3))} kB"
    names = ", ".join(path.name for path in paths[:3]) + (" ..." if len(paths) > 3 else "")
    return f"Wrote {names} ({text})."


def error_of(data: Any, log: str) -> HmdiffError:
    """What a second Blender left as its result (None: nothing), as the error to show."""
    if isinstance(data, dict) and "error" in data:
        error = HmdiffError.from_dict(data["error"])
        return HmdiffError(error.kind, error.message, error.fix, "\n".join(filter(None, (error.detail, log))))
    return HmdiffError(
        "export.died", "The Blender that exports ended before the file was complete.",
        "Export again; if it happens again, free some memory or send the report of the button beside this.", log,
    )  # fmt: skip
