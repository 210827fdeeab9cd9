"""The set-up as a process beside Blender: started, watched, ended. Nothing here waits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import hmdiff_wire
from hmdiff_wire.errors import HmdiffError

from . import setup_place as place
from . import setup_status
from .alive import is_alive
from .events import SetUpEnded, SetUpProgressed
from .process import NOT_FOR_THE_BACKEND
from .state import Problem

BOOT = """
import importlib.util, sys
from pathlib import Path
for name, folder in (("hmdiff_wire", sys.argv[2]), ("hmdiff_core", sys.argv[1])):
    place = Path(folder)
    spec = importlib.util.spec_from_file_location(name, place / "__init__.py", submodule_search_locations=[folder])
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
from hmdiff_core.setup_run import main
sys.exit(main(sys.argv[3:]))
"""


class SetUpProcess:
    """base: says where the backend goes, asked at each start; addon: the extension's folder; accelerator: says
    ``auto``, ``cpu`` or ``cuda``; environ: on top of this process's.
    """

    def __init__(
        self, base: Callable[[], Path], addon: Path, accelerator: Callable[[], str] = lambda: "auto",
        environ: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.base, self.addon, self.accelerator = base, addon, accelerator
        self.detector = True
        self._environ = dict(environ or {})
        self._child: subprocess.Popen[bytes] | None = None
        self._ending: list[subprocess.Popen[bytes]] = []
        self._pid = 0
        self._place = Path()
        self._told: setup_status.Told | None = None

    @property
    def possible(self) -> bool:
        """The extension brings a backend along, as its zips do and a checkout does not."""
        return place.bundle(self.addon) is not None

    @property
    def log_file(self) -> Path:
        return self.base() / place.LOG

    def start(self, anew: bool) -> None:
        """Set up, or watch the set-up that another Blender has begun there. Errors: ``setup.not_writable``."""
        self._place, self._told = self.base(), None
        other = setup_status.read(self._place / place.STATUS)
        self._ending = [child for child in self._ending if child.poll() is None]
        ours = {child.pid for child in self._ending}
        if other is not None and other.state == "running" and other.pid not in ours and is_alive(other.pid):
            self._child, self._pid = None, other.pid
            return
        order = {
            "base": str(self._place), "addon": str(self.addon), "accelerator": self.accelerator(),
            "python": sys.executable, "anew": anew, "detector": self.detector,
        }  # fmt: skip
        words = [sys.executable, "-I", "-B", "-c", BOOT, str(Path(__file__).parent), _wire(), json.dumps(order)]
        environ = {name: value for name, value in os.environ.items() if name not in NOT_FOR_THE_BACKEND}
        try:
            self._place.mkdir(parents=True, exist_ok=True)
            (self._place / place.STATUS).unlink(missing_ok=True)
            with open(self._place / "set-up.err", "wb") as errors:
                self._child = subprocess.Popen(
                    words, stdin=subprocess.PIPE, stdout=errors, stderr=errors, cwd=self._place,
                    env={**environ, "PYTHONUTF8": "1", **self._environ},
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                    start_new_session=sys.platform != "win32",
                )  # fmt: skip
        except OSError as error:
            raise HmdiffError(
                "setup.not_writable", f"The backend cannot be set up in {self._place}.",
                "Choose another folder in the add-on's preferences.", repr(error),
            ) from error  # fmt: skip
        self._pid = self._child.pid

    def poll(self) -> SetUpProgressed | SetUpEnded | None:
        """What has happened since, if anything."""
        if not self._pid:
            return None
        over = self._child.poll() is not None if self._child is not None else not is_alive(self._pid)
        told = setup_status.read(self._place / place.STATUS)
        if not over:
            if told is None or told == self._told or told.state != "running":
                return None
            self._told = told
            return SetUpProgressed(told.text, told.share, told.eta)
        self._forget()
        if told is not None and told.state == "done":
            return SetUpEnded(None)
        if told is not None and told.error is not None:
            return SetUpEnded(Problem.from_error(told.error))
        return SetUpEnded(
            Problem(
                "setup.died", "The set-up ended before it was done.", "Press Go On; what was fetched is kept.",
                self.log_tail(),
            )
        )  # fmt: skip

    def stop(self) -> None:
        """End it, if it is ours; it ends by itself when its standard input does."""
        if self._child is not None:
            self._ending.append(self._child)
        self._forget()

    def log_tail(self, lines: int = 40) -> str:
        found: list[str] = []
        for name in (place.LOG, "set-up.err"):
            try:
                found += (self.base() / name).read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
            except OSError:
                continue
        return "\n".join(found)

    def _forget(self) -> None:
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
        self._child, self._pid, self._told = None, 0, None


def _wire() -> str:
    return str(Path(str(hmdiff_wire.__file__)).resolve().parent)
