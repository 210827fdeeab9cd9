"""What the real detector makes of rendered pictures, matched with the truth.

``seen_00007.npz`` beside ``shard_00007.npz`` has one row per true person (N, in the shard's order): ``status`` as in
Observation, or ``missed``; ``landmarks_2d (N,33,2), confidence (N,33), z (N,33), world (N,33,3), box (N,4), crop (N,4:
centre, size, angle), quality``, NaN where missed; ``map_row (N,)`` -> ``heatmaps (M,39,64,64) uint8`` and ``mask
(M,256,256) uint8`` over the crop, -1 where missed. ``false_*``: detections of nobody, with ``false_row`` their picture.
Single pictures are read as photos; frames of a clip in order, by a fresh tracker per camera.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ...detect import Detector, DetectorSettings, Observation
from ...detect.matching import assign, likeness
from ...detect.people import box_overlap
from ..noise import SWAP
from .film import from_jpeg
from .shards import Arrays, Shard, finished, read_arrays, read_shard, write_arrays
from .workers import spread

LEAST_LIKENESS = 0.3
_SIGMA = 0.12
_UNSEEN_WEIGHT = 0.3
_SWAP = np.array(SWAP)


def seen_path(folder: Path, index: int) -> Path:
    return folder / f"seen_{index:05d}.npz"


def read_seen(folder: Path, index: int) -> Arrays:
    """Errors: ``render.damaged``."""
    return read_arrays(seen_path(folder, index))


def match(shard: Shard, people: NDArray[np.int64], found: list[Observation]) -> list[tuple[int, int]]:
    """Pairs (place in people, place in found): who is who in one picture, one to one.

    By landmarks, left and right exchanged or not, those that are hidden counting less; or else by the boxes of what is
    seen, for a person whose reading went wrong altogether.
    """
    scores = np.zeros((len(people), len(found)))
    for i, person in enumerate(people):
        truth = shard.truth["landmarks_2d"][person]
        hidden = shard.truth["hidden_landmarks"][person]
        weight = np.where(hidden == 0, 1.0, _UNSEEN_WEIGHT).astype(np.float32)
        size = float(np.ptp(truth, axis=0).max())
        for k, one in enumerate(found):
            even = np.ones(33, np.float32)
            straight = likeness(truth, weight, one.landmarks_2d, even, size, _SIGMA)
            crossed = likeness(truth, weight, one.landmarks_2d[_SWAP], even, size, _SIGMA)
            box = shard.truth["box_seen"][person]
            overlap = box_overlap(box, one.box) if np.isfinite(box).all() else 0.0
            scores[i, k] = max(straight, crossed, 0.6 * overlap)
    return assign(scores, LEAST_LIKENESS)


def detect_shard(detector: Detector, shard: Shard) -> Arrays:
    """The arrays of one ``seen`` file."""
    truth = shard.truth
    count = len(truth["row"])
    status = np.full(count, "missed", "U10")
    found: list[Observation | None] = [None] * count
    false: list[tuple[int, Observation]] = []
    clip = None
    for row, data in enumerate(shard.pictures()):
        image = from_jpeg(data)
        camera = (int(truth["scene"][row]), int(truth["view"][row]))
        if (truth["frame"] > 0).any():
            if camera != clip:
                detector.reset()
                clip = camera
            everybody = detector.video_step(image, float(truth["clip_time"][row]))
        else:
            everybody = detector.photo(image)
        readings = [one for one in everybody if one.seen]
        people = shard.people_of(row)
        pairs = match(shard, people, readings)
        for i, k in pairs:
            found[people[i]], status[people[i]] = readings[k], readings[k].status
        taken = {k for _, k in pairs}
        false += [(row, one) for k, one in enumerate(readings) if k not in taken]
    return {"status": status} | _person_arrays(found) | _false_arrays(false)


def _person_arrays(found: list[Observation | None]) -> Arrays:
    count = len(found)
    arrays: Arrays = {
        "landmarks_2d": np.full((count, 33, 2), np.nan, np.float32), "confidence": np.zeros((count, 33), np.float32),
        "z": np.full((count, 33), np.nan, np.float32), "world": np.full((count, 33, 3), np.nan, np.float32),
        "box": np.full((count, 4), np.nan, np.float32), "crop": np.full((count, 4), np.nan, np.float32),
        "quality": np.zeros(count, np.float32), "track": np.full(count, -1), "map_row": np.full(count, -1),
    }  # fmt: skip
    heatmaps, masks = [np.zeros((0, 39, 64, 64), np.uint8)], [np.zeros((0, 256, 256), np.uint8)]
    for person, one in enumerate(found):
        if one is None or one.heatmaps is None or one.mask is None:
            continue
        for name, value in _flat(one).items():
            arrays[name][person] = value
        arrays["track"][person] = one.track_id
        arrays["map_row"][person] = len(heatmaps) - 1
        heatmaps.append(_bytes(one.heatmaps)[None])
        masks.append(_bytes(one.mask)[None])
    return arrays | {"heatmaps": np.concatenate(heatmaps), "mask": np.concatenate(masks)}


def _false_arrays(false: list[tuple[int, Observation]]) -> Arrays:
    rows = [_flat(one) for _, one in false]
    shapes = {"landmarks_2d": (0, 33, 2), "confidence": (0, 33), "box": (0, 4), "crop": (0, 4), "quality": (0,)}
    arrays: Arrays = {
        f"false_{name}": np.array([row[name] for row in rows], np.float32).reshape(-1, *shape[1:])
        for name, shape in shapes.items()
    }
    return arrays | {"false_row": np.array([row for row, _ in false], np.int64)}


def _flat(one: Observation) -> dict[str, Any]:
    return {
        "landmarks_2d": one.landmarks_2d, "confidence": one.confidence, "z": one.landmarks_z,
        "world": one.landmarks_world, "box": one.box, "crop": (*one.crop.center, one.crop.size, one.crop.angle),
        "quality": one.quality,
    }  # fmt: skip


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.round(values * 255).clip(0, 255).astype(np.uint8)


def detect_dataset(folder: Path, workers: int, report: Callable[[str], None], level: int | None = None) -> int:
    """Read all shards that were not read yet; returns how many pictures were read. level: ``photo_level`` of the
    detector, None for its own; 1 finds four people of five in a third of the time, for much to train on.

    Errors: ``render.not_found``, those of ``Detector`` and ``read_shard``.
    """
    shards = finished(folder)
    if not shards:
        raise HmdiffError(
            "render.not_found", f"There are no rendered pictures in {folder}.", "Make some with `hmdiff synth render`."
        )
    missing = [index for index in shards if _out_of_date(folder, index)]
    read, start = 0, time.perf_counter()

    def done(pictures: int) -> None:
        nonlocal read
        read += pictures
        report(f"{read} pictures read, {read / (time.perf_counter() - start):.1f} per second")

    spread(partial(_work, folder, level), missing, workers, done)
    return read


_detector: Detector | None = None


def _work(folder: Path, level: int | None, index: int) -> int:
    global _detector
    if _detector is None:
        settings = DetectorSettings(num_threads=1)
        _detector = Detector(settings if level is None else replace(settings, photo_level=level))
    shard = read_shard(folder, index)
    write_arrays(seen_path(folder, index), detect_shard(_detector, shard))
    return len(shard.truth["picture"])


def _out_of_date(folder: Path, index: int) -> bool:
    """A shard that grew after it was read is read again."""
    path = seen_path(folder, index)
    return not path.is_file() or path.stat().st_mtime_ns < (folder / f"shard_{index:05d}.npz").stat().st_mtime_ns
