"""Observations from keypoints made elsewhere, with the tracker's own matching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hmdiff_wire.errors import HmdiffError

from .assemble import inside_image, nothing
from .image import ImageU8, cut
from .keypoint_files import KeypointFile, last_number
from .matching import assign, person_size, return_score
from .memory import observation_data, observation_from
from .observation import (
    BODY25_TO_BLAZEPOSE,
    COCO17_TO_BLAZEPOSE,
    LIMB_SLOTS,
    N_LANDMARKS,
    Array,
    Bools,
    Crop,
    Observation,
)
from .people import CROP_MARGIN

_SLOTS = {"coco17": COCO17_TO_BLAZEPOSE, "body25": BODY25_TO_BLAZEPOSE}
_FEWEST_POINTS = 3
_BOX_PAD = 0.1
_MASK_SIDE = 256
_RESUME = 0.1
_LIMBS = np.array(LIMB_SLOTS)


def keypoints_observation(
    points: Array, layout: str, width: int, height: int, mask: ImageU8 | None = None, tiny_height: float = 48.0
) -> Observation | None:
    """points (K,3) x, y px, confidence; layout ``coco17`` or ``body25``; mask (H,W), nonzero is this person.

    None where fewer than three keypoints are known. Depth and world landmarks are NaN, heatmaps are None; landmarks the
    layout lacks have confidence 0 and lie at the box's centre.
    """
    slots = np.array(_SLOTS[layout])
    used = slots >= 0
    landmarks = np.zeros((N_LANDMARKS, 2), np.float32)
    confidence = np.zeros(N_LANDMARKS, np.float32)
    landmarks[slots[used]] = points[used, :2]
    confidence[slots[used]] = points[used, 2]
    confidence[~inside_image(landmarks, width, height)] = 0.0
    known = confidence > 0
    if np.count_nonzero(known) < _FEWEST_POINTS:
        return None
    box = _box(landmarks[known], width, height)
    centre, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
    landmarks[~known] = centre
    crop = Crop(centre, max(side * CROP_MARGIN, 2.0))
    return Observation(
        track_id=-1,
        status=_status(box, known, width, height, tiny_height),
        box=box,
        crop=crop,
        landmarks_2d=landmarks,
        confidence=confidence,
        landmarks_z=np.full(N_LANDMARKS, np.nan, np.float32),
        landmarks_world=np.full((N_LANDMARKS, 3), np.nan, np.float32),
        heatmaps=None,
        mask=None if mask is None else _mask_in(mask, box, crop),
        quality=float(confidence[known].mean()),
        source=layout,
    )


def _box(points: Array, width: int, height: int) -> Array:
    low, high = points.min(0), points.max(0)
    pad = _BOX_PAD * max(float((high - low).max()), 1.0)
    limits = np.array([width, height], np.float32)
    return np.concatenate([np.clip(low - pad, 0, limits), np.clip(high + pad, 0, limits)]).astype(np.float32)


def _status(box: Array, known: Bools, width: int, height: int, tiny_height: float) -> str:
    if max(box[2] - box[0], box[3] - box[1]) < tiny_height:
        return "tiny"
    # the joint beyond the border is unknown, so the last known one lies some way before it
    edge = _BOX_PAD * float((box[2:] - box[:2]).max())
    at_border = bool((box[:2] <= edge).any() or box[2] >= width - edge or box[3] >= height - edge)
    return "truncated" if at_border and np.count_nonzero(~known[_LIMBS]) >= 3 else "ok"


def _mask_in(mask: ImageU8, box: Array, crop: Crop) -> Array:
    """The person's part of a mask (H,W) over the crop (256,256)."""
    pad = _BOX_PAD * (box[2:] - box[:2])
    (x0, y0), (x1, y1) = np.floor(box[:2] - pad).clip(0).astype(int), np.ceil(box[2:] + pad).astype(int)
    own = np.zeros_like(mask)
    own[y0:y1, x0:x1] = (mask[y0:y1, x0:x1] > 0) * np.uint8(255)
    return cut(np.repeat(own[..., None], 3, axis=2), crop, _MASK_SIDE)[..., 0].astype(np.float32) / 255


