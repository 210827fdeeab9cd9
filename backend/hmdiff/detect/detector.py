"""The detector as the rest of the backend uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError

from .assemble import nothing, observe
from .image import ImageU8, is_dark
from .landmarks import LandmarkModel, Reading
from .matching import drop_duplicates, person_size
from .observation import Array, Observation
from .people import PersonCandidate, PersonDetector
from .search import Place, read_box, read_candidate, search_turns
from .settings import DetectorSettings
from .tracker import Tracker

Boxes = Sequence[Sequence[float]] | Array


class Detector:
    """People in photos and videos. Not thread-safe: one Detector per thread.

    Errors: those of ``assets.model_path`` when the models are not at hand, ``input.bad_box``, ``input.bad_image``.
    """

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        self.settings = settings or DetectorSettings()
        self.people = PersonDetector(self.settings.num_threads, self.settings.min_person_score)
        self.landmarks = LandmarkModel(self.settings.num_threads)
        self._tracker = self.new_tracker()

    def new_tracker(self) -> Tracker:
        """A fresh tracker that shares the loaded networks: one per clip."""
        return Tracker(self.people, self.landmarks, self.settings)

    def reset(self) -> None:
        """Forget all tracks: the next ``video_step`` begins a new clip."""
        self._tracker = self.new_tracker()

    def photo(self, image: ImageU8, boxes: Boxes | None = None) -> list[Observation]:
        """Everybody in one picture (H,W,3) RGB uint8, largest first; an empty list says that nobody was found.

        boxes (B,4) x0, y0, x1, y1 px: read exactly these people, in this order, one Observation each; what cannot be
        read is marked ``missed`` (``dark`` in a black picture).
        """
        image = check_image(image)
        if boxes is not None:
            return self._photo_boxes(image, check_boxes(boxes, image.shape[1], image.shape[0]))
        if is_dark(image):
            return []
        height, width = image.shape[:2]
        found = sorted(self._people_in(image), key=person_size, reverse=True)[: self.settings.max_people]
        return [replace(one, track_id=index) for index, one in enumerate(found)]

    def _people_in(self, image: ImageU8) -> list[Observation]:
        height, width = image.shape[:2]
        tiny = self.settings.tiny_height
        first: list[tuple[PersonCandidate, Reading, Observation]] = []
        for candidate in self.people.detect(image, self.settings.photo_level):
            reading = read_candidate(self.landmarks, image, candidate)
            first.append((candidate, reading, observe(reading, width, height, tiny_height=tiny)))
        # the dear search over turns only for people, not for each of their duplicates
        kept = drop_duplicates([one for _, _, one in first])
        found = []
        for candidate, reading, one in first:
            if not any(one is other for other in kept):
                continue
            place = Place(head=candidate.head)
            best = search_turns(self.landmarks, image, reading, candidate.crop, self.settings.search_quality, place)
            if best is not reading:
                one = observe(best, width, height, tiny_height=tiny)
            if best.flag >= 0.5 and one.quality >= self.settings.birth_quality:
                found.append(one)
        return drop_duplicates(found)

    def _photo_boxes(self, image: ImageU8, boxes: Array) -> list[Observation]:
        if is_dark(image):
            return [nothing(index, "dark", box) for index, box in enumerate(boxes)]
        height, width = image.shape[:2]
        candidates = self.people.detect(image, self.settings.photo_level)
        result = []
        for index, box in enumerate(boxes):
            reading = read_box(self.landmarks, image, box, self.settings.search_quality, candidates)
            one = observe(reading, width, height, index, self.settings.tiny_height)
            if one.quality < self.settings.box_quality:
                one = nothing(index, "missed", box, reading.crop)
            result.append(one)
        return result

    def video_step(self, image: ImageU8, time: float, boxes: Boxes | None = None) -> list[Observation]:
        """The next frame of a clip at ``time`` seconds; see ``Tracker.step``."""
        image = check_image(image)
        given = None if boxes is None else check_boxes(boxes, image.shape[1], image.shape[0])
        return self._tracker.step(image, time, given)

    def state(self) -> dict[str, Any]:
        """See ``Tracker.state``."""
        return self._tracker.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """See ``Tracker.restore``."""
        self._tracker.restore(state)


def frame_status(image: ImageU8, observations: list[Observation]) -> str:
    """One word for a whole frame: ``ok``, ``dark``, ``no_person`` (nobody known), ``missed`` (known, not seen)."""
    if any(one.seen for one in observations):
        return "ok"
    if is_dark(image):
        return "dark"
    return "missed" if observations else "no_person"


def check_image(image: ImageU8) -> ImageU8:
    """Errors: ``input.bad_image`` unless (H,W,3) uint8 with at least one pixel."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise HmdiffError(
            "input.bad_image", "The picture is not an 8-bit colour image.",
            "Convert it to an ordinary JPEG or PNG first.", f"shape {image.shape}, dtype {image.dtype}",
        )  # fmt: skip
    return np.ascontiguousarray(image)


def check_boxes(boxes: Boxes, width: int, height: int) -> Array:
    """(B,4) clipped to the image. Errors: ``input.bad_box`` for a box that is not one or lies outside."""
    array = np.asarray(boxes, np.float32)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.shape[1] != 4 or not np.isfinite(array).all():
        raise HmdiffError("input.bad_box", "A box needs four numbers.", "Give x0,y0,x1,y1 in pixels.", repr(boxes))
    clipped = array.clip(0, np.array([width, height, width, height], np.float32))
    if ((clipped[:, 2:] - clipped[:, :2]) < 2).any():
        raise HmdiffError(
            "input.bad_box", f"A box is empty or outside the {width} x {height} image.",
            "Give x0,y0,x1,y1 in pixels with x0 < x1 and y0 < y1.", repr(array.tolist()),
        )  # fmt: skip
    return clipped
