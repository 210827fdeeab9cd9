"""The page about a batch, with a picture of every clip that has a result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from hmdiff_wire.batch import Batch, Entry
from hmdiff_wire.batch_page import summary_page
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take, read_take
from PIL import Image as Pillow

from ..video.files import written_whole
from ..video.overlay import overlay_frame
from ..video.source import open_source
from .quality import take_quality

PAGE, PICTURES = "summary.html", "thumbnails"
WIDTH = 480


def write_summary(batch: Batch, out: Path) -> Path:
    """Make the page anew; pictures that are there already are kept. Figures that are missing are read off the takes.

    Errors: ``disk.full``, ``output.not_writable``.
    """
    entries: list[Entry] = []
    pictures: dict[str, str] = {}
    for entry in batch.entries:
        picture = out / PICTURES / f"{entry.id}.jpg"
        if entry.state in ("done", "stopped", "failed") and entry.begun:
            entry = _looked_at(entry, picture)
        if picture.is_file():
            pictures[entry.id] = f"{PICTURES}/{entry.id}.jpg"
        entries.append(entry)
    page = out / PAGE
    with written_whole(page) as temporary:
        temporary.write_text(summary_page(replace(batch, entries=tuple(entries)), pictures), encoding="utf-8")
    return page


def _looked_at(entry: Entry, picture: Path) -> Entry:
    """A take that cannot be read, or footage that is gone, costs the picture and not the page."""
    try:
        take = read_take(Path(entry.take))
        if not entry.quality:
            entry = replace(entry, quality=take_quality(take))
        if not picture.is_file():
            draw_thumbnail(take, Path(entry.source), picture)
    except HmdiffError:
        pass
    return entry


def draw_thumbnail(take: Take, source: Path, out: Path) -> None:
    """The bodies over the middle one of the frames that have any. Errors: those of the source and of writing."""
    known = np.flatnonzero(take.valid.any(0))
    if not len(known):
        return
    position = int(known[len(known) // 2])
    frame = next(iter(open_source(source).starting_at(int(take.frame_indices[position]))), None)
    if frame is None:
        return
    height, width = frame.image_rgb.shape[:2]
    size = (WIDTH, max(1, round(height * WIDTH / width)))
    small = cv2.resize(frame.image_rgb, size, interpolation=cv2.INTER_AREA)
    with written_whole(out) as temporary:
        Pillow.fromarray(overlay_frame(take, position, np.asarray(small, np.uint8), legend=False)).save(temporary)
