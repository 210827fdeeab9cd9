"""Following people through a clip: stable ids through short gaps, new people picked up, nobody counted twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .assemble import nothing, observe, reading_quality
from .image import ImageU8, is_dark
from .landmarks import LandmarkModel, Reading
from .matching import DUPLICATE, assign, person_size, same_person
from .memory import since, since_from, track_data, track_from
from .observation import Array, Observation
from .people import PersonCandidate, PersonDetector, circle_overlap
from .search import Place, follow, read_box, read_candidate, search_turns
from .settings import DetectorSettings
from .track import Track

_KEEP = 0.15
"""Least continuity for a reading to count as the same person."""
_RESUME = 0.2
_BETTER = 0.05
_BESIDE = 0.35
_RESCUE_TURNS = (0.0, 0.8, -0.8, 1.6, -1.6)
_RESCUE_EVERY, _RESCUE_UNTIL = 0.1, 0.5

Found = tuple[Reading, Observation]
Seen = dict[int, Observation]


class Tracker:
    """One clip, frames in order. ``step`` gives one Observation per known person and frame, in order of track id."""

    def __init__(self, people: PersonDetector, model: LandmarkModel, settings: DetectorSettings) -> None:
        self._people = people
        self._model = model
        self._settings = settings
        self._tracks: list[Track] = []
        self._next_id = 0
        self._last_search = [-np.inf, -np.inf]
        self._first = True
        self._by_hand = False

    def state(self) -> dict[str, Any]:
        """All that ``step`` will need of the frames before, as JSON."""
        return {
            "tracks": [track_data(track) for track in self._tracks], "next_id": self._next_id,
            "last_search": [since(time) for time in self._last_search], "first": self._first, "by_hand": self._by_hand,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state()`` of another tracker. Raises KeyError, TypeError or ValueError for what is none."""
        tracks = [track_from(data) for data in state["tracks"]]
        rough, thorough = (since_from(time) for time in state["last_search"])
        next_id, first, by_hand = int(state["next_id"]), bool(state["first"]), bool(state["by_hand"])
        self._tracks, self._next_id, self._last_search = tracks, next_id, [rough, thorough]
        self._first, self._by_hand = first, by_hand

    def step(self, image: ImageU8, time: float, boxes: Array | None = None) -> list[Observation]:
        """image (H,W,3) RGB, time in seconds, increasing; boxes (B,4) px: people given by hand in this frame.

        From the first boxes on only people given by hand are followed. A live track that is not seen gives ``missed``
        (``dark`` in a black frame) with its last box until ``max_gap_seconds`` have passed; then it ends.
        """
        self._tracks = [t for t in self._tracks if time - t.time <= self._settings.max_gap_seconds]
        dark = is_dark(image)
        seen: Seen = {}
        if dark:
            for track in self._tracks:
                track.lost = True
        else:
            seen = self._continue(image, time)
            if boxes is not None:
                self._take_boxes(image, time, boxes, seen)
            else:
                self._search(image, time, seen)
            self._first = False
        result = []
        for track in sorted(self._tracks, key=lambda t: t.track_id):
            if track.confirmed:
                missing = nothing(track.track_id, "dark" if dark else "missed", track.last.box, track.crop)
                result.append(seen.get(track.track_id, missing))
        return result

    def _continue(self, image: ImageU8, time: float) -> Seen:
        """Read every track where it ought to be now."""
        found: list[tuple[float, Track, Found]] = []
        for track in self._tracks:
            reading = None if track.lost else self._model.read(image, track.crop)
            entry = None if reading is None else self._judge(image, track, reading, time)
            entry = entry or self._rescue(image, track, time)
            if entry is None:
                track.lost = True
            else:
                found.append((entry[0], track, entry[1]))
        seen: Seen = {}
        for _, track, (reading, one) in sorted(found, key=lambda entry: -entry[0]):
            if any(same_person(one, other) > DUPLICATE for other in seen.values()):
                track.lost = True
            else:
                self._update(track, reading, one, time, seen)
        return seen

    def _judge(self, image: ImageU8, track: Track, reading: Reading, time: float) -> tuple[float, Found] | None:
        one = self._observe(image, reading)
        score = track.continues(reading, one, time)
        return (score, (reading, one)) if self._acceptable(reading, one) and score >= _KEEP else None

    def _rescue(self, image: ImageU8, track: Track, time: float) -> tuple[float, Found] | None:
        """Someone who was lost just now may have turned over or moved on fast."""
        if time - track.time > _RESCUE_UNTIL or time - track.rescued < _RESCUE_EVERY:
            return None
        track.rescued = time
        expected = track.expected_crop(time)
        readings = [self._model.read(image, expected.turned(turn)) for turn in _RESCUE_TURNS]
        best = max(readings, key=lambda r: reading_quality(r, image.shape[1], image.shape[0]) * (0.5 + 0.5 * r.flag))
        return self._judge(image, track, follow(self._model, image, best, Place()), time)

    def _search(self, image: ImageU8, time: float, seen: Seen) -> None:
        """Look for people nobody follows, and for better crops of those read badly."""
        level = self._search_level(time)
        if level is None:
            return
        found: list[Found] = []
        searches = 1 if level >= self._settings.lost_level else 0
        for candidate in self._people.detect(image, level):
            owner = self._owner(candidate, seen)
            if owner is not None:
                if seen[owner.track_id].quality < self._settings.sure_quality:
                    self._try_better(image, time, owner, candidate, seen)
                continue
            reading = read_candidate(self._model, image, candidate)
            if self._known(self._observe(image, reading), seen, found):
                continue
            if searches or self._first:
                place = Place(head=candidate.head)
                better = search_turns(self._model, image, reading, candidate.crop, self._settings.search_quality, place)
                searches -= int(better is not reading)
                reading = better
            one = self._observe(image, reading)
            if self._acceptable(reading, one) and not self._known(one, seen, found):
                found.append((reading, one))
        found = self._resume(found, time, seen)
        if not self._by_hand:
            for reading, one in sorted(found, key=lambda pair: -person_size(pair[1])):
                if len(self._tracks) < self._settings.max_people and one.quality >= self._settings.birth_quality:
                    self._begin(reading, one, time, seen, self._first or one.quality >= self._settings.instant_quality)

    def _search_level(self, time: float) -> int | None:
        """How hard to look for people in this frame; None: not at all."""
        settings = self._settings
        wanting = not self._tracks or any(t.lost for t in self._tracks)
        if wanting and time - self._last_search[1] >= settings.lost_seconds:
            self._last_search = [time, time]
            return settings.lost_level
        if time - self._last_search[0] >= settings.redetect_seconds:
            self._last_search[0] = time
            return settings.video_level
        return 0 if wanting else None

    def _owner(self, candidate: PersonCandidate, seen: Seen) -> Track | None:
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

    def _try_better(self, image: ImageU8, time: float, track: Track, candidate: PersonCandidate, seen: Seen) -> None:
        reading = self._model.read(image, candidate.crop)
        one = self._observe(image, reading)
        others = {key: o for key, o in seen.items() if key != track.track_id}
        better = one.quality > seen[track.track_id].quality + _BETTER
        if better and self._acceptable(reading, one) and not self._known(one, others, []):
            self._update(track, reading, one, time, seen)

    def _resume(self, found: list[Found], time: float, seen: Seen) -> list[Found]:
        """Give people that were found back to lost tracks; returns the others."""
        lost = [t for t in self._tracks if t.lost]
        taken = self._assign(lost, found, time, seen)
        return [pair for index, pair in enumerate(found) if index not in taken]

    def _take_boxes(self, image: ImageU8, time: float, boxes: Array, seen: Seen) -> None:
        """People given by hand: each box goes on with the track that is there already or begins a new one."""
        if not self._by_hand:
            self._by_hand = True
            self._tracks, self._next_id = [], 0
            seen.clear()
        found: list[Found] = []
        candidates = self._people.detect(image, self._settings.lost_level)
        for box in boxes:
            reading = read_box(self._model, image, box, self._settings.search_quality, candidates)
            found.append((reading, self._observe(image, reading)))
        taken = self._assign(self._tracks, found, time, seen)
        for index, (reading, one) in enumerate(found):
            if index not in taken:
                self._begin(reading, one, time, seen, confirmed=True)
                if one.quality < self._settings.box_quality:
                    seen[self._tracks[-1].track_id] = nothing(self._tracks[-1].track_id, "missed", boxes[index])

    def _assign(self, tracks: list[Track], found: list[Found], time: float, seen: Seen) -> set[int]:
        """Continue tracks with what was found, one to one; returns the indices used."""
        scores = np.array([[t.returns(r, o, time) for r, o in found] for t in tracks], np.float64)
        pairs = assign(scores, _RESUME)
        for row, column in pairs:
            self._update(tracks[row], *found[column], time, seen)
        return {column for _, column in pairs}

    def _known(self, one: Observation, seen: Seen, found: list[Found]) -> bool:
        return any(same_person(one, other) > DUPLICATE for other in [*seen.values(), *(o for _, o in found)])

    def _observe(self, image: ImageU8, reading: Reading) -> Observation:
        return observe(reading, image.shape[1], image.shape[0], tiny_height=self._settings.tiny_height)

    def _acceptable(self, reading: Reading, one: Observation) -> bool:
        return reading.flag >= 0.5 and one.quality >= self._settings.accept_quality

    def _begin(self, reading: Reading, one: Observation, time: float, seen: Seen, confirmed: bool) -> None:
        track = Track(self._next_id, one, reading.next_crop, time, confirmed=confirmed)
        self._next_id += 1
        self._tracks.append(track)
        self._update(track, reading, one, time, seen)

    def _update(self, track: Track, reading: Reading, one: Observation, time: float, seen: Seen) -> None:
        seen[track.track_id] = track.update(reading, one, time, self._settings.confirm_frames)
