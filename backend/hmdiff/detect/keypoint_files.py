"""Reading keypoints made elsewhere: COCO-17 results or annotations, OpenPose BODY_25 JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError

from .observation import Array

COUNTS = {"coco17": 17, "body25": 25}
_FIX = (
    "Give COCO keypoints (a list of {image_id, keypoints[51]} or a file with images and annotations), one OpenPose "
    "BODY_25 JSON, or a folder of OpenPose *_keypoints.json files."
)


@dataclass(frozen=True, eq=False)
class KeypointFile:
    """layout: ``coco17`` or ``body25``. frames: frame index from 0 -> people (K,3) as x, y px and confidence 0..1, in
    the file's order. names: image name without folder and ending -> frame index, where the file names its images."""

    layout: str
    frames: dict[int, list[Array]]
    names: dict[str, int]

    def for_photo(self, name: str) -> list[Array]:
        """The people of the picture called ``name``; of the only picture where there is one."""
        index = self.names.get(Path(name).stem)
        if index is None and len(self.frames) == 1:
            index = next(iter(self.frames))
        return self.frames.get(-1 if index is None else index, [])


def bad_file(path: Path, what: str, detail: str = "") -> HmdiffError:
    return HmdiffError("keypoints.malformed", f"{path.name} cannot be used: {what}.", _FIX, detail)


def last_number(text: str) -> int | None:
    """The last run of digits in a name, as frame files are numbered: ``clip_000012`` -> 12."""
    digits = re.findall(r"\d+", text)
    return int(digits[-1]) if digits else None


def read_keypoints(path: Path, first_frame: int | None = None) -> KeypointFile:
    """Read a COCO-17 or BODY_25 file, or a folder of OpenPose files.

    first_frame: the number that the clip's first frame has in a COCO file; by default 0, or 1 where the numbers
    start at 1. Errors: ``keypoints.not_found``, ``keypoints.malformed``.
    """
    path = Path(path)
    if path.is_dir():
        return _read_openpose_folder(path)
    if not path.is_file():
        raise HmdiffError("keypoints.not_found", f"There are no keypoints at {path}.", "Check the path.")
    data = _load(path)
    if isinstance(data, dict) and "people" in data:
        return KeypointFile("body25", {0: _openpose_people(path, data)}, {_openpose_stem(path): 0})
    if isinstance(data, dict) and "annotations" in data:
        return _read_coco(path, data["annotations"], data.get("images", []), first_frame)
    if isinstance(data, list):
        return _read_coco(path, data, [], first_frame)
    raise bad_file(path, "it is neither COCO nor OpenPose")


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise bad_file(path, "it is not readable JSON", repr(error)) from error


def _numbers(path: Path, values: Any, count: int) -> Array:
    """(count,3) from a flat list; not finite or missing points become zeros with confidence 0."""
    expected = 3 * count
    if not isinstance(values, list) or len(values) != expected:
        size = len(values) if isinstance(values, list) else 0
        raise bad_file(path, f"a person has {size} numbers instead of {expected} ({count} points)")
    if not all(value is None or isinstance(value, int | float) for value in values):
        raise bad_file(path, "a keypoint is not a number")
    with np.errstate(over="ignore"):
        # through float, since JSON may hold integers that no numpy type holds
        array = np.array([np.nan if v is None else _float(v) for v in values], np.float64).astype(np.float32)
    array = array.reshape(count, 3)
    array[~np.isfinite(array).all(1)] = 0.0
    return array


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("nan")


def _read_openpose_folder(folder: Path) -> KeypointFile:
    files = sorted(folder.glob("*_keypoints.json"))
    if not files:
        raise HmdiffError("keypoints.not_found", f"There are no *_keypoints.json files in {folder}.", _FIX)
    numbers = [last_number(_openpose_stem(file)) for file in files]
    frames: dict[int, list[Array]] = {}
    names: dict[str, int] = {}
    for place, (file, number) in enumerate(zip(files, numbers, strict=True)):
        index = place if number is None or len(set(numbers)) < len(files) else number
        data = _load(file)
        if not isinstance(data, dict):
            raise bad_file(file, "it is not an OpenPose file")
        frames[index] = _openpose_people(file, data)
        names[_openpose_stem(file)] = index
    return KeypointFile("body25", frames, names)


def _openpose_stem(path: Path) -> str:
    return path.stem.removesuffix("_keypoints")


def _openpose_people(path: Path, data: dict[str, Any]) -> list[Array]:
    people = data.get("people")
    if not isinstance(people, list) or not all(isinstance(p, dict) for p in people):
        raise bad_file(path, "it has no list of people")
    arrays = [_numbers(path, p.get("pose_keypoints_2d"), COUNTS["body25"]) for p in people]
    return [_clip_confidence(a) for a in arrays]


def _read_coco(path: Path, rows: Any, images: Any, first_frame: int | None) -> KeypointFile:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not isinstance(images, list):
        raise bad_file(path, "its list of people is not a list of objects")
    file_of = {i.get("id"): str(i.get("file_name", "")) for i in images if isinstance(i, dict)}
    people: list[tuple[int, Array]] = []
    names: dict[str, int] = {}
    for row in rows:
        if "image_id" not in row or "keypoints" not in row:
            raise bad_file(path, "a person lacks image_id or keypoints")
        key = row["image_id"]
        name = file_of.get(key) if isinstance(key, int | str) else None
        name = name or (key if isinstance(key, str) else None)
        number = last_number(Path(name).stem) if name else key
        if not isinstance(number, int):
            raise bad_file(path, f"the image {key!r} has no number")
        people.append((number, _numbers(path, row["keypoints"], COUNTS["coco17"])))
        if name:
            names[Path(name).stem] = number
    # annotations carry flags (0 not labelled, 1 hidden, 2 visible), results carry scores
    flags = np.concatenate([p[:, 2] for _, p in people]) if people else np.zeros(0)
    halve = bool(np.isin(flags, (0, 1, 2)).all() and (flags == 2).any())
    start = first_frame
    if start is None:
        start = 1 if people and min(number for number, _ in people) == 1 else 0
    frames: dict[int, list[Array]] = {}
    for number, points in people:
        if halve:
            points[:, 2] /= 2
        frames.setdefault(number - start, []).append(_clip_confidence(points))
    return KeypointFile("coco17", frames, {name: number - start for name, number in names.items()})


def _clip_confidence(points: Array) -> Array:
    points[:, 2] = points[:, 2].clip(0.0, 1.0)
    return points
