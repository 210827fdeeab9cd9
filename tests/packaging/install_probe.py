"""Runs inside a Blender: installs zips of the add-on one after the other, turns each off and on, and tells what it saw.

    blender -b --factory-startup --python-exit-code 1 --python tests/packaging/install_probe.py -- ZIP...

BLENDER_USER_RESOURCES must name an empty folder. The last line printed is JSON, one entry per zip.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import pkgutil
import sys
from pathlib import Path

if bare := os.environ.get("HMDIFF_BARE_SITE"):  # only the packages that a Blender program has, for the bpy module
    sys.path.append(bare)

import bpy

addon_utils = importlib.import_module("addon_utils")  # bpy puts it on the path

REPOSITORY = "user_default"
PACKAGE = f"bl_ext.{REPOSITORY}.hmdiff"
KINDS = ("Operator", "Panel", "Menu", "UIList", "Header", "PropertyGroup", "AddonPreferences", "FileHandler", "Gizmo")


def registered() -> list[str]:
    """Our classes that Blender knows at this moment."""
    return sorted(
        cls.__name__
        for kind in KINDS
        for cls in getattr(bpy.types, kind).__subclasses__()
        if cls.__module__.startswith(PACKAGE) and cls.is_registered
    )


def traces() -> list[str]:
    """What an add-on can leave behind besides classes: handlers, and properties on Blender's own types."""
    handlers = [
        f"handler {function.__module__}.{function.__name__}"
        for name in dir(bpy.app.handlers)
        if isinstance(functions := getattr(bpy.app.handlers, name), list)
        for function in functions
        if function.__module__.startswith(PACKAGE)
    ]
    holders = (bpy.types.WindowManager, bpy.types.Scene, bpy.types.Object, bpy.types.Collection, bpy.types.Action)
    return handlers + [f"{holder.__name__}.{name}" for holder in holders for name in dir(holder) if "hmdiff" in name]


def modules() -> list[str]:
    """Import every module of the installed package; a file missing from the zip shows here."""
    package = importlib.import_module(PACKAGE)
    names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{PACKAGE}.")]
    names = [name for name in names if not name.endswith(".__main__")]
    for name in names:
        importlib.import_module(name)
    return names


def greet_over_zmq() -> str:
    """A message through a real socket of the wheel that was installed."""
    import zmq

    with zmq.Context() as context, context.socket(zmq.ROUTER) as server, context.socket(zmq.DEALER) as client:
        port = server.bind_to_random_port("tcp://127.0.0.1")
        client.connect(f"tcp://127.0.0.1:{port}")
        client.send(b"hello")
        assert server.poll(5000), "nothing came through the socket in 5 s"
        return server.recv_multipart()[-1].decode()


def install(path: str) -> dict:
    """Install one zip as the button in the preferences does, and try it."""
    done = bpy.ops.extensions.package_install_files(filepath=path, repo=REPOSITORY, enable_on_install=True)
    assert "FINISHED" in done, done
    report: dict = {"enabled": addon_utils.check(PACKAGE), "classes": registered(), "modules": modules()}
    addon_utils.disable(PACKAGE, default_set=True)
    report |= {"classes_when_off": registered(), "traces_when_off": traces()}
    again = addon_utils.enable(PACKAGE, default_set=True)
    report |= {"classes_again": registered() if again else None, "on_again": addon_utils.check(PACKAGE)}
    import hmdiff_wire
    import zmq

    assert hmdiff_wire.__file__ and zmq.__file__
    wire = Path(hmdiff_wire.__file__).parent
    report |= {"wire": str(wire), "wire_says": hmdiff_wire.__doc__, "zmq": zmq.__file__, "zmq_version": zmq.__version__}
    report["wire_files"] = sorted(file.relative_to(wire).as_posix() for file in wire.rglob("*.py"))
    report["wire_installed"] = sorted(folder.name for folder in wire.parent.glob("hmdiff_wire-*.dist-info"))
    return report | {"heard": greet_over_zmq()}


def main() -> None:
    zips = sys.argv[sys.argv.index("--") + 1 :]
    assert os.environ.get("BLENDER_USER_RESOURCES"), "BLENDER_USER_RESOURCES must name an empty folder"
    foreign = [name for name in ("hmdiff_wire", "hmdiff_blender", "zmq") if importlib.util.find_spec(name)]
    assert not foreign, f"this Blender is not bare, it has {foreign}"
    print(json.dumps({"blender": bpy.app.version_string, "installs": [install(path) for path in zips]}), flush=True)


main()
if bare:
    os._exit(0)  # the bpy 4.2 module may crash in its own tear-down
