"""More readings of people whom the detector has found already: a look costs a tenth of a drawn picture.

The landmark network looks again at a slightly different square of a slightly different picture (brighter, blurred,
compressed; half of the time in the mirror, and the answer is mirrored back), as from frame to frame of a video. The
truth stays what it is. ``again_00007.npz`` beside ``seen_00007.npz``, one row per reading (R): ``row`` the person in
the shard; ``landmarks_2d (R,33,2), confidence, peak (R,33), world (R,33,3), box (R,4)`` in px of the picture; ``mask
(R,28,28) uint8`` over the canonical crop, as fine as the regressor sees it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...detect import DetectorSettings, Observation
from ...detect.assemble import observe
from ...detect.image import ImageU8
from ...detect.landmarks import LandmarkModel
from ...detect.observation import Crop
from ...models.observe import inputs_from_observations
from ..noise import SWAP
from .detections import match, read_seen, seen_path
from .film import from_jpeg
from .shards import Arrays, Shard, finished, read_arrays, read_shard, write_arrays
from .workers import spread

MASK_SIDE = 28
LIGHT_SHAPES: dict[str, tuple[int, ...]] = {
    "landmarks_2d": (33, 2), "confidence": (33,), "peak": (33,), "world": (33, 3), "box": (4,),
}  # fmt: skip
_SHIFT, _SCALE, _TURN = 0.035, 0.07, np.deg2rad(9.0)
"""Standard deviations of what changes from square to square: fractions of its side, log of it, radians."""
_SWAP = list(SWAP)


@dataclass(frozen=True)
class RereadOptions:
    """times: looks per person; of those that fail the detector's own checks nothing is kept."""

    folder: Path
    times: int = 4
    seed: int = 0
    workers: int = 1


def again_path(folder: Path, index: int) -> Path:
    return folder / f"again_{index:05d}.npz"


def read_again(folder: Path, index: int) -> Arrays:
    """Errors: ``render.damaged``."""
    return read_arrays(again_path(folder, index))


def reread_dataset(options: RereadOptions, report: Callable[[str], None]) -> int:
    """Read all shards again that the detector has seen and that were not read again yet; returns how many readings.

    Errors: ``render.damaged``, those of the detector's models.
    """
    folder = options.folder
    missing = [k for k in finished(folder) if seen_path(folder, k).is_file() and not again_path(folder, k).is_file()]
    kept, start = 0, time.perf_counter()

    def done(readings: int) -> None:
        nonlocal kept
        kept += readings
        report(f"{kept} readings, {kept / (time.perf_counter() - start):.1f} per second")

    spread(partial(_work, options), missing, options.workers, done)
    return kept


_model: LandmarkModel | None = None


def _work(options: RereadOptions, index: int) -> int:
    global _model
    if _model is None:
        _model = LandmarkModel(num_threads=1)
    shard, seen = read_shard(options.folder, index), read_seen(options.folder, index)
    again = reread_shard(_model, shard, seen, options.times, np.random.default_rng((options.seed, index)))
    write_arrays(again_path(options.folder, index), again)
    return len(again["row"])


def reread_shard(model: LandmarkModel, shard: Shard, seen: Arrays, times: int, random: np.random.Generator) -> Arrays:
    """The arrays of one ``again`` file."""
    rows: list[dict[str, Any]] = []
    for picture, data in enumerate(shard.pictures()):
        people = [int(person) for person in shard.people_of(picture) if seen["status"][person] != "missed"]
        if not people:
            continue
        image = from_jpeg(data)
        for turn in range(times):
            changed = other_light(image, random)
            for person in people:
                centre, size, angle = seen["crop"][person, :2], *seen["crop"][person, 2:]
                crop = moved(Crop(centre, float(size), float(angle)), random)
                one, peak = look(model, changed, crop, mirrored=turn % 2 == 1)
                if one is not None and match(shard, np.array([person]), [one]):
                    rows.append(light_row(one, peak, person))
    return light_arrays(rows)


