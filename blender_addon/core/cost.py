"""What a run will cost in time: from the README's figures at first, from this computer's own runs later."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .ready_files import read_json

DETECTION = 0.027
"""Seconds a frame, whatever the preset (README, Speed: two CPU cores)."""
FIXED = 0.012
"""Seconds a person that the hypotheses do not change: the README's 29 ms for 2 model calls and 181 ms for 20 lie on a
line that starts there."""
FILE = "speed.json"
FEWEST_FRAMES = 16
"""A shorter run measures loading, not frames."""


@dataclass(frozen=True)
class Preset:
    """hypotheses: the preset's own (SPEEDS in hmdiff.models.config); seconds: a person in one frame."""

    hypotheses: int
    seconds: float


PRESETS: dict[str, Preset] = {
    "preview": Preset(1, 0.029),  # README, Speed
    "default": Preset(5, 0.181),  # README, Speed
    "quality": Preset(25, 1.638),  # README, Speed
    "thorough": Preset(25, 6.516),  # not measured: quality's with 40 steps instead of 10
}


def estimate(
    preset: str, hypotheses: int | None, frames: int, people: int = 1, known: Mapping[str, float] | None = None
) -> float:
    """Seconds for that many frames with that many people. hypotheses: None or 0 for the preset's own; known: as
    ``load`` gives it; an unknown preset counts as ``default``.
    """
    name = preset if preset in PRESETS else "default"
    person = (known or {}).get(name, PRESETS[name].seconds)
    return max(0, frames) * (DETECTION + max(0, people) * _scaled(name, person, hypotheses))


def load(folder: Path) -> dict[str, float]:
    """Seconds a person by preset, as measured here; {} at first."""
    stored = read_json(Path(folder) / FILE)
    return {name: float(value) for name, value in stored.items() if name in PRESETS and _sensible(value)}


def remember(
    preset: str, seconds: float, frames: int, people: int, folder: Path, hypotheses: int | None = None
) -> bool:
    """Learn from a finished run; half of what is remembered is the newest. False where nothing could be learnt."""
    if preset not in PRESETS or frames < FEWEST_FRAMES or people < 1:
        return False
    own = PRESETS[preset].hypotheses
    person = (seconds / frames - DETECTION) / people
    person = FIXED + (person - FIXED) * own / (hypotheses or own)
    if not _sensible(person):
        return False
    known = load(folder)
    known[preset] = round((known.get(preset, person) + person) / 2, 5)
    temporary = Path(folder) / f"{FILE}.{os.getpid()}.tmp"
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(known, indent=1), encoding="utf-8")
        os.replace(temporary, Path(folder) / FILE)
    except OSError:
        return False
    return True


def spoken(seconds: float) -> str:
    """``about 40 s``, ``about 3 min``, ``about 1.5 h``; "" for nothing."""
    return f"about {duration(seconds)}" if seconds > 0 else ""


def duration(seconds: float) -> str:
    """As exactly as such a guess deserves."""
    if seconds < 9.5:
        return f"{max(1, round(seconds))} s"
    if seconds < 57.5:
        return f"{5 * round(seconds / 5)} s"
    if seconds < 59.5 * 60:
        return f"{max(1, round(seconds / 60))} min"
    hours = round(seconds / 1800) / 2
    return f"{hours:g} h"


def _scaled(name: str, person: float, hypotheses: int | None) -> float:
    own = PRESETS[name].hypotheses
    return FIXED + max(0.0, person - FIXED) * (hypotheses or own) / own


def _sensible(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return number and 1e-4 <= value <= 3600  # type: ignore[operator]
