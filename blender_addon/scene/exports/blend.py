"""The whole Blender file."""

from __future__ import annotations

from pathlib import Path

import bpy

from .wish import Wish


def write(path: Path, wish: Wish) -> list[Path]:
    """Compressed; paths in it were made relative when the objects were made."""
    del wish
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True, check_existing=False)
    return [path]
