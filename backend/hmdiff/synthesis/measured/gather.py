"""Rendered folders with the detector's readings as one table: who was found, and what was said of whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ...detect.observation import LIMB_SLOTS, Crop, Observation
from ...models.inputs import GRID, HEATMAP_SLOTS, canonical_crop
from ...models.observe import inputs_from_observations
from ..render.detections import read_seen, seen_path
from ..render.shards import Arrays, Shard, finished, read_shard
from ..render.truth import HIDDEN_OBJECT, HIDDEN_PERSON, HIDDEN_SELF, OUTSIDE
from .covariates import covariates, facing
from .maps import heat_shapes, mask_shape
from .sight import Sight, drawn_masks, on_grid

Array = NDArray[Any]
MASK_FIGURES = ("iou", "missing", "extra", "foreign", "hole", "soft", "eaten", "added", "faded")
_OTHERS = HIDDEN_OBJECT | HIDDEN_PERSON


@dataclass(frozen=True)
class Everybody:
    """N people in pictures, found or not.

    found (N,) bool; size (N,) px, the longer side of all landmarks' box; blocked, outside (N,): shares of the 12 limb
    landmarks behind things or others and outside the picture; turn (N,2) as ``facing``; elevation (N,) radians from
    which the camera looks down; cov (N,7) as COVARIATES; clip (N,), frame (N,): a run of frames of one person, -1 for
    single pictures.
    """

    found: Array
    size: Array
    blocked: Array
    outside: Array
    turn: Array
    elevation: Array
    cov: Array
    clip: Array
    frame: Array


@dataclass(frozen=True)
class Readings:
    """M found people. Points in px of the picture; metres in camera axes.

    landmarks (M,33,3), truth_2d, seen_2d (M,33,2), size (M,), metre (M,) px that a metre has at the hips, beyond
    (M,33,2) how far the truth lies outside the picture, 0 inside, over the size, classes (M,33) as CLASSES, inside
    (M,33) whether the reading lies in the picture, confidence, peak (M,33), z (M,33) metres relative to the hips'
    middle, world (M,33,3), centre (M,2), side (M,): the canonical crop; peak_at (M,15,2) px, width (M,15) cells of the
    canonical crop, aspect, ghost (M,15): see HeatShape; mask_own, mask_drawn (M,9) as MASK_FIGURES, against the pixels
    that are the person's and against what training draws of them; drawn, read (M,392): the latter and the reading's
    mask above 0.5, as packed bits; person (M,): row in Everybody.
    """

    landmarks: Array
    truth_2d: Array
    seen_2d: Array
    size: Array
    metre: Array
    beyond: Array
    classes: Array
    inside: Array
    confidence: Array
    peak: Array
    z: Array
    world: Array
    centre: Array
    side: Array
    peak_at: Array
    width: Array
    aspect: Array
    ghost: Array
    mask_own: Array
    mask_drawn: Array
    drawn: Array
    read: Array
    person: Array


@dataclass(frozen=True)
class Table:
    """pictures read; false: detections of nobody; fps: frames per second of the clips."""

    everybody: Everybody
    readings: Readings
    pictures: int
    false: int
    fps: float


def gather(folders: Sequence[Path], sight: Sight) -> Table:
    """All shards of the folders that the detector has read.

    Errors: ``render.not_detected``, ``render.damaged``.
    """
    parts = [part for number, folder in enumerate(folders) for part in _shards(folder, sight, number)]
    if not parts or not sum(len(part.readings.size) for part in parts):
        names = ", ".join(str(folder) for folder in folders)
        raise HmdiffError("render.not_detected", f"The detector has found nobody in {names} yet.",
                          "Run `hmdiff synth render` and `hmdiff synth detect` first.")  # fmt: skip
    starts = np.cumsum([0, *(len(part.everybody.size) for part in parts[:-1])])
    readings = _join(Readings, [part.readings for part in parts])
    lengths = [len(part.readings.size) for part in parts]
    readings.person[:] += np.repeat(starts, lengths)
    return Table(
        _join(Everybody, [part.everybody for part in parts]), readings,
        sum(part.pictures for part in parts), sum(part.false for part in parts),
        min(part.fps for part in parts),
    )  # fmt: skip


def _join(kind: Any, parts: Sequence[Any]) -> Any:
    return kind(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(kind)))


def _shards(folder: Path, sight: Sight, number: int) -> Iterator[Table]:
    for index in finished(folder):
        if seen_path(folder, index).is_file():
            yield read_part(read_shard(folder, index), read_seen(folder, index), sight, number)


def read_part(shard: Shard, seen: Arrays, sight: Sight, number: int = 0) -> Table:
    """One shard with its readings. number: the folder's, so that clips of several folders stay apart."""
    truth = shard.truth
    rows = truth["row"]
    size = np.ptp(truth["landmarks_2d"], axis=1).max(-1)
    hidden = truth["hidden_landmarks"]
    limbs = hidden[:, list(LIMB_SLOTS)]
    landmarks, classes = torch.from_numpy(truth["landmarks"]), torch.from_numpy(classes_of(hidden))
    hips = landmarks[:, 23:25].mean(1)
    everybody = Everybody(
        found=seen["map_row"] >= 0,
        size=size,
        blocked=((limbs & _OTHERS) > 0).mean(1),
        outside=(limbs == OUTSIDE).mean(1),
        turn=facing(landmarks, hips).numpy(),
        elevation=truth["elevation"],
        cov=covariates(landmarks, hips, classes).numpy(),
        clip=_clips(truth, number),
        frame=truth["frame"][rows],
    )
    found = np.flatnonzero(everybody.found)
    return Table(
        everybody, _readings(shard, seen, sight, found), len(truth["picture"]), len(seen["false_row"]), _fps(truth)
    )


