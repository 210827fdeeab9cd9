"""``--detector rtmlib``: RTMPose or ViTPose in the place of BlazePose, giving the same Observations without depth,
heatmaps and mask."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .assemble import nothing
from .detector import Boxes, check_boxes, check_image
from .image import ImageU8, is_dark
from .matching import drop_duplicates, person_size
from .observation import Observation
from .rtm_models import RtmFiles, rtm_files
from .rtm_networks import RtmNetworks, RtmTiming
from .rtm_tracker import PeopleReader, RtmTracker, read_boxes
from .settings import DetectorSettings

MODELS_VARIABLE = "HMDIFF_DETECTOR_MODELS"


def load_rtm(
    name: str = "rtmlib", models: Path | None = None, device: str = "auto", settings: DetectorSettings | None = None
) -> RtmDetector:
    """The detector called ``name`` (one of RTM_NAMES), with the files of folder ``models`` (or $HMDIFF_DETECTOR_MODELS)
    where one is given. Errors: those of ``rtm_files`` and ``RtmNetworks``.
    """
    settings = settings or DetectorSettings()
    files = find_files(name, models)
    return RtmDetector(RtmNetworks(files, device, settings.min_person_score, settings.tiny_height), settings)


def find_files(name: str, models: Path | None = None, allow: bool | None = None) -> RtmFiles:
    """``rtm_files``, in $HMDIFF_DETECTOR_MODELS where no folder is given."""
    given = models or os.environ.get(MODELS_VARIABLE)
    return rtm_files(name, Path(given) if given else None, allow)


class RtmDetector:
    """Used like ``Detector``. Errors of its methods: ``input.bad_box``, ``input.bad_image``."""

    def __init__(self, networks: PeopleReader, settings: DetectorSettings | None = None) -> None:
        self.networks = networks
        self.settings = settings or DetectorSettings()
        self.reset()

    def reset(self) -> None:
        """Forget all tracks: the next ``video_step`` begins a new clip."""
        if isinstance(self.networks, RtmNetworks):
            self.networks.timing = RtmTiming()
        self._tracker = RtmTracker(self.networks, self.settings)

    def photo(self, image: ImageU8, boxes: Boxes | None = None) -> list[Observation]:
        """As ``Detector.photo``."""
        image = check_image(image)
        height, width = image.shape[:2]
        if boxes is not None:
            given = check_boxes(boxes, width, height)
            if is_dark(image):
                return [nothing(index, "dark", box) for index, box in enumerate(given)]
            return [
                nothing(index, "missed", box)
                if one is None or one.quality < self.settings.box_quality
                else replace(one, track_id=index)
                for index, (box, one) in enumerate(zip(given, read_boxes(self.networks, image, given), strict=True))
            ]
        if is_dark(image):
            return []
        read = self.networks.read(image, list(self.networks.people(image)))
        good = [one for one in read if one is not None and one.quality >= self.settings.birth_quality]
        found = sorted(drop_duplicates(good), key=person_size, reverse=True)[: self.settings.max_people]
        return [replace(one, track_id=index) for index, one in enumerate(found)]

    def video_step(self, image: ImageU8, time: float, boxes: Boxes | None = None) -> list[Observation]:
        """As ``Detector.video_step``."""
        image = check_image(image)
        given = None if boxes is None else check_boxes(boxes, image.shape[1], image.shape[0])
        return self._tracker.step(image, time, given)

    def timing_note(self) -> str | None:
        """What was looked at since the last ``reset``, and how long that took."""
        return self.networks.timing.sentence() if isinstance(self.networks, RtmNetworks) else None

    def state(self) -> dict[str, Any]:
        """See ``RtmTracker.state``."""
        return self._tracker.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """See ``RtmTracker.restore``."""
        self._tracker.restore(state)
