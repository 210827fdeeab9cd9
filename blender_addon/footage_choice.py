"""The footage the artist means, as a file the backend can read, and what Blender knows about it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError

from . import footage_inside, preferences
from .core.source import Footage, resolve


def chosen(settings: Any, scene: Any) -> Footage:
    """Errors: nothing chosen, file missing or of no known kind, nothing there to take it from."""
    match settings.source:
        case "CAMERA":
            return footage_inside.behind_camera(scene.camera)
        case "CLIP":
            return footage_inside.active_clip(scene)
        case "STRIP":
            return footage_inside.active_strip(scene)[0]
        case "RENDER":
            return footage_inside.render_result(scene, preferences.user_folder() / "renders")
    path = settings.sequence if settings.source == "SEQUENCE" else settings.filepath
    if not path:
        raise HmdiffError("input.none", "No footage is chosen yet.", "Choose a movie, a photo or a sequence above.")
    return resolve(settings.source, bpy.path.abspath(path))


def measure(settings: Any, scene: Any) -> None:
    """Note the footage's number of frames and its rate on the settings; zeros where they are not known."""
    settings.count, settings.rate = 0, 0.0
    if settings.source == "RENDER":  # choosing it would save it
        return
    with contextlib.suppress(HmdiffError):
        footage = chosen(settings, scene)
        settings.measured = footage.path
        settings.count = footage.count or 0
        if footage.job_kind == "animate" and not footage.count:
            settings.count, settings.rate = _movie(Path(footage.path))
    if settings.count:
        settings.first, settings.last = 1, settings.count
    if settings.source == "STRIP":
        _take_part(settings, scene)


def chosen_anew(settings: Any, scene: Any) -> Footage:
    """The same as ``chosen``; where another clip or strip became the active one, its range is the one that counts."""
    footage = chosen(settings, scene)
    if settings.source in ("CAMERA", "CLIP", "STRIP") and settings.measured != footage.path:
        measure(settings, scene)
    return footage


def place(settings: Any, scene: Any, otherwise: int) -> int:
    """The scene's frame at which the footage begins: a strip's own place."""
    return footage_inside.active_strip(scene)[1].start if settings.source == "STRIP" else otherwise


def frames_to_do(settings: Any) -> int:
    """How many frames a run would go through; 0 while unknown. For panels: touches no file."""
    if settings.use_range:
        last = min(settings.last, settings.count or settings.last)
        return max(0, last - settings.first + 1)
    return settings.count


def described(settings: Any, scene: Any) -> str:
    """One line about the footage for the panel; touches no file."""
    if settings.source == "CAMERA" and scene.camera is None:
        return "The scene has no camera."
    if not settings.count:
        return ""
    seconds = f", {settings.count / settings.rate:.1f} s" if settings.rate else ""
    return f"{settings.count} frames{seconds}"


def _take_part(settings: Any, scene: Any) -> None:
    """Of a strip that was cut, only what is on the timeline."""
    with contextlib.suppress(HmdiffError):
        part = footage_inside.active_strip(scene)[1]
        last = min(part.last, settings.count or part.last)
        settings.use_range = part.first > 1 or (bool(settings.count) and last < settings.count)
        settings.first, settings.last = part.first, last


def _movie(path: Path) -> tuple[int, float]:
    """Frames and frames per second by Blender's own reading; zeros where it cannot."""
    try:
        clip = bpy.data.movieclips.load(str(path))
    except RuntimeError:
        return 0, 0.0
    found = int(clip.frame_duration), float(clip.fps)
    bpy.data.movieclips.remove(clip)
    return found
