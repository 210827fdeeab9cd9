"""The artist's changes to one take, as kept in the .blend: plain data, JSON in and out, nothing of Blender."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

ESTIMATE = -1
SHAPE_COUNT = 10


@dataclass(frozen=True)
class Pick:
    """Frames first..last (of the source, both meant) play hypothesis 0..N-1, or the ESTIMATE again; outside it fades
    over ``blend`` frames on each side."""

    first: int
    last: int
    hypothesis: int
    blend: int


@dataclass(frozen=True)
class Lock:
    """This frame keeps this pose (72,), translation (3,) metres, whatever else is changed; neighbours follow over
    ``blend`` frames."""

    frame: int
    pose: tuple[float, ...]
    transl: tuple[float, ...]
    blend: int


@dataclass(frozen=True)
class PersonEdits:
    """picks: later ones lie over earlier ones; locks: by frame; betas (10,): an own body shape, None for the take's;
    corrected: frames whose joints were dragged, in the take's version."""

    picks: tuple[Pick, ...] = ()
    locks: tuple[Lock, ...] = ()
    betas: tuple[float, ...] | None = None
    corrected: tuple[int, ...] = ()

    def lock_at(self, frame: int) -> Lock | None:
        return next((lock for lock in self.locks if lock.frame == frame), None)


@dataclass(frozen=True)
class Edits:
    """version: of the take (0: as it was imported, from 2 on refined). unsmoothed: start from the raw rows. smooth:
    seconds. feet, floor: 0 to 1, how much of the feet's sliding and of their height over or under the floor is taken
    out. keep_corrected: smoothing leaves corrected frames as they are. people: by track id.
    """

    version: int = 0
    unsmoothed: bool = False
    smooth: float = 0.0
    feet: float = 0.0
    floor: float = 0.0
    keep_corrected: bool = True
    people: Mapping[int, PersonEdits] = field(default_factory=dict)

    def of(self, track: int) -> PersonEdits:
        return self.people.get(track, PersonEdits())

    def with_person(self, track: int, person: PersonEdits) -> Edits:
        people = {**self.people, track: person}
        return replace(self, people={key: value for key, value in people.items() if value != PersonEdits()})

    def picked(self, track: int, pick: Pick) -> Edits:
        """With one more pick; those it covers whole, blends included, are dropped."""
        person = self.of(track)
        kept = tuple(
            old for old in person.picks
            if old.first - old.blend < pick.first or old.last + old.blend > pick.last
        )  # fmt: skip
        return self.with_person(track, replace(person, picks=(*kept, pick)))

    def locked(self, track: int, lock: Lock) -> Edits:
        person = self.of(track)
        locks = [old for old in person.locks if old.frame != lock.frame]
        return self.with_person(track, replace(person, locks=tuple(sorted([*locks, lock], key=lambda one: one.frame))))

    def unlocked(self, track: int, frame: int) -> Edits:
        person = self.of(track)
        return self.with_person(
            track, replace(person, locks=tuple(lock for lock in person.locks if lock.frame != frame))
        )

    def baked(self, version: int, corrected: Mapping[int, tuple[int, ...]] | None = None) -> Edits:
        """With a refined version of the take, which holds the picks that were sent along; locks stay locked. What the
        run had before its smoothing is not in it. corrected: by track id, the frames with dragged joints in it."""
        corrected = corrected or {}
        people = {
            track: replace(self.of(track), picks=(), corrected=corrected.get(track, ()))
            for track in [*self.people, *(track for track in corrected if track not in self.people)]
        }
        kept = {track: person for track, person in people.items() if person != PersonEdits()}
        return replace(self, version=version, unsmoothed=False, people=kept)

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "people": {str(k): asdict(v) for k, v in self.people.items()}})

    @classmethod
    def from_json(cls, text: str) -> Edits:
        """Empty for empty text, and for what another version of the add-on wrote that cannot be read."""
        try:
            data: dict[str, Any] = json.loads(text) if text else {}
            people = {int(track): _person(stored) for track, stored in data.pop("people", {}).items()}
            return cls(**data, people=people)
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()


def _person(stored: Mapping[str, Any]) -> PersonEdits:
    locks = [{**lock, "pose": tuple(lock["pose"]), "transl": tuple(lock["transl"])} for lock in stored["locks"]]
    betas = stored["betas"]
    return PersonEdits(
        tuple(Pick(**pick) for pick in stored["picks"]), tuple(Lock(**lock) for lock in locks),
        tuple(betas) if betas is not None else None, tuple(stored.get("corrected", ())),
    )  # fmt: skip
