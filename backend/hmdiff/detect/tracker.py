"""Following people through a clip: stable ids through short gaps, new people picked up, nobody counted twice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .assemble import nothing, observe
from .image import ImageU8, is_dark
from .landmarks import LandmarkModel, Reading
from .matching import DUPLICATE, assign, continuity, person_size, same_person
from .observation import Array, Crop, Observation
from .people import PersonCandidate, PersonDetector, circle_overlap
from .search import Place, read_box, read_candidate, search_turns
from .settings import DetectorSettings

_KEEP = 0.15
"""Least continuity from one frame to the next for a reading to count as the same person."""
_RESUME = 0.2
_BETTER = 0.05
_BESIDE = 0.35


@dataclass(eq=False)
class Track:
    """One person's state. last: the latest Observation that was seen; crop: where to look next."""

    track_id: int
    last: Observation
    crop: Crop
    time: float
    frames: int = 1
    confirmed: bool = False
    lost: bool = False


class Tracker:
    """One clip, frames in order. ``step`` gives one Observation per known person and frame, in order of track id."""

    def __init__(self, people: PersonDetector, model: LandmarkModel, settings: DetectorSettings) -> None:
        self._people = people
        self._model = model
        self._settings = settings
        self._tracks: list[Track] = []
        self._next_id = 0
        self._searched = -np.inf
        self._searched_hard = -np.inf
        self._by_hand = False

    def step(self, image: ImageU8, time: float, boxes: Array | None = None) -> list[Observation]:
        """image (H,W,3) RGB, time in seconds, increasing; boxes (B,4) px: people given by hand in this frame.

        From the first boxes on only people given by hand are followed. A live track that is not seen gives ``missed``
        (``dark`` in a black frame) with its last box until ``max_gap_seconds`` have passed; then it ends.
        """
        self._tracks = [t for t in self._tracks if time - t.time <= self._settings.max_gap_seconds]
        dark = is_dark(image)
        seen: dict[int, Observation] = {}
        if dark:
            for track in self._tracks:
                track.lost = True
        else:
            seen = self._continue(image, time)
            if boxes is not None:
                self._take_boxes(image, time, boxes, seen)
            else:
                self._search(image, time, seen)
        result = []
        for track in sorted(self._tracks, key=lambda t: t.track_id):
            if track.confirmed:
                missing = nothing(track.track_id, "dark" if dark else "missed", track.last.box, track.crop)
                result.append(seen.get(track.track_id, missing))
        return result

    def _continue(self, image: ImageU8, time: float) -> dict[int, Observation]:
        """Read every track that was seen in the frame before where it ought to be now."""
        readings: list[tuple[Track, Reading, Observation, float]] = []
        for track in self._tracks:
            if track.lost:
                continue
            reading = self._model.read(image, track.crop)
            one = self._observe(image, reading)
            score = continuity(track.last, one, time - track.time)
            if self._acceptable(reading, one) and score >= _KEEP:
                readings.append((track, reading, one, score))
            else:
                track.lost = True
        seen: dict[int, Observation] = {}
        for track, reading, one, _ in sorted(readings, key=lambda entry: -entry[3]):
            if any(same_person(one, other) > DUPLICATE for other in seen.values()):
                track.lost = True
                continue
            self._update(track, reading, one, time, seen)
        return seen

    def _search(self, image: ImageU8, time: float, seen: dict[int, Observation]) -> None:
        """Look for people nobody follows, and for better crops of those read badly."""
        settings = self._settings
        waiting = [t for t in self._tracks if t.lost]
        hard = (bool(waiting) or not self._tracks) and time - self._searched_hard >= settings.lost_seconds
        if not (hard or waiting or not self._tracks or time - self._searched >= settings.redetect_seconds):
            return
        self._searched = time
        if hard:
            self._searched_hard = time
        candidates = self._people.detect(image, settings.lost_level if hard else settings.video_level)
        found: list[tuple[Reading, Observation]] = []
        for candidate in candidates:
            owner = self._owner(candidate, seen)
            if owner is not None and seen[owner.track_id].quality >= settings.sure_quality:
                continue
            if owner is not None:
                self._try_better(image, time, owner, candidate, seen)
                continue
            pair = self._read_new(image, candidate, seen)
            if pair is None:
                continue
            rival = next((i for i, (_, o) in enumerate(found) if same_person(pair[1], o) > DUPLICATE), None)
            if rival is None:
                found.append(pair)
            elif pair[1].quality > found[rival][1].quality:
                found[rival] = pair
        found = self._resume(found, time, seen)
        if not self._by_hand:
            for reading, one in sorted(found, key=lambda pair: -person_size(pair[1])):
                if len(self._tracks) < settings.max_people:
                    self._begin(reading, one, time, seen, one.quality >= settings.instant_quality)

    def _owner(self, candidate: PersonCandidate, seen: dict[int, Observation]) -> Track | None:
        """The track that already covers a candidate in this frame."""
        covers = [(circle_overlap(candidate.crop, t.crop), t) for t in self._tracks if t.track_id in seen]
        best = max(covers, key=lambda pair: pair[0], default=None)
        if best is None or best[0] < 0.5:
            return None
        # people side by side share much of their circles, so the head decides
        centre = (candidate.head[:2] + candidate.head[2:]) / 2
        nose = seen[best[1].track_id].landmarks_2d[0]
        near = float(np.hypot(*(centre - nose))) < _BESIDE * best[1].crop.size / 2
        return best[1] if near else None

    def _try_better(
        self, image: ImageU8, time: float, track: Track, candidate: PersonCandidate, seen: dict[int, Observation]
    ) -> None:
        reading = self._model.read(image, candidate.crop)
        one = self._observe(image, reading)
        others = [o for key, o in seen.items() if key != track.track_id]
        if one.quality > seen[track.track_id].quality + _BETTER and self._acceptable(reading, one):
            if not any(same_person(one, other) > DUPLICATE for other in others):
                self._update(track, reading, one, time, seen, new_frame=False)

    def _read_new(
        self, image: ImageU8, candidate: PersonCandidate, seen: dict[int, Observation]
    ) -> tuple[Reading, Observation] | None:
        """A candidate's reading if it is a person and nobody who is followed already."""
        reading = read_candidate(self._model, image, candidate)
        place = Place(head=candidate.head)
        if any(same_person(self._observe(image, reading), other) > DUPLICATE for other in seen.values()):
            return None
        reading = search_turns(self._model, image, reading, candidate.crop, self._settings.search_quality, place)
        one = self._observe(image, reading)
        if any(same_person(one, other) > DUPLICATE for other in seen.values()):
            return None
        return (reading, one) if self._acceptable(reading, one) else None

    def _resume(
        self, found: list[tuple[Reading, Observation]], time: float, seen: dict[int, Observation]
    ) -> list[tuple[Reading, Observation]]:
        """Give people that were found back to lost tracks; returns the others."""
        lost = [t for t in self._tracks if t.lost]
        scores = np.array([[continuity(t.last, o, time - t.time) for _, o in found] for t in lost], np.float64)
        taken = set()
        for row, column in assign(scores, _RESUME):
            self._update(lost[row], *found[column], time, seen)
            taken.add(column)
        return [pair for index, pair in enumerate(found) if index not in taken]

    def _take_boxes(self, image: ImageU8, time: float, boxes: Array, seen: dict[int, Observation]) -> None:
        """People given by hand: each box goes on with the track that is there already or begins a new one."""
        if not self._by_hand:
            self._by_hand = True
            self._tracks, self._next_id = [], 0
            seen.clear()
        found = []
        for box in boxes:
            reading = read_box(self._model, image, box, self._settings.search_quality)
            one = self._observe(image, reading)
            if one.quality < self._settings.box_quality:
                one = replace(nothing(-1, "missed", box, reading.crop), landmarks_2d=one.landmarks_2d)
            found.append((reading, one))
        scores = np.array([[continuity(t.last, o, time - t.time) for _, o in found] for t in self._tracks], np.float64)
        taken = set()
        for row, column in assign(scores, _RESUME):
            self._update(self._tracks[row], *found[column], time, seen)
            taken.add(column)
        for index, (reading, one) in enumerate(found):
            if index not in taken:
                self._begin(reading, one, time, seen, confirmed=True)

    def _observe(self, image: ImageU8, reading: Reading) -> Observation:
        return observe(reading, image.shape[1], image.shape[0], tiny_height=self._settings.tiny_height)

    def _acceptable(self, reading: Reading, one: Observation) -> bool:
        return reading.flag >= 0.5 and one.quality >= self._settings.accept_quality

    def _begin(
        self, reading: Reading, one: Observation, time: float, seen: dict[int, Observation], confirmed: bool
    ) -> None:
        track = Track(self._next_id, one, reading.next_crop, time, confirmed=confirmed)
        self._next_id += 1
        self._tracks.append(track)
        track.last = seen[track.track_id] = replace(one, track_id=track.track_id)

    def _update(
        self, track: Track, reading: Reading, one: Observation, time: float, seen: dict[int, Observation],
        new_frame: bool = True,
    ) -> None:  # fmt: skip
        track.last = seen[track.track_id] = replace(one, track_id=track.track_id)
        track.crop, track.time, track.lost = reading.next_crop, time, False
        track.frames += int(new_frame)
        track.confirmed = track.confirmed or track.frames >= self._settings.confirm_frames
