"""Problems that one press of a button mends: kind -> that button."""

from __future__ import annotations

from dataclasses import dataclass

from .state import Problem


@dataclass(frozen=True)
class Remedy:
    """operator: Blender's name of it; label: of its button."""

    operator: str
    label: str


REMEDIES = {
    "take.missing": Remedy("hmdiff.find_take", "Find the Take"),
    "take.other_footage": Remedy("hmdiff.run_anew", "Begin a New Take"),
    "take.damaged": Remedy("hmdiff.run_anew", "Begin a New Take"),
    "take.not_writable": Remedy("hmdiff.show_preferences", "Choose a Folder"),
    "input.none": Remedy("hmdiff.choose_footage", "Choose Footage"),
    "input.not_found": Remedy("hmdiff.choose_footage", "Choose Footage"),
    "disk.full": Remedy("hmdiff.resume", "Resume"),
    "backend.absent": Remedy("hmdiff.show_preferences", "Preferences"),
}


def remedy(problem: Problem) -> Remedy | None:
    return REMEDIES.get(problem.kind)
