"""Contact sheets of rendered pictures, with true joints and what the detector saw, for looking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hmdiff_wire.body import JOINT_NAMES
from numpy.typing import NDArray

from ...bodies.anny_rig import PARENTS
from ...detect.observation import LIMB_SLOTS
from .detections import read_seen, seen_path
from .film import from_jpeg
from .shards import Arrays, Shard, read_shards, write_whole

Picture = NDArray[Any]
TILE = 320
LEFT, RIGHT, MIDDLE = (40, 190, 255), (255, 120, 40), (230, 230, 230)
DETECTED, FALSE, MISSED = (90, 255, 90), (255, 60, 255), (255, 40, 40)


def contact_sheet(
    folder: Path, out: Path, count: int = 36, columns: int = 6, marks: bool = True, first: int | None = None
) -> int:
    """Write a sheet of up to count pictures spread over the folder, from picture ``first`` on in order where given;
    returns their number.

    Bones: left blue, right orange (the person's own sides), thin where the joint is hidden. Green dots: the detector's
    limb landmarks, a line leads to the truth. A red box: nobody was detected there. Pink: a detection of nobody.
    Errors: ``render.not_found``, ``render.damaged``.
    """
    shards = list(read_shards(folder))
    places = [(shard, row) for shard in shards for row in range(len(shard.truth["picture"]))]
    chosen = np.arange(first, min(first + count, len(places))) if first is not None else _spread(len(places), count)
    wanted = {(places[i][0].index, places[i][1]) for i in chosen}
    tiles = []
    for shard in shards:
        if not any(index == shard.index for index, _ in wanted):
            continue
        seen = read_seen(folder, shard.index) if seen_path(folder, shard.index).is_file() else None
        for row, data in enumerate(shard.pictures()):
            if (shard.index, row) in wanted:
                tiles.append(_tile(shard, seen, row, from_jpeg(data), marks))
    while len(tiles) % columns:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, cv2.imencode(out.suffix, np.concatenate(rows)[..., ::-1])[1].tobytes())
    return len(wanted)


def _spread(total: int, count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, total - 1, min(count, total)).astype(int))


def _tile(shard: Shard, seen: Arrays | None, row: int, picture: Picture, marks: bool) -> Picture:
    scale = TILE / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if marks:
        for person in shard.people_of(row):
            _draw_truth(small, shard, int(person), scale)
            if seen is not None:
                _draw_seen(small, shard, seen, int(person), scale)
        if seen is not None:
            for index in np.flatnonzero(seen["false_row"] == row):
                _box(small, seen["false_box"][index], scale, FALSE)
    tile = np.zeros((TILE, TILE, 3), np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small[:TILE, :TILE]
    label = f"{shard.truth['picture'][row]}"
    cv2.putText(tile, label, (4, TILE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


def _draw_truth(tile: Picture, shard: Shard, person: int, scale: float) -> None:
    points = np.clip(shard.truth["joints_2d"][person] * scale, -2000, 2000)
    hidden = shard.truth["hidden_joints"][person]
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            name = JOINT_NAMES[joint]
            colour = LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE
            ends = [tuple(int(v * 8) for v in points[k]) for k in (parent, joint)]
            if not hidden[joint]:
                cv2.line(tile, ends[0], ends[1], colour, 2, cv2.LINE_AA, 3)
            else:
                cv2.line(tile, ends[0], ends[1], tuple(c // 2 for c in colour), 1, cv2.LINE_AA, 3)


def _draw_seen(tile: Picture, shard: Shard, seen: Arrays, person: int, scale: float) -> None:
    if seen["status"][person] == "missed":
        _box(tile, shard.truth["box_seen"][person], scale, MISSED)
        return
    for slot in (0, *LIMB_SLOTS):
        here = np.clip(seen["landmarks_2d"][person, slot] * scale, -2000, 2000)
        truth = np.clip(shard.truth["landmarks_2d"][person, slot] * scale, -2000, 2000)
        start, end = (tuple(int(v * 8) for v in point) for point in (here, truth))
        cv2.line(tile, start, end, DETECTED, 1, cv2.LINE_AA, 3)
        cv2.circle(tile, start, 16 if seen["confidence"][person, slot] > 0.5 else 8, DETECTED, -1, cv2.LINE_AA, 3)


def _box(tile: Picture, box: NDArray[np.floating], scale: float, colour: tuple[int, int, int]) -> None:
    if np.isfinite(box).all():
        x0, y0, x1, y1 = (int(v * scale) for v in box)
        cv2.rectangle(tile, (x0, y0), (x1, y1), colour, 1)
