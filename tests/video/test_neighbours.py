"""Which frames count as neighbours, at any frame rate, and that a resumed run knows the same ones."""

from __future__ import annotations

import json

import pytest
import torch
from hmdiff.video.neighbours import Neighbours

REACH, WIDTH = 3, 4


def _filled(fps: float, frames: int, track: int = 7, without: tuple[int, ...] = ()) -> Neighbours:
    """Each frame's row holds its number."""
    known = Neighbours(REACH, WIDTH)
    for frame in range(frames):
        if frame not in without:
            known.add(track, frame / fps, torch.full((WIDTH,), float(frame)))
    return known


def _numbers(known: Neighbours, track: int, time: float) -> list[int | None]:
    rows, seen = known.around([(track, time)])
    assert rows.shape == (1, 2 * REACH + 1, WIDTH)
    return [int(row[0]) if there else None for row, there in zip(rows[0], seen[0].tolist(), strict=True)]


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (30.0, [7, 8, 9, 10, 11, 12, 13]),
        (60.0, [4, 6, 8, 10, 12, 14, 16]),
        (29.97, [7, 8, 9, 10, 11, 12, 13]),
        (15.0, [None, 9, None, 10, None, 11, None]),
        (1.0, [None, None, None, 10, None, None, None]),
    ],
)
def test_neighbours_are_a_thirtieth_of_a_second_apart(fps: float, expected: list[int | None]):
    assert _numbers(_filled(fps, 21), 7, 10 / fps) == expected


def test_a_frame_without_the_person_and_another_track_are_no_neighbours():
    known = _filled(30.0, 21, without=(9,))
    assert _numbers(known, 7, 10 / 30) == [7, 8, None, 10, 11, 12, 13]
    assert _numbers(known, 8, 10 / 30) == [None] * 7
    assert known.around([])[0].shape == (0, 7, WIDTH)


def test_what_is_forgotten_is_what_no_later_frame_needs():
    known = _filled(30.0, 21)
    before = _numbers(known, 7, 15 / 30)
    known.forget_before(15 / 30)
    assert _numbers(known, 7, 15 / 30) == before == [12, 13, 14, 15, 16, 17, 18]
    assert _numbers(known, 7, 11 / 30)[:3] == [None] * 3


def test_a_resumed_run_knows_what_the_first_knew_up_to_its_frame():
    known = _filled(30.0, 21)
    state = json.loads(json.dumps(known.state(10 / 30)))
    assert len(state["tracks"]["7"]["times"]) == REACH + 1
    again = Neighbours(REACH, WIDTH)
    assert again.restore(state)
    assert _numbers(again, 7, 10 / 30) == [7, 8, 9, 10, None, None, None]
    for frame in range(11, 21):
        again.add(7, frame / 30, torch.full((WIDTH,), float(frame)))
    for frame in range(10, 18):
        assert _numbers(again, 7, frame / 30) == _numbers(known, 7, frame / 30)


@pytest.mark.parametrize(
    "state", [None, {}, {"width": 5, "tracks": {}}, {"width": WIDTH, "tracks": {"1": {"times": [0.0], "rows": "AA=="}}}]
)
def test_notes_that_are_not_usable_are_as_none(state):
    known = _filled(30.0, 5)
    assert not known.restore(state)
    assert _numbers(known, 7, 2 / 30) == [None] * 7