def light_arrays(rows: list[dict[str, Any]]) -> Arrays:
    """Rows of ``light_row`` below each other."""
    arrays: Arrays = {
        name: np.array([row[name] for row in rows], np.float32).reshape(-1, *shape)
        for name, shape in LIGHT_SHAPES.items()
    }
    mask = np.array([row["mask"] for row in rows], np.uint8).reshape(-1, MASK_SIDE, MASK_SIDE)
    return arrays | {"row": np.array([row["row"] for row in rows], np.int64), "mask": mask}


def look(model: LandmarkModel, image: ImageU8, crop: Crop, mirrored: bool) -> tuple[Observation | None, NDArray[Any]]:
    """One reading without its heatmaps, None where the detector would not keep it; and the heatmaps' peaks (33,)."""
    height, width = image.shape[:2]
    settings = DetectorSettings()
    if not mirrored:
        reading = model.read(image, crop)
    else:
        across = np.array([width - crop.center[0], crop.center[1]], np.float32)
        reading = model.read(np.ascontiguousarray(image[:, ::-1]), Crop(across, crop.size, -crop.angle))
    peak = reading.heatmaps[:33].reshape(33, -1).max(1)
    one = observe(reading, width, height, 0, settings.tiny_height)
    if reading.flag < 0.5 or one.quality < settings.birth_quality:
        return None, peak
    one = replace(one, heatmaps=None)
    return (mirror_observation(one, width), peak[_SWAP]) if mirrored else (one, peak)


def mirror_observation(one: Observation, width: int) -> Observation:
    """What the detector says of a picture's mirror image, as if said of the picture: sides exchanged. No heatmaps."""
    points, world, box = one.landmarks_2d[_SWAP].copy(), one.landmarks_world[_SWAP].copy(), one.box.copy()
    points[:, 0], world[:, 0] = width - points[:, 0], -world[:, 0]
    box[[0, 2]] = width - box[[2, 0]]
    centre = np.array([width - one.crop.center[0], one.crop.center[1]], np.float32)
    return replace(
        one, landmarks_2d=points, landmarks_world=world, box=box, crop=Crop(centre, one.crop.size, -one.crop.angle),
        confidence=one.confidence[_SWAP], landmarks_z=one.landmarks_z[_SWAP], heatmaps=None,
        mask=None if one.mask is None else np.ascontiguousarray(one.mask[:, ::-1]),
    )  # fmt: skip


def moved(crop: Crop, random: np.random.Generator) -> Crop:
    """A square that another look might have chosen."""
    centre = crop.center + crop.size * _SHIFT * random.standard_normal(2)
    size = crop.size * float(np.exp(_SCALE * random.standard_normal()))
    return Crop(centre.astype(np.float32), size, crop.angle + _TURN * float(random.standard_normal()))


def other_light(image: ImageU8, random: np.random.Generator) -> ImageU8:
    """Brightness, contrast and colour, blur, noise, or JPEG of low quality: each at times."""
    out = image
    if random.random() < 0.7:
        gain = np.exp(0.2 * random.standard_normal() + 0.06 * random.standard_normal(3))
        levels = np.arange(256)[:, None] * gain + 14.0 * random.standard_normal()
        out = cv2.LUT(out, levels.clip(0, 255).astype(np.uint8)[None])
    if random.random() < 0.3:
        out = cv2.GaussianBlur(out, (0, 0), float(random.uniform(0.5, 2.0)))
    if random.random() < 0.3:
        data = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(20, 75))])[1]
        out = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(out, dtype=np.uint8)


def light_row(one: Observation, peak: NDArray[Any], person: int) -> dict[str, Any]:
    """One reading as in the ``again`` file."""
    grid = inputs_from_observations([one], [1.0], (0.0, 0.0)).grid[0, -1].numpy()
    small = grid.reshape(MASK_SIDE, 2, MASK_SIDE, 2).mean((1, 3))
    return {
        "row": person, "landmarks_2d": one.landmarks_2d, "confidence": one.confidence, "peak": peak,
        "world": one.landmarks_world, "box": one.box, "mask": np.round(small * 255).astype(np.uint8),
    }  # fmt: skip
