"""All readings of rendered people in one light file: no heatmaps and small masks, which is all that the regressor sees.

N people: ``betas (N,10), pose (N,72), transl (N,3)`` of the free body in camera axes, ``focal (N), size (N,2) px``. R
readings, several of one person: ``person (R,)`` into N, and what ``rereadings`` keeps of each.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.damaged import DAMAGED_NPZ
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ...detect.observation import Crop, Observation
from .detections import read_seen, seen_path
from .rereadings import LIGHT_SHAPES, MASK_SIDE, again_path, light_arrays, light_row, read_again
from .shards import Arrays, Shard, finished, read_shard, write_whole

READINGS_FORMAT = 1
_TRUTH = ("betas", "pose", "transl")


@dataclass(frozen=True, eq=False)
class Readings:
    """people: the arrays of N, read: those of R (see the module); splits: whose motion and textures they are."""

    people: Arrays
    read: Arrays
    splits: tuple[str, ...]


def gather_readings(folders: tuple[Path, ...]) -> Readings:
    """Of all shards that the detector has seen, first looks and later ones. Errors: ``render.damaged``,
    ``render.not_detected`` where there are none.
    """
    people: dict[str, list[Any]] = {name: [] for name in (*_TRUTH, "focal", "size")}
    read: list[Arrays] = []
    splits: set[str] = set()
    count = 0
    for folder in folders:
        for index in finished(folder):
            if not seen_path(folder, index).is_file():
                continue
            shard = read_shard(folder, index)
            splits |= {str(split) for split in np.unique(shard.truth["split"])}
            for part in _of_shard(folder, shard):
                read.append(part | {"person": part.pop("row") + count})
            count += len(shard.truth["row"])
            for name in _TRUTH:
                people[name].append(shard.truth[name].reshape(len(shard.truth["row"]), -1))
            for name in ("focal", "size"):
                people[name].append(shard.truth[name][shard.truth["row"]])
    if not read:
        raise HmdiffError(
            "render.not_detected", "The detector has read none of these pictures yet.",
            f"Run `hmdiff synth detect {folders[0] if folders else 'FOLDER'}`.",
        )  # fmt: skip
    joined = {name: np.concatenate(parts) for name, parts in people.items()}
    return Readings(joined, {name: np.concatenate([part[name] for part in read]) for name in read[0]}, tuple(splits))


def _of_shard(folder: Path, shard: Shard) -> list[Arrays]:
    first = _first_looks(read_seen(folder, shard.index))
    again = [read_again(folder, shard.index)] if again_path(folder, shard.index).is_file() else []
    return [first, *again]


def _first_looks(seen: Arrays) -> Arrays:
    rows: list[dict[str, Any]] = []
    for person in np.flatnonzero(seen["map_row"] >= 0):
        at = int(seen["map_row"][person])
        crop = seen["crop"][person]
        one = Observation(
            0, str(seen["status"][person]), seen["box"][person], Crop(crop[:2], float(crop[2]), float(crop[3])),
            seen["landmarks_2d"][person], seen["confidence"][person], seen["z"][person], seen["world"][person], None,
            seen["mask"][at] / np.float32(255), float(seen["quality"][person]), "blazepose",
        )  # fmt: skip
        peak = seen["heatmaps"][at][:33].reshape(33, -1).max(1) / np.float32(255)
        rows.append(light_row(one, peak, int(person)))
    return light_arrays(rows)


def write_readings(path: Path, readings: Readings) -> None:
    blob = io.BytesIO()
    arrays: dict[str, Any] = {**readings.people, **readings.read}
    arrays |= {"splits": np.array(json.dumps(readings.splits)), "readings": np.array(READINGS_FORMAT)}
    np.savez_compressed(blob, **arrays)
    write_whole(path, blob.getvalue())


def are_readings(path: Path) -> bool:
    """Whether a file is of this sort rather than a packed one with heatmaps."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            return "readings" in data.files
    except (OSError, *DAMAGED_NPZ):
        return False


def read_readings(path: Path) -> Readings:
    """Errors: ``render.damaged``."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            if int(data["readings"]) != READINGS_FORMAT:
                raise ValueError(f"format {data['readings']}")
            people = {name: data[name] for name in (*_TRUTH, "focal", "size")}
            read = {name: data[name] for name in (*LIGHT_SHAPES, "person", "mask")}
            splits: tuple[str, ...] = tuple(json.loads(str(data["splits"])))
        _check(people, read)
    except (OSError, *DAMAGED_NPZ) as error:
        raise HmdiffError(
            "render.damaged", f"The readings in {path.name} are not readable.",
            "Make them again with `hmdiff synth reread`.", f"{path}: {error!r}",
        ) from error  # fmt: skip
    return Readings(people, read, splits)


def _check(people: Arrays, read: Arrays) -> None:
    count, of = len(read["person"]), len(people["betas"])
    shapes: dict[str, tuple[int, ...]] = {**LIGHT_SHAPES, "mask": (MASK_SIDE, MASK_SIDE)}
    for name, shape in shapes.items():
        if read[name].shape != (count, *shape) or (name != "world" and not np.isfinite(read[name]).all()):
            raise ValueError(f"{name} has the shape {read[name].shape} or is not finite")
    person: NDArray[Any] = read["person"]
    if count and (person.min() < 0 or person.max() >= of):
        raise ValueError("person names nobody")
