"""Which command starts the backend on this computer."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hmdiff_wire.errors import HmdiffError

from . import setup_place, setup_rules

MODULE = ("-m", "hmdiff.cli")
IN_ENVIRONMENT = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe")
ENVIRONMENT_IN_FOLDER = (".", ".venv", "venv")
VARIABLE = "HMDIFF_PYTHON"
_FIX = "Choose a Python, an environment's folder or the program hmdiff in the add-on's preferences."


def find_command(
    preference: str, addon_folder: Path, environ: Mapping[str, str], set_up: Path | None = None
) -> list[str]:
    """The first of: the user's ``preference``, HMDIFF_PYTHON, the checkout this add-on lies in, the environment the
    set-up has made, ``hmdiff`` on PATH.

    preference: a Python, the folder of an environment, or an ``hmdiff`` program; "" for none. set_up: where the set-up
    puts its environment. Whether the Python has hmdiff is seen when it is started. Errors: ``backend.absent``, where a
    set-up would help ``setup.none``, ``setup.interrupted`` or ``setup.broken``; a wrong path is said, not passed over.
    """
    for text, where in ((preference, "the add-on's preferences"), (environ.get(VARIABLE, ""), VARIABLE)):
        if text.strip():
            return _given(text, where)
    checkout = addon_folder.resolve().parent
    if (checkout / "backend" / "hmdiff").is_dir():
        python = _python_in(checkout / ".venv")
        if python is not None:
            return [str(python), *MODULE]
    own = setup_place.installed(set_up) if set_up else None
    if own is not None:
        return [str(own.python), *MODULE]
    program = shutil.which("hmdiff", path=environ.get("PATH", ""))
    if program:
        return [os.path.abspath(program)]
    if set_up is not None and setup_place.bundle(addon_folder) is not None:
        raise _set_up_needed(set_up)
    raise HmdiffError(
        "backend.absent", "HMDiff's backend was not found on this computer.",
        "Install it (README, Install), then choose its Python in the add-on's preferences.",
        f"no path in the preferences, no {VARIABLE}, no checkout around {addon_folder}, no hmdiff on PATH",
    )  # fmt: skip


def command_environ(command: Sequence[str]) -> dict[str, str]:
    """What the environment needs on top: PYTHONPATH where the Python is a checkout's, which may not be installed."""
    if len(command) > 1 and tuple(command[1:]) == MODULE:
        for checkout in Path(os.path.abspath(command[0])).parents[2:3]:
            packages = (checkout / "backend", checkout / "shared")
            if (packages[0] / "hmdiff").is_dir() and (packages[1] / "hmdiff_wire").is_dir():
                return {"PYTHONPATH": os.pathsep.join(map(str, packages))}
    return {}


def _set_up_needed(base: Path) -> HmdiffError:
    if (base / setup_place.POINTER).is_file():
        return setup_rules.BROKEN.to_error()
    return (setup_rules.INTERRUPTED if setup_place.was_begun(base) else setup_rules.NOT_INSTALLED).to_error()


def _given(text: str, where: str) -> list[str]:
    text = text.strip().strip("\"'")
    path = Path(os.path.abspath(os.path.expanduser(text)))  # links stay: a venv's python is one
    if path.is_dir():
        found = (python for name in ENVIRONMENT_IN_FOLDER if (python := _python_in(path / name)) is not None)
        python = next(found, None)
        if python is None:
            raise _wrong(path, where, "it is a folder without bin/python or Scripts/python.exe")
        return [str(python), *MODULE]
    if not path.exists():
        raise _wrong(path, where, "there is nothing at this path")
    if not path.is_file():
        raise _wrong(path, where, "it is not a file")
    name = path.name.lower()
    if not name.startswith(("python", "hmdiff")):
        raise _wrong(path, where, "it is neither a Python nor the program hmdiff")
    if sys.platform != "win32" and not os.access(path, os.X_OK):
        raise _wrong(path, where, "it is not a program that can be run")
    return [str(path)] if name.startswith("hmdiff") else [str(path), *MODULE]


def _python_in(environment: Path) -> Path | None:
    candidates = (environment / name for name in IN_ENVIRONMENT)
    found = next((path for path in candidates if path.is_file()), None)
    return None if found is None else Path(os.path.abspath(found))


def _wrong(path: Path, where: str, why: str) -> HmdiffError:
    return HmdiffError("backend.absent", f"{path} (from {where}) cannot be the backend: {why}.", _FIX)
