"""Take -> any of BLENDER_SUFFIXES, by the add-on's own scene code in a process that has bpy (DESIGN 2).

torch and bpy never share a process: they bring different numpy builds and thread pools, and a crash in one must not
take the other along.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hmdiff_wire
from hmdiff_wire.errors import HmdiffError

BLENDER_SUFFIXES = (".blend", ".glb", ".fbx", ".bvh", ".abc", ".usd", ".usdc", ".usda", ".pc2")
ENVIRONMENT = "HMDIFF_BLENDER"
KEPT_LINES = 40

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class BlendOptions:
    """hypotheses: bodies of hypotheses (None: all of a photo, four of a clip); fps: of the scene (None: the video's);
    raw: the raw rows instead of the smoothed motion."""

    hypotheses: int | None = None
    fps: float | None = None
    raw: bool = False


def find_blender(blender: str | None = None) -> list[str]:
    """The command that runs the add-on's ``__main__.py``, up to where its arguments begin.

    In this order: ``blender`` as given (a Blender program, or a Python that has bpy), this Python if it has bpy, the
    environment variable HMDIFF_BLENDER, ``blender`` on PATH. Errors: ``blender.not_found``.
    """
    script = str(_addon_folder() / "__main__.py")
    if blender is None and importlib.util.find_spec("bpy") is not None:
        return [sys.executable, script]
    wanted = blender or os.environ.get(ENVIRONMENT) or "blender"
    program = shutil.which(os.path.expanduser(wanted))
    if program is None:
        named = blender or os.environ.get(ENVIRONMENT)
        raise HmdiffError(
            "blender.not_found",
            f"There is no program at {named}." if named else "Writing this file needs Blender, and none was found.",
            f'Install it with `pip install "hmdiff[blender]"`, name a Blender 4.2 or newer with --blender PROGRAM, '
            f"or set {ENVIRONMENT}.",
        )  # fmt: skip
    if Path(program).name.lower().startswith("python"):
        return [program, script]
    return [program, "-b", "--factory-startup", "--python-exit-code", "3", "--python", script, "--"]


def write_blend(
    take_folder: Path, out: Path, blender: str | None = None, progress: Progress | None = None,
    options: BlendOptions | None = None,
) -> list[Path]:  # fmt: skip
    """Write ``out`` (any of BLENDER_SUFFIXES) from a take; returns the files written (.bvh: one per person).

    progress(done, total, stage) is called while it works; an exception from it stops the process and goes on up.
    Errors: ``blender.not_found``, ``blender.crashed``, and what the add-on reports (``take.*``, ``export.*``).
    """
    options = options or BlendOptions()
    command = [*find_blender(blender), "--wire", str(Path(hmdiff_wire.__file__).parent)]
    command += [str(Path(take_folder).resolve()), "-o", str(Path(out).resolve())]
    if options.hypotheses is not None:
        command += ["--hypotheses", str(options.hypotheses)]
    if options.fps is not None:
        command += ["--fps", repr(options.fps)]
    if options.raw:
        command += ["--raw"]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise HmdiffError(
            "blender.not_found", f"{command[0]} could not be started.", "Name a Blender program with --blender.",
            repr(error),
        ) from error  # fmt: skip
    with process:
        try:
            return _follow(process, progress)
        finally:
            process.kill()  # nothing to a process that has ended; one that has not must not outlive its caller


def _follow(process: subprocess.Popen[str], progress: Progress | None) -> list[Path]:
    """Relay the JSON lines of the child; Blender's own chatter between them is kept for the log only."""
    chatter: deque[str] = deque(maxlen=KEPT_LINES)
    written: list[Path] | None = None
    assert process.stdout is not None
    for line in process.stdout:
        message = _parsed(line)
        if message is None:
            chatter.append(line.rstrip())
        elif "error" in message:
            raise HmdiffError.from_dict(message["error"])
        elif "written" in message:
            written = [Path(path) for path in message["written"]]
        elif "total" in message and progress is not None:
            progress(int(message["done"]), int(message["total"]), str(message.get("stage", "")))
    code = process.wait()
    if written is None or not all(path.is_file() for path in written):
        raise HmdiffError(
            "blender.crashed", f"Blender ended (code {code}) before the file was written.",
            "Free some memory or disk space and try again; the take itself is complete.", "\n".join(chatter),
        )  # fmt: skip
    return written


def _parsed(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _addon_folder() -> Path:
    """The add-on's package: installed by pip as hmdiff_blender, or the folder blender_addon of a checkout."""
    spec = importlib.util.find_spec("hmdiff_blender")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent
    folder = Path(__file__).resolve().parents[3] / "blender_addon"
    if not (folder / "__main__.py").is_file():
        raise HmdiffError(
            "blender.addon_missing", "HMDiff's own Blender add-on is missing from this installation.",
            "Install HMDiff again from its repository.", str(folder),
        )  # fmt: skip
    return folder
