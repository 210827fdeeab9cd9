"""From people in frames to rows of a take, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hmdiff_wire.take import PersonFrame, TakeWriter

from ..detect import Observation
from .estimate import Estimator, Looked, estimate_people, join_looks, look_at_people
from .frames import Frame
from .neighbours import Neighbours

OnFrame = Callable[[int, float, list[PersonFrame]], None]


@dataclass(eq=False)
class _Waiting:
    """looked: of those who are ``seen`` among the people, once somebody looked."""

    index: int
    time: float
    people: list[Observation]
    state: Mapping[str, Any] | None
    looked: Looked | None = None

    @property
    def seen(self) -> list[Observation]:
        return [person for person in self.people if person.seen]


class BodyStream:
    """Collects frames, estimates everybody in them at once and writes the rows in order. Where the model looks around,
    a frame waits for those up to ``delay`` seconds after it.

    last: the latest row of each track; earlier: those of a run that is resumed.
    """

    def __init__(
        self, estimator: Estimator, writer: TakeWriter, principal: tuple[float, float], on_frame: OnFrame,
        earlier: Iterable[PersonFrame] = (),
    ) -> None:  # fmt: skip
        self.last = {row.track_id: row for row in earlier}
        self.seen_frames = 0
        self._estimator, self._writer, self._principal, self._on_frame = estimator, writer, principal, on_frame
        self._focal = writer.header.focal
        self._waiting: list[_Waiting] = []
        self._glimpsed: list[_Waiting] = []
        model = estimator.loaded.model
        reach = model.temporal.config.reach if model.temporal else 0
        self._around = Neighbours(reach, model.config.regressor.width)

    @property
    def delay(self) -> float:
        """Seconds of footage after a frame that its estimate needs."""
        return self._around.span

    def add(self, frame: Frame, people: list[Observation], state: Mapping[str, Any] | None = None) -> None:
        """state: what going on after this frame will need."""
        self._waiting.append(_Waiting(frame.index, frame.time, people, state))

    def glimpse(self, frame: Frame, people: list[Observation]) -> None:
        """A frame that is not to be written, before or after those that are: their neighbour only."""
        self._glimpsed.append(_Waiting(frame.index, frame.time, people, None))

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        """Remember the neighbours that a ``state`` in a take tells of; False where it tells of none."""
        return self._around.restore(None if state is None else state.get("neighbours"))

    def flush(self, final: bool = False) -> None:
        """Estimate and write what was added, but for frames that wait for others; final: no others come."""
        self._look()
        if not self._waiting:
            return
        newest = self._waiting[-1].time
        ready = [one for one in self._waiting if final or one.time <= newest - self.delay]
        self._write(ready)
        self._waiting = self._waiting[len(ready) :]
        self._glimpsed.clear()
        self._around.forget_before(self._waiting[0].time if self._waiting else newest)

    def _look(self) -> None:
        new = [one for one in (*self._waiting, *self._glimpsed) if one.looked is None and one.seen]
        new.sort(key=lambda one: one.time)
        people = [person for one in new for person in one.seen]
        if not people:
            return
        looked = look_at_people(self._estimator, people, self._focal, self._principal)
        at = 0
        for one in new:
            one.looked = looked[range(at, at + len(one.seen))]
            at += len(one.seen)
            if self._around.reach:
                for person, row in zip(one.seen, one.looked.hidden.cpu(), strict=True):
                    self._around.add(person.track_id, one.time, row)

    def _write(self, ready: list[_Waiting]) -> None:
        seen = [(person, one.time) for one in ready for person in one.seen]
        looked = join_looks([one.looked for one in ready if one.looked is not None])
        around = self._around.around((person.track_id, time) for person, time in seen) if self._around.reach else None
        people = [person for person, _ in seen]
        rows = iter(estimate_people(self._estimator, people, self._focal, self._principal, looked, around))
        for one in ready:
            here = [next(rows) if person.seen else self._held(person) for person in one.people]
            kept = [row for row in here if row is not None]
            self.last |= {row.track_id: row for row in kept}
            self.seen_frames += any(row.status != "held" for row in kept)
            self._writer.write_frame(one.index, one.time, self._focal, kept, self._state(one))
            self._on_frame(one.index, one.time, kept)

    def _state(self, one: _Waiting) -> Mapping[str, Any] | None:
        if one.state is None or not self._around.reach:
            return one.state
        return {**one.state, "neighbours": self._around.state(one.time)}

    def _held(self, person: Observation) -> PersonFrame | None:
        """A missed frame holds the last pose, marked as such."""
        before = self.last.get(person.track_id)
        if before is None:
            return None
        blind = np.concatenate([before.landmarks_2d[:, :2], np.zeros((33, 1), np.float32)], 1)
        return replace(before, status="held", landmarks_2d=blind)
