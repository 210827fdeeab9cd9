"""Makes blender_addon/core importable as hmdiff_blender_core, without the add-on around it and without bpy."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
NAME = "hmdiff_blender_core"


def load_core() -> None:
    folder = REPO / "blender_addon" / "core"
    spec = importlib.util.spec_from_file_location(
        NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


sys.path[:0] = [str(HERE), str(REPO / "shared")]
if NAME not in sys.modules:
    load_core()


@pytest.fixture
def backend_python() -> list[str]:
    """A command whose Python has the backend; skipped where these tests run in a Python without it (Blender's)."""
    if importlib.util.find_spec("hmdiff") is None:
        pytest.skip("this Python has no backend")
    return [sys.executable]


@pytest.fixture
def backend_environ() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(map(str, (REPO / "backend", REPO / "shared", HERE)))}


@pytest.fixture
def make_driver(
    tmp_path: Path, backend_python: list[str], backend_environ: dict[str, str]
) -> Iterator[Callable[..., Any]]:
    """make_driver(*knobs) -> Driver with the fake backend (or another ``module``); all are closed at the end."""
    from driver import Driver

    made: list[Driver] = []

    def make(*knobs: str, module: str = "hmdiff.server.fake", folder: str = "hmdiff") -> Driver:
        command = [*backend_python, str(HERE / "with_knobs.py"), module, *knobs]
        made.append(Driver(tmp_path, tmp_path / folder, command, backend_environ))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    def wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.01)

    return wait
