"""Following people with a top-down pose network: read where they ought to be, look for others now and then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from .assemble import nothing
from .image import ImageU8, is_dark
from .matching import DUPLICATE, assign, continuity, drop_duplicates, person_size, return_score, same_person
from .memory import observation_data, observation_from, since, since_from
from .observation import Array, Observation
from .people import box_overlap
from .settings import DetectorSettings

_KEEP, _RESUME = 0.15, 0.2
_BETTER = 0.05
_SAME_BOX = 0.7
_VELOCITY_KEEP, _FORESIGHT = 0.5, 0.4
_STILL_THERE = 0.5
"""Seconds for which a lost person is read where they ought to be, without having been found again."""
_LOST_EVERY = 0.2

Seen = dict[int, Observation]


class PeopleReader(Protocol):
    """``RtmNetworks``."""

    def people(self, image: ImageU8) -> Array: ...

    def read(self, image: ImageU8, boxes: Sequence[Array]) -> list[Observation | None]: ...


@dataclass(eq=False)
class _Track:
    """last: the latest reading; time: seconds, of it; velocity (2,) px per second."""

    last: Observation
    time: float
    frames: int = 1
    confirmed: bool = False
    lost: bool = False
    velocity: Array = field(default_factory=lambda: np.zeros(2, np.float32))

    def expected(self, time: float) -> Observation:
        """The last reading, moved to where the person probably is now."""
        moved = self.velocity * np.float32(np.clip(time - self.time, 0.0, _FORESIGHT))
        return replace(
            self.last, landmarks_2d=self.last.landmarks_2d + moved, box=self.last.box + np.tile(moved, 2),
            crop=replace(self.last.crop, center=self.last.crop.center + moved),
        )  # fmt: skip

    def continues(self, one: Observation, time: float) -> float:
        seconds = time - self.time
        return max(continuity(self.expected(time), one, seconds), continuity(self.last, one, seconds))

    def returns(self, one: Observation, time: float) -> float:
        seconds = time - self.time
        return max(return_score(self.expected(time), one, seconds), return_score(self.last, one, seconds))


class RtmTracker:
    """One clip, frames in order; the rules are ``Tracker``'s."""

    def __init__(self, reader: PeopleReader, settings: DetectorSettings) -> None:
        self._reader = reader
        self._settings = settings
        self._tracks: list[_Track] = []
        self._next_id = 0
        self._last_search = -np.inf
        self._first = True
        self._by_hand = False

    def state(self) -> dict[str, Any]:
        """All that ``step`` will need of the frames before, as JSON."""
        tracks = [
            {
                "last": observation_data(track.last), "time": float(track.time), "frames": track.frames,
                "confirmed": track.confirmed, "lost": track.lost, "velocity": track.velocity.astype(float).tolist(),
            }
            for track in self._tracks
        ]  # fmt: skip
        return {
            "tracks": tracks, "next_id": self._next_id, "last_search": since(self._last_search), "first": self._first,
            "by_hand": self._by_hand,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state()`` of another one. Raises KeyError, TypeError or ValueError for what is none."""
        tracks = []
        for data in state["tracks"]:
            vx, vy = (float(value) for value in data["velocity"])
            tracks.append(
                _Track(
                    observation_from(data["last"]), float(data["time"]), int(data["frames"]), bool(data["confirmed"]),
                    bool(data["lost"]), np.array([vx, vy], np.float32),
                )
            )  # fmt: skip
        next_id, search = int(state["next_id"]), since_from(state["last_search"])
        first, by_hand = bool(state["first"]), bool(state["by_hand"])
        self._tracks, self._next_id, self._last_search, self._first, self._by_hand = (
            tracks, next_id, search, first, by_hand
        )  # fmt: skip

    def step(self, image: ImageU8, time: float, boxes: Array | None = None) -> list[Observation]:
        """As ``Tracker.step``."""
        self._tracks = [t for t in self._tracks if time - t.time <= self._settings.max_gap_seconds]
        dark = is_dark(image)
        seen: Seen = {}
        if dark:
            for track in self._tracks:
                track.lost = True
        else:
            self._continue(image, time, seen)
            if boxes is not None:
                self._take_boxes(image, time, boxes, seen)
            elif self._search_due(time):
                self._search(image, time, seen)
            self._first = False
        result = []
        for track in sorted(self._tracks, key=lambda t: t.last.track_id):
            if track.confirmed:
                last = track.last
                missing = nothing(last.track_id, "dark" if dark else "missed", last.box, last.crop, last.source)
                result.append(seen.get(last.track_id, missing))
        return result

    def _continue(self, image: ImageU8, time: float, seen: Seen) -> None:
        hopeful = [t for t in self._tracks if not t.lost or time - t.time <= _STILL_THERE]
        readings = self._reader.read(image, [track.expected(time).box for track in hopeful])
        found: list[tuple[float, _Track, Observation]] = []
        for track, one in zip(hopeful, readings, strict=True):
            score = 0.0 if one is None else track.continues(one, time)
            track.lost = True
            if one is not None and score >= _KEEP and one.quality >= self._settings.accept_quality:
                found.append((score, track, one))
        for _, track, one in sorted(found, key=lambda entry: -entry[0]):
            if not self._known(one, seen):
                self._update(track, one, time, seen)

    def _search_due(self, time: float) -> bool:
        if self._by_hand and not any(track.lost for track in self._tracks):
            return False
        wanting = not self._tracks or any(track.lost for track in self._tracks)
        every = _LOST_EVERY if wanting else self._settings.redetect_seconds
        return time - self._last_search >= every - 1e-6

    def _search(self, image: ImageU8, time: float, seen: Seen) -> None:
        """Look for people nobody follows, and for better boxes of those read badly."""
        self._last_search = time
        boxes = [box for box in self._reader.people(image) if not self._well_read(box, seen)]
        readings = [one for one in self._reader.read(image, boxes) if one is not None]
        found = []
        for one in drop_duplicates([one for one in readings if one.quality >= self._settings.accept_quality]):
            owner = self._owner(one, seen)
            if owner is None:
                found.append(one)
            elif one.quality > seen[owner.last.track_id].quality + _BETTER:
                self._update(owner, one, time, seen)
        found = self._assign([t for t in self._tracks if t.lost], found, time, seen)
        if self._by_hand:
            return
        for one in sorted(found, key=person_size, reverse=True):
            if len(self._tracks) < self._settings.max_people and one.quality >= self._settings.birth_quality:
                self._begin(one, time, seen, self._first or one.quality >= self._settings.instant_quality)

    def _take_boxes(self, image: ImageU8, time: float, boxes: Array, seen: Seen) -> None:
        """People given by hand: each box goes on with the track that is there already or begins a new one."""
        if not self._by_hand:
            self._by_hand = True
            self._tracks, self._next_id = [], 0
            seen.clear()
        good, empty = [], []
        for box, one in zip(boxes, read_boxes(self._reader, image, boxes), strict=True):
            if one is not None and one.quality >= self._settings.box_quality:
                good.append(one)
            else:
                empty.append(nothing(-1, "missed", box))
        for one in [*self._assign(self._tracks, good, time, seen), *empty]:
            self._begin(one, time, seen, confirmed=True)

    def _assign(self, tracks: list[_Track], found: list[Observation], time: float, seen: Seen) -> list[Observation]:
        """Continue tracks with what was found, one to one; returns the others."""
        scores = np.array([[track.returns(one, time) for one in found] for track in tracks], np.float64)
        pairs = assign(scores, _RESUME)
        for row, column in pairs:
            self._update(tracks[row], found[column], time, seen)
        taken = {column for _, column in pairs}
        return [one for index, one in enumerate(found) if index not in taken]

    def _well_read(self, box: Array, seen: Seen) -> bool:
        """Whether a found box is somebody whose reading needs no second look."""
        return any(
            box_overlap(box, one.box) > _SAME_BOX and one.quality >= self._settings.sure_quality
            for one in seen.values()
        )

    def _owner(self, one: Observation, seen: Seen) -> _Track | None:
        seen_now = (t for t in self._tracks if t.last.track_id in seen)
        return next((t for t in seen_now if same_person(one, seen[t.last.track_id]) > DUPLICATE), None)

    def _known(self, one: Observation, seen: Seen) -> bool:
        return any(same_person(one, other) > DUPLICATE for other in seen.values())

    def _begin(self, one: Observation, time: float, seen: Seen, confirmed: bool) -> None:
        track = _Track(replace(one, track_id=self._next_id), time, confirmed=confirmed)
        self._next_id += 1
        self._tracks.append(track)
        self._update(track, one, time, seen)

    def _update(self, track: _Track, one: Observation, time: float, seen: Seen) -> None:
        if time > track.time:
            middle = (one.box[:2] + one.box[2:] - track.last.box[:2] - track.last.box[2:]) / 2
            now = middle / np.float32(time - track.time)
            track.velocity = (_VELOCITY_KEEP * track.velocity + (1 - _VELOCITY_KEEP) * now).astype(np.float32)
            track.frames += 1
        track.last, track.time, track.lost = replace(one, track_id=track.last.track_id), time, not one.seen
        track.confirmed = track.confirmed or track.frames >= self._settings.confirm_frames
        seen[track.last.track_id] = track.last


def read_boxes(reader: PeopleReader, image: ImageU8, boxes: Array) -> list[Observation | None]:
    """The person in each box drawn by hand (B,4) px: read in it, and again in the box that reading suggests."""
    first = reader.read(image, list(boxes))
    again = reader.read(image, [box if one is None else one.box for box, one in zip(boxes, first, strict=True)])
    return [
        max((a, b), key=lambda one: -1.0 if one is None else one.quality) for a, b in zip(first, again, strict=True)
    ]
