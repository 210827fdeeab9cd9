"""Which Blender writes the `.blend`: the bpy package of this Python, or a program named by --blender."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from hmdiff_wire.errors import HmdiffError

HOW_TO_GET = "Install it with `pip install hmdiff[blender]` (Python 3.11), or name your Blender with --blender PROGRAM."


@dataclass(frozen=True)
class Blender:
    """A program that can run a Python script with bpy; ``is_python`` where it is a Python that has the bpy package."""

    program: str
    is_python: bool

    def command(self, script: Path, *arguments: str) -> list[str]:
        """The command line that runs ``script`` with ``arguments``; they arrive after ``--`` in sys.argv either way."""
        if self.is_python:
            return [self.program, str(script), "--", *arguments]
        quiet = ["--background", "--factory-startup", "--python-exit-code", "1"]
        return [self.program, *quiet, "--python", str(script), "--", *arguments]


def find_blender(requested: str | None) -> Blender:
    """The Blender to use: ``requested`` (a Blender, or a Python that has bpy), our own bpy, or `blender` on the path.

    Errors: ``blender.not_found`` for a name that leads nowhere, ``blender.missing`` when there is none at all.
    """
    if requested:
        # Unresolved on purpose: the python of an environment is a link, and behind the link it has no bpy.
        program = shutil.which(requested)
        if program is None:
            raise HmdiffError(
                "blender.not_found", f"There is no program {requested}.", "Check the path given to --blender."
            )
        return Blender(program, Path(program).name.lower().startswith("python"))
    if importlib.util.find_spec("bpy"):
        return Blender(sys.executable, True)
    program = shutil.which("blender")
    if program:
        return Blender(program, False)
    raise HmdiffError("blender.missing", "Writing .blend and .glb files needs Blender, and none was found.", HOW_TO_GET)
