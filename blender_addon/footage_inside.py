"""Footage that Blender already holds: behind a camera, as a movie clip, in the sequencer, as a render."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError

from .core.source import Footage, resolve
from .scene import compat


@dataclass(frozen=True)
class Part:
    """Which frames of a strip's footage are on the timeline: first and last, counted from 1; start: their place."""

    first: int
    last: int
    start: int


def behind_camera(camera: Any) -> Footage:
    """Errors: no camera, nothing behind it, not a file."""
    if camera is None or camera.type != "CAMERA":
        raise HmdiffError("input.no_camera", "The scene has no camera.", "Add one, or choose a file as the source.")
    for background in camera.data.background_images:
        if background.source == "MOVIE_CLIP" and background.clip is not None:
            return _of(background.clip.source, background.clip.filepath, background.clip)
        if background.source == "IMAGE" and background.image is not None:
            return _of(background.image.source, background.image.filepath, background.image)
    raise HmdiffError(
        "input.no_background", f"There is no footage behind {camera.name}.",
        "Add it under the camera's Background Images, or choose a file as the source.",
    )  # fmt: skip


def active_clip(scene: Any) -> Footage:
    """The scene's movie clip, else the one in a Movie Clip Editor, else the only one. Errors: there is none."""
    shown = [
        area.spaces.active.clip for window in bpy.context.window_manager.windows for area in window.screen.areas
        if area.type == "CLIP_EDITOR" and area.spaces.active.clip is not None
    ]  # fmt: skip
    every = list(bpy.data.movieclips)
    clip = scene.active_clip or next(iter(shown), None) or (every[0] if len(every) == 1 else None)
    if clip is None:
        raise HmdiffError(
            "input.no_clip", "There is no active movie clip.",
            "Open one in the Movie Clip Editor, or choose it in Scene Properties > Scene > Active Clip.",
        )  # fmt: skip
    return _of(clip.source, clip.filepath, clip)


def active_strip(scene: Any) -> tuple[Footage, Part]:
    """The sequencer's active strip. Errors: there is none, or it holds neither a movie nor pictures."""
    strip = scene.sequence_editor.active_strip if scene.sequence_editor is not None else None
    if strip is None:
        raise HmdiffError("input.no_strip", "No strip is active in the sequencer.", "Click a movie or image strip.")
    if strip.type == "MOVIE":
        footage = resolve("FILE", bpy.path.abspath(strip.filepath, library=scene.library))
    elif strip.type == "IMAGE":
        folder = Path(bpy.path.abspath(strip.directory, library=scene.library))
        several = len(strip.elements) > 1
        footage = resolve("SEQUENCE" if several else "FILE", str(folder / strip.elements[0].filename))
    else:
        raise HmdiffError(
            "input.strip_kind", f"The strip {strip.name} is neither a movie nor pictures.", "Choose one that is."
        )
    before, length, start = compat.strip_part(strip)
    return footage, Part(before + 1, before + length, start)


def render_result(scene: Any, folder: Path) -> Footage:
    """The picture that was rendered last, saved in ``folder``. Errors: nothing was rendered yet."""
    image = bpy.data.images.get("Render Result")
    if image is None or image.type != "RENDER_RESULT":
        raise _no_render()
    folder.mkdir(parents=True, exist_ok=True)
    taken = {path.name for path in folder.iterdir()}
    path = next(folder / name for number in range(1, 100_000) if (name := f"render-{number:04d}.png") not in taken)
    settings = scene.render.image_settings
    kept = {name: getattr(settings, name) for name in ("media_type", "file_format") if hasattr(settings, name)}
    try:
        if "media_type" in kept:
            settings.media_type = "IMAGE"
        settings.file_format = "PNG"
        image.save_render(str(path), scene=scene)
    except RuntimeError as error:
        raise _no_render() from error
    finally:
        for name, value in kept.items():
            setattr(settings, name, value)
    if not path.is_file():
        raise _no_render()
    return resolve("FILE", str(path))


def _no_render() -> HmdiffError:
    return HmdiffError("input.no_render", "Nothing has been rendered yet.", "Render an image (F12) first.")


def _of(kind: str, filepath: str, owner: Any) -> Footage:
    """kind: FILE, SEQUENCE or MOVIE as Blender names an image's or a clip's source."""
    if kind not in ("FILE", "SEQUENCE", "MOVIE"):
        raise HmdiffError(
            "input.not_a_file", f"{owner.name} is made inside Blender.", "Save it as a file and use that as the source."
        )
    if getattr(owner, "packed_file", None) and not Path(bpy.path.abspath(filepath)).is_file():
        raise HmdiffError(
            "input.packed", f"{owner.name} is packed into the .blend file.", "Unpack it (File > External Data) first."
        )
    path = bpy.path.abspath(filepath, library=owner.library)
    return resolve("SEQUENCE" if kind == "SEQUENCE" else "FILE", path)
