"""The take's bodies painted over its footage, as a video or a picture, with a small legend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import HELD, OK, STATUS_NAMES, Take
from PIL import Image as Pillow

from .encode import write_video
from .files import written_whole
from .frames import Frame, Image
from .render import Mesh, draw_meshes, person_colour
from .source import open_source

Progress = Callable[[int, int], None]
ALPHA, HELD_ALPHA = 0.82, 0.4


def overlay_frame(take: Take, position: int, image_rgb: Image, legend: bool = True) -> Image:
    """Frame ``position`` (0..F-1) of the take over its picture (H,W,3), which may be a scaled copy of the original."""
    height, width = image_rgb.shape[:2]
    scale = width / take.header.width
    people = np.flatnonzero(take.valid[:, position])
    meshes = [
        Mesh(take.decode(int(person), [position])[0], take.body.faces, person_colour(int(take.track_ids[person])))
        for person in people
    ]
    alphas = [HELD_ALPHA if take.status[person, position] == HELD else ALPHA for person in people]
    center = (take.center[0] * scale, take.center[1] * scale)
    out = draw_meshes(image_rgb, meshes, float(take.focal[position]) * scale, center, alphas)
    return draw_legend(out, take, position) if legend else out


def write_overlay(take: Take, source_path: Path, out_mp4: Path, progress: Progress | None = None) -> int:
    """Write an mp4 (H.264) of the take's frames with their own time stamps, the first at 0 -> frames written.

    Memory stays flat in the clip's length.
    Errors: those of ``open_source``, ``overlay.no_frames``, ``output.not_writable``.
    """
    source = open_source(Path(source_path), fps=take.header.fps if take.header.source_kind == "sequence" else None)
    info = source.info
    done = write_video(Path(out_mp4), info.width, info.height, info.fps, _painted(take, source_path, progress))
    if not done:
        raise _no_frames(take, Path(source_path))
    return done


def overlay_image(take: Take, source_path: Path, out_png: Path, position: int = 0) -> None:
    """Write one frame of the take over its photo, at the photo's full size. Errors as ``write_overlay``."""
    if not 0 <= position < take.n_frames:
        raise _no_frames(take, Path(source_path))
    index = int(take.frame_indices[position])
    frame = next(iter(open_source(Path(source_path)).starting_at(index)), None)
    if frame is None:
        raise _no_frames(take, Path(source_path))
    picture = overlay_frame(take, position, frame.image_rgb)
    with written_whole(Path(out_png)) as temporary:
        Pillow.fromarray(picture).save(temporary)


def draw_legend(image_rgb: Image, take: Take, position: int) -> Image:
    """A swatch and name per person in the picture, their status where it is not ``ok``, frame and time -> a copy."""
    height, width = image_rgb.shape[:2]
    unit = max(0.45, min(height, width) / 900)
    step, margin = round(26 * unit), round(10 * unit)
    lines: list[tuple[tuple[int, int, int] | None, str]] = []
    for person in np.flatnonzero(take.valid[:, position])[:8]:
        track, code = int(take.track_ids[person]), int(take.status[person, position])
        lines.append((person_colour(track), f"person {track}" + ("" if code == OK else f"  ({STATUS_NAMES[code]})")))
    lines.append((None, f"frame {int(take.frame_indices[position])}   {take.times[position]:.2f} s"))
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.6 * unit
    thickness = max(1, round(1.2 * unit))
    widest = max(cv2.getTextSize(text, font, size, thickness)[0][0] + (step if swatch else 0) for swatch, text in lines)
    out = np.array(image_rgb)
    panel = out[margin : 2 * margin + step * len(lines), margin : 3 * margin + widest]
    panel[:] = (panel * 0.35).astype(np.uint8)
    for row, (swatch, text) in enumerate(lines):
        x, y = 2 * margin, round(1.5 * margin) + step * row
        if swatch:
            cv2.rectangle(out, (x, y + step // 4), (x + step // 2, y + step * 3 // 4), swatch, -1, cv2.LINE_AA)
            x += step
        cv2.putText(out, text, (x, y + round(step * 0.72)), font, size, (245, 245, 245), thickness, cv2.LINE_AA)
    return out


def _painted(take: Take, source_path: Path, progress: Progress | None) -> Iterator[Frame]:
    if not take.n_frames:
        return
    fps = take.header.fps if take.header.source_kind == "sequence" else None
    first, end = int(take.frame_indices[0]), int(take.frame_indices[-1]) + 1
    done = 0
    for frame in open_source(Path(source_path), (first, end), fps):
        position = int(np.searchsorted(take.frame_indices, frame.index))
        if take.frame_indices[position] != frame.index:
            continue
        yield Frame(frame.index, float(take.times[position]), overlay_frame(take, position, frame.image_rgb))
        done += 1
        if progress:
            progress(done, take.n_frames)


def _no_frames(take: Take, source: Path) -> HmdiffError:
    return HmdiffError(
        "overlay.no_frames", f"{source.name} has none of the frames of the take.",
        "Give the clip the take was made from.", f"take of {take.header.source_path}, {take.n_frames} frames",
    )  # fmt: skip