def _fps(truth: Arrays) -> float:
    """Frames per second of a shard of clips, infinity where there are none."""
    later = truth["frame"] > 0
    return float(np.median(truth["frame"][later] / truth["clip_time"][later])) if later.any() else np.inf


def _clips(truth: Arrays, number: int) -> Array:
    """Whose run of frames a row belongs to; -1 where a scene has one frame only."""
    rows = truth["row"]
    moving = np.isin(truth["scene"], truth["scene"][truth["frame"] > 0])
    whose = ((number * 1_000_000 + truth["scene"][rows]) * 64 + truth["view"][rows]) * 64 + truth["person"]
    return np.where(moving[rows], whose, -1).astype(np.int64)


def classes_of(hidden: Array) -> Array:
    """Bits of a truth's ``hidden_landmarks`` -> CLASSES."""
    nearest = np.where((hidden & _OTHERS) > 0, 2, np.where((hidden & HIDDEN_SELF) > 0, 1, 0))
    return np.where(hidden == OUTSIDE, 3, nearest).astype(np.uint8)


def _readings(shard: Shard, seen: Arrays, sight: Sight, found: Array) -> Readings:
    truth = {name: value[found] for name, value in shard.truth.items() if len(value.shape) and name in _PER_PERSON}
    read = {name: seen[name][found] for name in ("landmarks_2d", "confidence", "z", "world", "box", "crop", "map_row")}
    picture = shard.truth["row"][found]
    frame, focal = shard.truth["size"][picture], shard.truth["focal"][picture]
    points = torch.from_numpy(read["landmarks_2d"])
    centre, side = (
        part.numpy()
        for part in canonical_crop(points, torch.from_numpy(read["confidence"]), torch.from_numpy(read["box"]))
    )
    count = len(found)
    drawn = drawn_masks(truth, frame, focal, centre, side, sight) if count else np.zeros((0, GRID, GRID), bool)
    slots = list(HEATMAP_SLOTS)
    shapes = {name: np.full((count, 15, *size), np.nan, np.float32) for name, size in _SHAPES.items()}
    masks = {name: np.full((count, len(MASK_FIGURES)), np.nan, np.float32) for name in ("own", "drawn")}
    peak, area = np.zeros((count, 33), np.float32), np.zeros((count, GRID * GRID), bool)
    for k in range(count):
        maps = seen["heatmaps"][read["map_row"][k]]
        peak[k] = maps[:33].reshape(33, -1).max(1) / np.float32(255)
        grid = _grid(read, k, maps, seen["mask"][read["map_row"][k]])
        cells = _to_cells(read["landmarks_2d"][k, slots], centre[k], side[k])
        shape = heat_shapes(grid[:-1], cells)
        shapes["peak_at"][k] = (shape.peak_at / GRID - 0.5) * side[k] + centre[k]
        for name in ("width", "aspect", "ghost"):
            shapes[name][k] = getattr(shape, name)
        area[k] = grid[-1].ravel() > 0.5
        own = on_grid(shard.mask(int(found[k])), centre[k], side[k])
        for name, raster in (("own", own), ("drawn", drawn[k])):
            figures = mask_shape(grid[-1], raster)
            if figures is not None:
                masks[name][k] = [getattr(figures, figure) for figure in MASK_FIGURES]
    seen_2d = read["landmarks_2d"]
    hips = truth["landmarks"][:, 23:25].mean(1)
    size = np.ptp(truth["landmarks_2d"], axis=1).max(-1)
    beyond = truth["landmarks_2d"] - truth["landmarks_2d"].clip(0, frame[:, None].astype(np.float32))
    return Readings(
        landmarks=truth["landmarks"],
        truth_2d=truth["landmarks_2d"],
        seen_2d=seen_2d,
        size=size,
        beyond=beyond / size[:, None, None],
        metre=(focal / hips[:, 2]).astype(np.float32),
        classes=classes_of(truth["hidden_landmarks"]),
        inside=((seen_2d >= 0) & (seen_2d < frame[:, None])).all(-1),
        confidence=read["confidence"],
        peak=peak,
        z=read["z"] * (hips[:, 2] / focal)[:, None],
        world=read["world"],
        centre=centre,
        side=side,
        mask_own=masks["own"],
        mask_drawn=masks["drawn"],
        drawn=np.packbits(drawn.reshape(count, -1), axis=1),
        read=np.packbits(area, axis=1),
        person=found,
        **shapes,
    )


_PER_PERSON = ("landmarks", "landmarks_2d", "hidden_landmarks", "betas", "pose", "joints")
_SHAPES: dict[str, tuple[int, ...]] = {"peak_at": (2,), "width": (), "aspect": (), "ghost": ()}


def _grid(read: Arrays, k: int, maps: Array, mask: Array) -> NDArray[np.float32]:
    """(16,56,56) as the networks get it: through the code that users' pictures go through."""
    x, y, size, angle = (float(value) for value in read["crop"][k])
    one = Observation(
        0, "ok", read["box"][k], Crop(np.array([x, y], np.float32), size, angle), read["landmarks_2d"][k],
        read["confidence"][k], read["z"][k], read["world"][k], maps.astype(np.float32) / 255,
        mask.astype(np.float32) / 255, 0.0, "blazepose",
    )  # fmt: skip
    return inputs_from_observations([one], [1.0], (0.0, 0.0)).grid[0].numpy()


def _to_cells(points: Array, centre: Array, side: Array) -> NDArray[np.float32]:
    return (((points - centre) / side + 0.5) * GRID).astype(np.float32)
