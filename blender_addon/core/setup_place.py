"""Where the set-up puts the backend, what it brings along, and what is there already. Nothing here waits."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .ready_files import read_json

POINTER = "environment.json"
"""Names the folder in use and the one before it; replaced in one step, so that there is always one that works."""
STAMP = "hmdiff-set-up.json"
STATUS, LOG = "status.json", "set-up.log"
CACHE, PYTHONS = "cache", "python"
LOCKS, WHEELS = "locks", "backend"
PYTHON_IN = ("bin/python", "Scripts/python.exe")
SYSTEMS = {("Linux", "x86_64"): "linux-x64", ("Windows", "AMD64"): "windows-x64", ("Darwin", "arm64"): "macos-arm64"}


@dataclass(frozen=True)
class Lock:
    """What is fetched: pins with sums, torch where it comes from its makers' own index; MB to fetch and on disk."""

    file: Path
    torch: str
    torch_backend: str
    download: float
    disk: float


@dataclass(frozen=True)
class Bundle:
    """What the extension's zip carries: the backend's wheel, uv's wheel, the locks."""

    wheel: Path
    uv: Path
    locks: Path

    def lock(self, accelerator: str) -> Lock | None:
        """None where this system has no list for it."""
        name = f"{system()}-{accelerator}"
        about = tomllib.loads((self.locks / "locks.toml").read_text(encoding="utf-8")).get(name)
        file = self.locks / f"{name}.txt"
        if about is None or not file.is_file():
            return None
        return Lock(
            file, about["torch"], about["torch_backend"], float(about["download"]), float(about["disk"])
        )  # fmt: skip

    def stamp(self, accelerator: str) -> str:
        """Another one when anything of what would be installed is another."""
        lock = self.lock(accelerator)
        text = lock.file.read_text(encoding="utf-8") + lock.torch if lock else ""
        return hashlib.sha256(f"{self.wheel.name}\0{accelerator}\0{text}".encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Installed:
    """The environment in use. python: its program; before: the folder of the one before it, "" for none."""

    folder: Path
    python: Path
    stamp: str
    accelerator: str
    version: str
    before: str = ""


def bundle(addon: Path) -> Bundle | None:
    """None in a checkout, which brings no wheels."""
    wheels = sorted((addon / WHEELS).glob("hmdiff-*.whl"))
    uvs = sorted((addon / WHEELS).glob("uv-*.whl"))
    if not wheels or not uvs or not (addon / LOCKS / "locks.toml").is_file():
        return None
    return Bundle(wheels[-1], uvs[-1], addon / LOCKS)


def installed(base: Path) -> Installed | None:
    """The environment that a set-up has finished, if its Python is still there."""
    pointer = read_json(base / POINTER)
    return _environment(base, str(pointer.get("current", "")), str(pointer.get("before", "")))


def before(base: Path) -> Installed | None:
    """The one before, to go back to."""
    pointer = read_json(base / POINTER)
    return _environment(base, str(pointer.get("before", "")), str(pointer.get("current", "")))


def go_back(base: Path) -> None:
    """Use the one before again, and this one as the one before. Raises OSError."""
    pointer = read_json(base / POINTER)
    if before(base) is not None:
        point_to(base, str(pointer["before"]), str(pointer.get("current", "")))


def point_to(base: Path, current: str, earlier: str) -> None:
    """In one step. Raises OSError."""
    temporary = base / f"{POINTER}.{os.getpid()}"
    temporary.write_text(json.dumps({"current": current, "before": earlier}), encoding="utf-8")
    os.replace(temporary, base / POINTER)


def was_begun(base: Path) -> bool:
    """Something of a set-up is there, finished or not."""
    return (base / POINTER).is_file() or (base / STATUS).is_file()


def python_of(folder: Path) -> Path | None:
    found = (folder / name for name in PYTHON_IN)
    return next((path for path in found if path.is_file()), None)


def system() -> str:
    """The name of this system's lists, such as ``linux-x64``; one that has none on other machines."""
    machine = platform.system(), platform.machine()
    return SYSTEMS.get(machine, "-".join(machine).lower())


def accelerator(chosen: str = "auto", environ: Mapping[str, str] = os.environ) -> str:
    """``cuda`` where there is a driver for an NVIDIA card, else ``cpu``; what the user has chosen goes first."""
    if chosen in ("cpu", "cuda"):
        return chosen
    driver = Path("/proc/driver/nvidia/version")
    if sys.platform == "win32":
        driver = Path(environ.get("SystemRoot", r"C:\Windows")) / "System32" / "nvcuda.dll"
    return "cuda" if driver.is_file() else "cpu"


def _environment(base: Path, name: str, other: str) -> Installed | None:
    if not name or Path(name).name != name:
        return None
    folder = base / name
    stamp, python = read_json(folder / STAMP), python_of(folder)
    if stamp.get("state") != "complete" or python is None:
        return None
    words = (str(stamp.get(key, "")) for key in ("stamp", "accelerator", "version"))
    return Installed(folder, Path(os.path.abspath(python)), *words, before=other)
