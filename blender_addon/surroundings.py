"""What of the backend is on this computer, and where it may look."""

from __future__ import annotations

import os
import string
import tomllib
from dataclasses import dataclass
from pathlib import Path

from hmdiff_wire.errors import HmdiffError

from . import preferences
from .core import locate, setup_place
from .core.journal import left_behind
from .core.state import Job, Problem

ADDON = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Look:
    """What of the backend is on this computer. problem: what a set-up would solve; possible: the add-on can set one up,
    and that one would be used; megabytes: to fetch for it; version, accelerator: of the one in use; before: version of
    the one before; outdated: the add-on brings another than the one in use; left: a run that a Blender left behind when
    it was killed.
    """

    problem: Problem | None = None
    possible: bool = False
    megabytes: float = 0.0
    version: str = ""
    accelerator: str = ""
    before: str = ""
    outdated: bool = False
    left: Job | None = None


def find_command() -> list[str]:
    """What starts the backend on this computer. Errors: those of ``locate.find_command``."""
    return locate.find_command(preferences.backend_path(), ADDON, os.environ, preferences.environment_folder())


def look_around(running: bool) -> Look:
    """running: the add-on is at work already, so that no run of an earlier one is to be asked about."""
    left = None if running else left_behind(preferences.user_folder() / "backend")

    base, bundle = preferences.environment_folder(), setup_place.bundle(ADDON)
    problem = None
    try:
        command = find_command()
    except HmdiffError as error:
        command = []
        problem = Problem.from_error(error) if error.kind.startswith("setup.") else None
    there = setup_place.installed(base)
    own = there is not None and command[:1] == [str(there.python)]
    chosen = preferences.backend_path() or os.environ.get(locate.VARIABLE, "")
    possible = bundle is not None and not chosen and (own or not command)
    if bundle is None or there is None or not own:
        lock = bundle.lock(setup_place.accelerator(preferences.accelerator())) if bundle else None
        return Look(problem, possible, lock.download if lock else 0.0, left=left)
    earlier = setup_place.before(base)
    wanted = bundle.stamp(setup_place.accelerator(preferences.accelerator()))
    return Look(
        None, possible, 0.0, there.version, there.accelerator, earlier.version if earlier else "",
        wanted != there.stamp, left,
    )  # fmt: skip


def roots() -> list[Path]:
    """The backend runs as this user and for this user, who may point at any file: every drive."""
    if os.name == "nt":
        return [Path(f"{letter}:\\") for letter in string.ascii_uppercase if os.path.isdir(f"{letter}:\\")]
    return [Path("/")]


def version() -> str:
    manifest = Path(__file__).with_name("blender_manifest.toml")
    return tomllib.loads(manifest.read_text(encoding="utf-8"))["version"]
