"""Carrying out an export's order: in this Blender, or as the program of a second one (see core/export_child).

    blender -b --python blender_addon/__main__.py -- --wire FOLDER --export FOLDER/order.json

leaves ``result.json`` beside the order: ``{"written": [...]}``, names that begin with the order's token, or ``{"error":
{...}}``. Progress goes to stdout.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError

from ..core.export_child import RESULT
from ..core.export_rules import Order, Progress, sweep
from . import naming
from .exports import What, Wish, export
from .exports.character import export_character
from .exports.wish import Told, silent

ADDONS = ("io_scene_fbx", "io_scene_gltf2", "io_anim_bvh")
"""Blender's own add-ons that write our formats; the artist may have switched them off."""
EVERY_S = 0.1


def main(arguments: Sequence[str]) -> int:
    """Does not return to a Blender that would take itself apart, and seconds for it, with nothing left to do."""
    place = Path(arguments[0])
    order = Order.from_json(place.read_text(encoding="utf-8"))
    threading.Thread(target=_end_with_parent, args=(order,), daemon=True).start()
    try:
        result: dict[str, Any] = {"written": [str(path) for path in _in_copy(order)]}
    except HmdiffError as error:
        result = {"error": error.to_dict()}
    except Exception:
        result = {"error": broken(traceback.format_exc()).to_dict()}
    making = place.with_suffix(".making")
    making.write_text(json.dumps(result), encoding="utf-8")
    os.replace(making, place.with_name(RESULT))
    sys.stdout.flush()
    os._exit(0)


def carry_out(order: Order, told: Told = silent) -> list[Path]:
    """Write what is asked for, from the file that is open, beside its place; told(frame, frames) while it reads.

    Errors: those of ``exports.export`` and ``export_character``; nothing is left then.
    """
    try:
        if order.subject == "CHARACTER":
            return export_character(order.beside, _item(order), order.fps, told)
        return export(order.beside, Wish(order.clip, What(order.what) if order.what else None, order.fps, told))
    except HmdiffError as error:
        sweep(order)
        raise HmdiffError(error.kind, error.message.replace(order.token, ""), error.fix, error.detail) from error
    except BaseException:
        sweep(order)
        raise


def broken(detail: str) -> HmdiffError:
    return HmdiffError(
        "export.broken", "Something broke inside HMDiff while it exported.",
        "Copy the report with the button beside this and send it.", detail,
    )  # fmt: skip


def _in_copy(order: Order) -> list[Path]:
    _switch_addons(order.addons)
    teller = _Teller()
    teller.tell(Progress("opening"))
    try:
        bpy.ops.wm.open_mainfile(filepath=order.blend, use_scripts=order.scripts, load_ui=False)
    except RuntimeError as error:
        raise HmdiffError(
            "export.no_copy", "The copy of the file could not be opened for the export.",
            "Save the file and export again.", str(error),
        ) from error  # fmt: skip
    _find_takes(order.folder)
    bpy.app.handlers.frame_change_post.append(teller.shown)
    scene = bpy.data.scenes.get(order.scene) or bpy.context.scene
    layer = scene.view_layers.get(order.layer) or scene.view_layers[0]
    with bpy.context.temp_override(scene=scene, view_layer=layer):
        return carry_out(order, teller.read)


def _switch_addons(wanted: Sequence[str]) -> None:
    """As they are in the artist's Blender, which may not have saved that; nothing is saved here either."""
    import addon_utils

    for name in ADDONS:
        on = addon_utils.check(name)[1]
        if name in wanted and not on:
            addon_utils.enable(name, default_set=False)
        elif name not in wanted and on:
            addon_utils.disable(name, default_set=False)


def _find_takes(folder: str) -> None:
    """Paths that only we know are still those of the artist's file; Blender has moved its own along."""
    for item in (*bpy.data.objects, *bpy.data.collections):
        stored = item.get(naming.TAKE)
        if folder and item.library is None and isinstance(stored, str) and stored.startswith("//"):
            item[naming.TAKE] = os.path.normpath(os.path.join(folder, stored[2:].replace("\\", os.sep)))


def _item(order: Order) -> Any:
    for item in bpy.data.objects:
        if item.name == order.item and (item.library.name if item.library else "") == order.library:
            return item
    return None


class _Teller:
    """Progress to stdout, a few lines a second."""

    def __init__(self) -> None:
        self._said = 0.0
        self._frames = 0
        self._all_read = False

    def tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._said >= EVERY_S or progress.frame in (0, progress.frames):
            self._said = now
            print(progress.line(), flush=True)

    def read(self, frame: int, frames: int) -> None:
        self._frames, self._all_read = frames, frame == frames
        self.tell(Progress("reading", frame, frames))

    def shown(self, scene: Any, *_: Any) -> None:
        """Blender's exporters go through the frames of the scene they write."""
        if self._all_read:
            self.tell(Progress("writing", min(scene.frame_current + 1, self._frames), self._frames))


def _end_with_parent(order: Order) -> None:
    """The pipe to us closes with the Blender that wants the export, even where that is killed."""
    try:
        sys.stdin.buffer.read()
    finally:
        sweep(order)
        os._exit(1)