class MaskFolder:
    """PNG masks numbered like the clip's frames from 0 (the last number in the name), or one named like the photo.

    A pixel of value k belongs to the k-th person of that frame (from 1, in the file's order); values above the number
    of people, such as 255, mean anybody. Errors: ``masks.not_found``, ``masks.unreadable``.
    """

    def __init__(self, folder: Path) -> None:
        files = sorted(Path(folder).glob("*.png"))
        if not files:
            raise HmdiffError("masks.not_found", f"There are no PNG masks in {folder}.", "Check the folder given.")
        self._by_stem = {file.stem: file for file in files}
        self._by_frame = {last_number(file.stem): file for file in files}
        self._only = files[0] if len(files) == 1 else None

    def for_frame(self, frame: int, people: int, size: tuple[int, int]) -> list[ImageU8 | None]:
        return self._split(self._by_frame.get(frame), people, size)

    def for_photo(self, name: str, people: int, size: tuple[int, int]) -> list[ImageU8 | None]:
        return self._split(self._by_stem.get(Path(name).stem, self._only), people, size)

    def _split(self, path: Path | None, people: int, size: tuple[int, int]) -> list[ImageU8 | None]:
        if path is None:
            return [None] * people
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if path.stat().st_size else None
        if image is None or image.shape[:2] != (size[1], size[0]):
            found = "unreadable" if image is None else f"{image.shape[1]} x {image.shape[0]}"
            raise HmdiffError(
                "masks.unreadable", f"The mask {path.name} is {found}, the picture is {size[0]} x {size[1]}.",
                "Give masks of the picture's size, as 8-bit PNG.",
            )  # fmt: skip
        labels = image if image.ndim == 2 else image[..., :3].max(-1)
        anybody = labels > people
        return [((labels == k + 1) | anybody).astype(np.uint8) for k in range(people)]


@dataclass(eq=False)
class _Known:
    last: Observation
    time: float


class ExternalDetector:
    """Stands in for ``Detector`` where keypoints come from a file; it never looks at the picture."""

    def __init__(
        self,
        keypoints: KeypointFile,
        masks: Path | None = None,
        max_gap_seconds: float = 1.0,
        tiny_height: float = 48.0,
    ) -> None:
        self._file = keypoints
        self._masks = None if masks is None else MaskFolder(masks)
        self._max_gap = max_gap_seconds
        self._tiny = tiny_height
        self._tracks: dict[int, _Known] = {}
        self._next_id = 0

    def state(self) -> dict[str, Any]:
        """All that ``video_step`` will need of the frames before, as JSON."""
        tracks = [{"last": observation_data(known.last), "time": known.time} for known in self._tracks.values()]
        return {"tracks": tracks, "next_id": self._next_id}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state()`` of another one. Raises KeyError, TypeError or ValueError for what is none."""
        known = [_Known(observation_from(data["last"]), float(data["time"])) for data in state["tracks"]]
        self._next_id = int(state["next_id"])
        self._tracks = {one.last.track_id: one for one in known}

    def photo(self, name: str, width: int, height: int) -> list[Observation]:
        """The people of one picture, largest first; ``name`` is its file name."""
        people = self._file.for_photo(name)
        masks = self._masks.for_photo(name, len(people), (width, height)) if self._masks else [None] * len(people)
        found = self._observe(people, masks, width, height)
        found.sort(key=person_size, reverse=True)
        return [replace(one, track_id=index) for index, one in enumerate(found)]

    def video_step(self, frame: int, time: float, width: int, height: int) -> list[Observation]:
        """The people of frame ``frame`` (from 0) at ``time`` seconds, with stable ids; see ``Tracker.step``."""
        people = self._file.frames.get(frame, [])
        masks = self._masks.for_frame(frame, len(people), (width, height)) if self._masks else [None] * len(people)
        found = self._observe(people, masks, width, height)
        self._tracks = {k: t for k, t in self._tracks.items() if time - t.time <= self._max_gap}
        ids = list(self._tracks)
        scores = np.array(
            [[return_score(self._tracks[k].last, o, time - self._tracks[k].time) for o in found] for k in ids]
        )
        given = {column: ids[row] for row, column in assign(scores.astype(np.float64), _RESUME)}
        result: dict[int, Observation] = {}
        for index, one in enumerate(found):
            track_id = given.get(index)
            if track_id is None:
                track_id, self._next_id = self._next_id, self._next_id + 1
            one = replace(one, track_id=track_id)
            self._tracks[track_id] = _Known(one, time)
            result[track_id] = one
        for track_id, known in self._tracks.items():
            missing = nothing(track_id, "missed", known.last.box, known.last.crop, self._file.layout)
            result.setdefault(track_id, missing)
        return [result[key] for key in sorted(result)]

    def _observe(
        self, people: list[Array], masks: Sequence[ImageU8 | None], width: int, height: int
    ) -> list[Observation]:
        made = [
            keypoints_observation(points, self._file.layout, width, height, mask, self._tiny)
            for points, mask in zip(people, masks, strict=True)
        ]
        return [one for one in made if one is not None]
