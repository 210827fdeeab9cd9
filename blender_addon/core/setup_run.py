"""The set-up itself, a process of its own: ``python -I -c BOOT core wire JSON`` (see setup_process). No bpy, no numpy.

It is safe to end it at any time: what was fetched is in uv's cache, and the pointer to the environment in use is only
moved when the new one has been checked.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError

from . import setup_place as place
from .ready_files import read_json
from .setup_status import Teller
from .setup_uv import Uv, trouble, unpack

PYTHON = "3.11"
"""What the project is tested with most; any other from 3.11 to 3.13 will do."""
RANGE = ">=3.11,<3.14"
SPARE_MB = 300.0
SHARES = {"python": 0.08, "packages": 0.80, "backend": 0.83, "check": 0.92, "detector": 0.99}
"""How far along the whole is at the end of each step."""


@dataclass(frozen=True)
class Order:
    """base: where the backend goes; addon: the extension's folder; accelerator: ``auto``, ``cpu`` or ``cuda``;
    python: Blender's own, if no better one is to be had; anew: build the environment again even if it looks whole;
    detector: also fetch the person detector's models.
    """

    base: Path
    addon: Path
    accelerator: str = "auto"
    python: str = sys.executable
    anew: bool = False
    detector: bool = True


def main(arguments: list[str]) -> int:
    """arguments: an Order as JSON. Ends with standard input, which Blender holds: they end together."""
    data = json.loads(arguments[0])
    order = Order(**{**data, "base": Path(data["base"]), "addon": Path(data["addon"])})
    order.base.mkdir(parents=True, exist_ok=True)
    teller = Teller(order.base / place.STATUS)
    teller.running("Looking at this computer", 0.0, now=True)
    uv: list[Uv] = []
    threading.Thread(target=_end_with_blender, args=(uv,), daemon=True).start()
    try:
        set_up(order, teller, uv)
    except HmdiffError as error:
        teller.failed(error)
        return 1
    except OSError as error:
        teller.failed(trouble(f"{error} (os error {error.errno})", "file"))
        return 1
    teller.done()
    return 0


def set_up(order: Order, teller: Teller, running: list[Uv]) -> place.Installed:
    """Make the environment and put it into use. Errors: ``setup.*``, OSError."""
    bundle = place.bundle(order.addon)
    accelerator = place.accelerator(order.accelerator)
    lock = bundle.lock(accelerator) if bundle else None
    if bundle is None or lock is None:
        raise HmdiffError(
            "setup.no_bundle", f"This extension cannot set up a backend for {place.system()}, {accelerator}.",
            "Install the zip made for your system, or choose a backend made by hand in the add-on's preferences.",
        )  # fmt: skip
    stamp = bundle.stamp(accelerator)
    log = order.base / place.LOG
    log.unlink(missing_ok=True)
    uv = Uv(unpack(bundle.uv, order.base), order.base, log)
    running.append(uv)
    folder = _folder(order, stamp)
    _check_space(folder, lock)
    _write_stamp(folder, {"state": "incomplete", "stamp": stamp, "accelerator": accelerator})
    _python(order, uv, folder, teller)
    python = str(place.python_of(folder))
    _packages(uv, python, lock, teller)
    teller.running("Installing HMDiff", SHARES["packages"], now=True)
    install = ("pip", "install", "--python", python, "--no-deps", "--offline")
    uv.run(*install, "--reinstall", str(bundle.wheel))
    _check(uv, python, order, teller)
    version = bundle.wheel.name.split("-")[1]
    _write_stamp(folder, {"state": "complete", "stamp": stamp, "accelerator": accelerator, "version": version})
    _put_into_use(order.base, folder.name)
    found = place.installed(order.base)
    if found is None:
        raise HmdiffError("setup.failed", "The backend's environment is not whole.", "Press Go On to try again.")
    return found


def _folder(order: Order, stamp: str) -> Path:
    """Never the one in use, which goes on working until the new one does; an unfinished one of ours is gone on with."""
    used = place.installed(order.base)
    taken = used.folder.name if used else ""
    names = [name for name in (f"env-{stamp}", f"env-{stamp}-b") if name != taken]
    whole = read_json(order.base / names[0] / place.STAMP).get("state") == "complete"
    if whole or order.anew:
        shutil.rmtree(order.base / names[0], ignore_errors=True)
    return order.base / names[0]


def _check_space(folder: Path, lock: place.Lock) -> None:
    there = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6 if folder.is_dir() else 0.0
    needed = max(lock.disk - there, 0.0) + SPARE_MB
    free = shutil.disk_usage(folder.parent).free / 1e6
    if free < needed:
        raise HmdiffError(
            "setup.disk", f"The backend needs {needed / 1000:.1f} GB, and {free / 1000:.1f} GB are free.",
            f"Make room on the disk of {folder.parent}, or choose another folder in the add-on's preferences.",
        )  # fmt: skip


def _python(order: Order, uv: Uv, folder: Path, teller: Teller) -> None:
    """A Python of the backend's own, so that no update of Blender or of the system takes it away; else the system's,
    else Blender's.
    """
    python = place.python_of(folder)
    if python is not None and uv.call([str(python), "-c", "import encodings"])[0] == 0:
        return
    teller.running("Fetching Python", 0.01, now=True)
    venv = ("venv", "--no-project", str(folder))
    ways = (("--managed-python", "--python", PYTHON), ("--no-managed-python", "--python", RANGE))
    kept = read_json(folder / place.STAMP)
    problem = HmdiffError("setup.failed", "There is no Python to build the backend on.", "Press Go On to try again.")
    for way in (*ways, ("--no-managed-python", "--python", order.python)):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            uv.run(*venv, *way)
        except HmdiffError as error:
            problem = error
            continue
        _write_stamp(folder, kept)
        return
    raise problem


def _packages(uv: Uv, python: str, lock: place.Lock, teller: Teller) -> None:
    first, last = SHARES["python"], SHARES["packages"]
    before = 0.0

    def heard(text: str, megabytes: float) -> None:
        done = min(lock.download, before + megabytes)
        words = f"Fetching {text}, {done:.0f} of {lock.download:.0f} MB"
        teller.running(words, first + (last - first) * done / max(1.0, lock.download))

    teller.running("Fetching packages", first, now=True)
    install = ("pip", "install", "--python", python, "--no-deps")
    if lock.torch:
        backend = () if uv.has_sources else ("--torch-backend", lock.torch_backend)
        exact = f"{lock.torch}+cpu" if lock.torch_backend == "cpu" else lock.torch
        uv.run(*install, *backend, exact, heard=heard)
        before = lock.download / 2
    uv.run(*install, "--require-hashes", "--only-binary", ":all:", "-r", str(lock.file), heard=heard)


def _check(uv: Uv, python: str, order: Order, teller: Teller) -> None:
    """Its own doctor looks at it; then what the person detector needs."""
    teller.running("Checking the backend", SHARES["backend"], now=True)
    doctor = [python, "-m", "hmdiff.cli", "doctor", "--json"]
    code, said = uv.call(doctor)
    bad = _bad_parts(said)
    if code and bad != ["detector models"]:
        raise HmdiffError(
            "setup.check", f"The backend is not whole: {', '.join(bad) or 'it does not start'}.",
            "Press Repair to make it anew; Copy Report has all of it.", said,
        )  # fmt: skip
    if code and order.detector:
        teller.running("Fetching the person detector, 35 MB", SHARES["check"], now=True)
        code, said = uv.call([*doctor, "--install"])
        if code:
            raise HmdiffError(
                "setup.network", "The person detector could not be fetched.",
                "Press Go On when there is a connection; all else is in place.", said,
            )  # fmt: skip
    teller.running("Putting it into use", SHARES["detector"], now=True)


def _bad_parts(said: str) -> list[str]:
    try:
        checks: list[dict[str, Any]] = json.loads(said[said.index("{") : said.rindex("}") + 1])["checks"]
    except (ValueError, KeyError):
        return []
    return [str(one["name"]) for one in checks if one["state"] in ("missing", "broken")]


def _put_into_use(base: Path, name: str) -> None:
    """From now on this one; the one before stays to go back to, older ones go."""
    pointer = read_json(base / place.POINTER)
    old = str(pointer.get("current", ""))
    place.point_to(base, name, old if old != name else str(pointer.get("before", "")))
    for folder in base.glob("env-*"):
        if folder.name not in (name, old):
            shutil.rmtree(folder, ignore_errors=True)


def _write_stamp(folder: Path, stamp: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{place.STAMP}.{os.getpid()}"
    temporary.write_text(json.dumps(stamp), encoding="utf-8")
    os.replace(temporary, folder / place.STAMP)


def _end_with_blender(running: list[Uv]) -> None:
    """Standard input ends when Blender does, however that ends."""
    try:
        sys.stdin.buffer.read()
    except (OSError, ValueError):
        pass
    for uv in running:
        if uv.child is not None and uv.child.poll() is None:
            uv.child.kill()
    os._exit(3)
