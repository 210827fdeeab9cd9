"""build_addon.py as a module and the wheels it packs, which are downloaded once, into the checkout's cache."""

from __future__ import annotations

import importlib
import platform
import sys
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def build_addon() -> ModuleType:
    sys.path.insert(0, str(REPO))
    try:
        return importlib.import_module("build_addon")
    finally:
        sys.path.remove(str(REPO))


@pytest.fixture(scope="session")
def tools(build_addon: ModuleType) -> dict:
    """The extension tools of the Blenders on this machine, by version."""
    found = build_addon.find_tools()
    if not found:
        pytest.skip("no bpy on this machine, so Blender's extension tool is missing")
    return found


@pytest.fixture(scope="session")
def builder(tools: dict):
    return next(iter(tools.values()))


@pytest.fixture(scope="session")
def wheels(build_addon: ModuleType, builder) -> dict[str, dict[str, bytes]]:
    """pyzmq for every platform; uv's wheels get into the same cache."""
    try:
        for name in build_addon.PINNED:
            build_addon.uv_wheel(name, tool=builder)
        return {name: build_addon.pyzmq_wheels(name, tool=builder) for name in build_addon.PINNED}
    except build_addon.DevError as error:
        if "could not be downloaded" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="session")
def this_platform() -> str:
    """The name of this machine's zip."""
    names = {("Linux", "x86_64"): "linux-x64", ("Windows", "AMD64"): "windows-x64", ("Darwin", "arm64"): "macos-arm64"}
    machine = platform.system(), platform.machine()
    if machine not in names:
        pytest.skip(f"no zip is made for {machine}")
    return names[machine]
