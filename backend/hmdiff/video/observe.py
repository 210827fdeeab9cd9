"""Who is in each frame: the detector or outside keypoints, and whom the user wants of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..detect import Detector, ExternalDetector, Observation, RtmDetector, read_keypoints
from ..detect.matching import person_size
from .frames import Frame, SourceInfo
from .options import RunOptions
from .warm import chosen_detector


class Observer:
    """The people of one run's frames, given in order.

    Errors: those of the detector, of reading the keypoints and masks, and ``input.bad_box``.
    """

    def __init__(self, info: SourceInfo, options: RunOptions) -> None:
        self._info = info
        self._boxes = np.array(options.boxes, np.float32) if options.boxes else None
        self._largest = Largest() if options.person == "largest" else None
        self._outside: ExternalDetector | None = None
        self._detector: Detector | RtmDetector | None = None
        self._kind = "detector"
        if options.keypoints is not None:
            self._outside = ExternalDetector(read_keypoints(options.keypoints), options.masks)
            self._kind = "keypoints"
        else:
            self._detector = chosen_detector(options)
            if isinstance(self._detector, RtmDetector):
                self._kind = "rtmlib"
        self._first = True

    def step(self, frame: Frame) -> list[Observation]:
        """The people of the next frame, as ``Detector.photo`` or ``Detector.video_step``."""
        photo = self._info.kind == "image"
        if self._outside is not None:
            people = self._from_outside(self._outside, frame, photo)
        else:
            assert self._detector is not None
            people = self._detected(self._detector, frame, photo)
        self._first = False
        return people if self._largest is None else self._largest.of(people)

    def _from_outside(self, outside: ExternalDetector, frame: Frame, photo: bool) -> list[Observation]:
        width, height = self._info.width, self._info.height
        if photo:
            return outside.photo(self._info.path.name, width, height)
        return outside.video_step(frame.index, frame.time, width, height)

    def _detected(self, detector: Detector | RtmDetector, frame: Frame, photo: bool) -> list[Observation]:
        # Boxes given by hand say where people are in the first frame; the tracker follows them from there.
        boxes = self._boxes if self._first else None
        if photo:
            return detector.photo(frame.image_rgb, boxes)
        return detector.video_step(frame.image_rgb, frame.time, boxes)

    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about how the detector did."""
        said = self._detector.timing_note() if isinstance(self._detector, RtmDetector) else None
        return () if said is None else (said,)

    def state(self) -> dict[str, Any]:
        """What the frames after this one need, as JSON."""
        follower = self._outside or self._detector
        assert follower is not None
        return {
            "kind": self._kind, "follower": follower.state(),
            "largest": None if self._largest is None else self._largest.track_id,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        """Go on after the frame that gave ``state``; False, and nothing done, where it is not usable."""
        follower = self._outside or self._detector
        assert follower is not None
        try:
            if state is None or state["kind"] != self._kind:
                return False
            largest = None if state["largest"] is None else int(state["largest"])
            follower.restore(state["follower"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return False
        if self._largest is not None:
            self._largest.track_id = largest
        self._first = False
        return True


class Largest:
    """Only one person: who is largest when somebody is seen first, and again once that track has ended.

    The others are followed all the same, so that none of them is taken for this one.
    """

    def __init__(self) -> None:
        self.track_id: int | None = None

    def of(self, people: list[Observation]) -> list[Observation]:
        if all(one.track_id != self.track_id for one in people):
            seen = [one for one in people if one.seen]
            self.track_id = max(seen, key=person_size).track_id if seen else None
        return [one for one in people if one.track_id == self.track_id]
