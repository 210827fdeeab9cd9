"""Entry of ``python -m hmdiff_blender`` and of ``blender -b --python __main__.py -- --wire FOLDER TAKE -o X.blend``.

Blender runs a script without a package around it and with its own search path, so the two packages are loaded by
their folders then; putting a whole site-packages on Blender's path would bring a foreign numpy with it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path

PACKAGE = "hmdiff_blender"


def load_package(name: str, folder: Path) -> None:
    """Make ``import name`` find the package in ``folder``, whatever the folder is called."""
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no package in {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def start(arguments: list[str]) -> int:
    """arguments: what follows the script; ``--wire FOLDER`` first where hmdiff_wire is not installed."""
    package = __package__
    if not package:
        here = Path(__file__).resolve().parent
        sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
        load_package(PACKAGE, here)
        package = PACKAGE
    if arguments[:1] == ["--wire"]:
        if "hmdiff_wire" not in sys.modules:
            load_package("hmdiff_wire", Path(arguments[1]))
        arguments = arguments[2:]
    try:
        for needed in ("bpy", "numpy"):
            importlib.import_module(needed)
    except ImportError as error:
        print(json.dumps({"error": missing(error)}), flush=True)
        return 1
    if arguments[:1] == ["--export"]:  # of a Blender file, for the Export button (see core/export_child)
        return importlib.import_module(f"{package}.scene.export_run").main(arguments[1:])
    return importlib.import_module(f"{package}.scene.run").main(arguments)


def missing(error: ImportError) -> dict[str, str]:
    """The error of a Python without bpy, or of a Blender whose maker left numpy out (Debian does)."""
    return {
        "kind": "blender.incomplete",
        "message": f"This Blender or Python has no {error.name}.",
        "fix": "Use a Blender 4.2 or newer from blender.org, or add the missing package to this one.",
        "detail": repr(error),
    }


if __name__ == "__main__":
    code = start(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:])
    sys.stdout.flush()
    if "--" in sys.argv:
        sys.exit(code)
    os._exit(code)  # the bpy 4.2 module crashes in its own tear-down after a glTF export, when all is written
