"""The program that turns a take into a file, in a process of its own that has bpy.

    python -m hmdiff_blender TAKE -o X.blend
    blender -b --python blender_addon/__main__.py -- TAKE -o X.blend

Lines of JSON on stdout: ``{"done": 3, "total": 120, "stage": "..."}`` while it works, ``{"written": [...]}`` at the
end, ``{"error": {"kind", "message", "fix", "detail"}}`` and exit code 1 when it cannot.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import read_take


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="hmdiff_blender", description="Turn a take into a Blender file.")
    parser.add_argument("take", type=Path, help="folder of the take")
    parser.add_argument("-o", "--output", type=Path, required=True, help="X.blend, .glb, .fbx, .bvh, .abc ...")
    parser.add_argument("--hypotheses", type=int, default=None, help="hypothesis bodies (all of a photo, 4 of a clip)")
    parser.add_argument("--fps", type=float, default=None, help="frame rate of the scene (the video's)")
    parser.add_argument("--shape-key-limit", type=int, default=1500, help="longer motions go to a PC2 file")
    parser.add_argument("--raw", action="store_true", help="the raw rows instead of the smoothed motion")
    options = parser.parse_args(arguments)
    try:
        written = write(options)
    except HmdiffError as error:
        _say({"error": error.to_dict()})
        return 1
    except Exception:
        detail = traceback.format_exc()
        error = HmdiffError(
            "blender.failed", "Making the Blender file failed.", "Report this with the details shown.", detail
        )
        _say({"error": error.to_dict()})
        return 1
    _say({"written": [str(path) for path in written]})
    return 0


def write(options: argparse.Namespace) -> list[Path]:
    """Build the scene in an empty file and write it."""
    import bpy

    from . import compat, exports
    from .build import BuildOptions, iter_build
    from .stage import prepare_file, show_camera_view

    if bpy.app.version < compat.MINIMUM_VERSION:
        raise HmdiffError(
            "blender.too_old", f"Blender {bpy.app.version_string} is too old.", "Use Blender 4.2 or newer (--blender)."
        )
    is_blend = exports.checked_suffix(options.output) == ".blend"
    by_vertices = is_blend or exports.format_of(options.output).holds[0] is exports.What.BODY
    take = read_take(options.take, raw=options.raw)
    output = options.output.resolve()
    prepare_file(output if is_blend else None)
    build = BuildOptions(
        hypotheses=options.hypotheses if is_blend else 0, shape_key_limit=options.shape_key_limit, own_scene=True,
        fps=options.fps, vertex_motion=by_vertices,
    )  # fmt: skip
    for progress in iter_build(take, build):
        _say({"done": progress.done, "total": progress.total, "stage": progress.stage})
    show_camera_view()
    return exports.export(output)


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), file=sys.stdout, flush=True)
