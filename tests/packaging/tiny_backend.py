"""An extension folder whose set-up takes a second: a tiny backend and tiny packages, the real uv, no network."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from types import ModuleType

CLI = """
import json, pathlib, sys, time
import tiny_one, tiny_torch
gate = pathlib.Path(sys.prefix).parent / "gate"
while gate.exists():
    time.sleep(0.05)
checks = [{"name": "torch", "state": BROKEN and "broken" or "ok", "found": "", "fix": ""}]
print(json.dumps({"ok": not BROKEN, "version": VERSION, "checks": checks}))
sys.exit(1 if BROKEN else 0)
"""


class TinyExtension:
    """addon: as Blender would have unpacked it; packages: where uv finds what the lock names; environ: nothing from
    the internet. The set-up waits in its check while a file ``gate`` lies in the base.
    """

    def __init__(self, folder: Path, wheels: ModuleType, uv: tuple[str, bytes], system: str) -> None:
        self.addon, self.packages, self._wheels = folder / "add on", folder / "päckages", wheels
        for place in (self.addon / "backend", self.addon / "locks", self.packages):
            place.mkdir(parents=True)
        (self.addon / "backend" / uv[0]).write_bytes(uv[1])
        self.environ = {"UV_FIND_LINKS": str(self.packages), "UV_NO_INDEX": "1", "UV_PYTHON_DOWNLOADS": "never"}
        self._system = system
        self.lock()
        self.release("1")

    def lock(self, disk: float = 5.0) -> None:
        """Pins with sums of the wheels it makes: one package by the lock, torch's stand-in apart."""
        name, data = self._wheels.make_wheel("tiny_one", "1.0", {"tiny_one.py": b""}, "", {})
        (self.packages / name).write_bytes(data)
        pin = f"tiny-one=={name.split('-')[1]} --hash=sha256:{hashlib.sha256(data).hexdigest()}\n"
        name, data = self._wheels.make_wheel("tiny_torch", "2.0", {"tiny_torch.py": b""}, "", {})
        (self.packages / name).write_bytes(data)
        torch = f"tiny-torch=={name.split('-')[1]}"
        (self.addon / "locks" / f"{self._system}-cpu.txt").write_text(pin)
        (self.addon / "locks" / "locks.toml").write_text(
            f'[{self._system}-cpu]\ntorch = "{torch}"\ntorch_backend = "tiny"\ndownload = 1\ndisk = {disk}\n'
        )

    def release(self, version: str, broken: bool = False) -> None:
        """Another backend in the extension's folder, as after an update of the extension."""
        source = CLI.replace("VERSION", json.dumps(version)).replace("BROKEN", repr(broken))
        entries = {"hmdiff/__init__.py": b"", "hmdiff/cli.py": source.encode()}
        name, data = self._wheels.make_wheel("hmdiff", version, entries, "", {})
        for old in (self.addon / "backend").glob("hmdiff-*.whl"):
            old.unlink()
        (self.addon / "backend" / name).write_bytes(data)

    def lose(self, package: str) -> None:
        """The connection breaks: this package cannot be had for now."""
        for file in self.packages.glob(f"{package}-*.whl"):
            shutil.move(file, file.with_suffix(".lost"))

    def find_again(self) -> None:
        for file in self.packages.glob("*.lost"):
            shutil.move(file, file.with_suffix(".whl"))
