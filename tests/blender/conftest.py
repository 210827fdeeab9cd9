"""Makes the checkout's add-on importable as hmdiff_blender in any Python that has bpy, installed or not."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]


def load_checkout() -> None:
    spec = importlib.util.spec_from_file_location("hmdiff_addon_main", REPO / "blender_addon" / "__main__.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.load_package("hmdiff_blender", REPO / "blender_addon")


sys.path[:0] = [str(HERE), str(REPO / "shared")]
load_checkout()
if importlib.util.find_spec("bpy") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def make_take(tmp_path: Path) -> Callable[..., Any]:
    """make_take(clip) -> Take, in an empty Blender file."""
    import bpy
    from blender_takes import write_take
    from hmdiff_wire.take import read_take

    def make(clip: Any, name: str = "take") -> Any:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        return read_take(write_take(tmp_path / name, clip))

    return make
