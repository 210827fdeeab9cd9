"""A pose as an asset: picture, tags and catalog, in this file or in one of the user's asset libraries."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

CATALOGS = "blender_assets.cats.txt"
CATALOG = "HMDiff/Poses"
CATALOG_ID = str(uuid.uuid5(uuid.NAMESPACE_OID, "HMDiff/Poses"))
CURRENT = "CURRENT"
_HEAD = "# This is an Asset Catalog Definition file for Blender.\n\nVERSION 1\n\n"


def mark(action: Any, picture: Array, tags: tuple[str, ...], description: str, catalog: str) -> None:
    """Make an action a pose asset. picture: RGBA (H,W,4), bottom row first."""
    action.asset_mark()
    data = action.asset_data
    data.description, data.catalog_id = description, catalog
    for tag in tags:
        data.tags.new(tag, skip_if_exists=True)
    preview = action.preview_ensure()
    preview.image_size = (picture.shape[1], picture.shape[0])
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(picture, np.float32).ravel())


def libraries() -> dict[str, Path]:
    """The user's asset libraries on this computer: name -> folder."""
    found = bpy.context.preferences.filepaths.asset_libraries
    return {library.name: Path(bpy.path.abspath(library.path)) for library in found if library.path}


def catalog_here() -> str:
    """The id of our catalog for this file, written beside it where it is saved. Errors: ``asset.not_writable``."""
    if not bpy.data.filepath:
        return CATALOG_ID
    here = Path(bpy.data.filepath).parent
    root = next((folder for folder in (here, *here.parents) if (folder / CATALOGS).is_file()), here)
    return ensure_catalog(root)


def ensure_catalog(folder: Path) -> str:
    """The id of the catalog HMDiff/Poses in a library's folder; its line is added where there is none.

    Errors: ``asset.not_writable``.
    """
    path = folder / CATALOGS
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else _HEAD
        for line in text.splitlines():
            found = re.fullmatch(r"([0-9a-fA-F-]{36}):([^:]+)(?::.*)?", line.strip())
            if found and (found[2] == CATALOG or found[1] == CATALOG_ID):
                return found[1]
        line = f"{CATALOG_ID}:{CATALOG}:{CATALOG.replace('/', '-')}\n"
        path.write_text(text + ("" if text.endswith("\n") else "\n") + line, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _not_writable(folder, error) from error
    return CATALOG_ID


def store(action: Any, folder: Path) -> Path:
    """Write an asset to a .blend of its own in a library's folder, never over another, and take it out of this file.

    Errors: ``asset.no_library``, ``asset.not_writable``.
    """
    if not folder.is_dir():
        raise HmdiffError(
            "asset.no_library", f"The asset library's folder {folder} is not there.",
            "Make it, or choose another library in Preferences > File Paths.",
        )  # fmt: skip
    inside = folder / "HMDiff poses"
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", action.name).strip(" .") or "pose"
    try:
        inside.mkdir(exist_ok=True)
        path = next(
            path for number in range(10_000)
            if not (path := inside / f"{name}{f' {number + 1}' if number else ''}.blend").exists()
        )  # fmt: skip
        bpy.data.libraries.write(str(path), {action}, fake_user=True, compress=True)
    except (OSError, RuntimeError) as error:
        raise _not_writable(folder, error) from error
    bpy.data.actions.remove(action)
    return path


def _not_writable(folder: Path, error: Exception) -> HmdiffError:
    return HmdiffError(
        "asset.not_writable", f"Nothing can be written to {folder}.", "Choose another asset library.", repr(error)
    )
