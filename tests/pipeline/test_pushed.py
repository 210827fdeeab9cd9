"""Frames that come one by one, from somebody who has no file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hmdiff.models.weights import load_model
from hmdiff.video.animate import BATCH_FRAMES, run
from hmdiff.video.frames import Frame
from hmdiff.video.options import RunOptions
from hmdiff.video.pushed import PushedSource
from hmdiff.video.source import open_source
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import read_take

OPTIONS = RunOptions(hypotheses=1, steps=1)


@dataclass(frozen=True)
class Given:
    index: int
    time: float
    image: np.ndarray


@pytest.fixture(scope="module")
def frames(clip: Path) -> list[Frame]:
    return list(open_source(clip, (30, 36)))


def pushed(frames: list[Frame], kind: str = "video", **more) -> PushedSource:
    height, width = frames[0].image_rgb.shape[:2]
    given = (Given(one.index, one.time, one.image_rgb) for one in frames)
    return PushedSource("Scene", iter(given), width, height, 25.0, kind, **more)  # type: ignore[arg-type]


def test_pushed_frames_give_what_their_file_gives(tmp_path: Path, clip: Path, frames: list[Frame]):
    run(clip, RunOptions(hypotheses=1, steps=1, frame_range=(30, 36)), tmp_path / "file")
    result = run(Path("Scene"), OPTIONS, tmp_path / "pushed", source=pushed(frames))
    ours, theirs = read_take(tmp_path / "pushed"), read_take(tmp_path / "file")
    assert result.frames == 6 and ours.header.source_path == "Scene" and ours.header.source_kind == "video"
    np.testing.assert_array_equal(ours.frame_indices, theirs.frame_indices)
    np.testing.assert_array_equal(ours.joints, theirs.joints)


def test_pushed_frames_go_on_after_a_stop_whether_or_not_the_old_ones_come_again(tmp_path: Path, frames: list[Frame]):
    whole = tmp_path / "whole"
    run(Path("Scene"), OPTIONS, whole, source=pushed(frames))
    for name, again in (("all", frames), ("rest", frames[2:])):
        # A job that is cancelled sees its frames end.
        result = run(Path("Scene"), OPTIONS, tmp_path / name, source=pushed(frames[:2]), should_stop=lambda: True)
        assert result.status == "cancelled" and result.frames == 1
        result = run(Path("Scene"), OPTIONS, tmp_path / name, source=pushed(again[-5:]), resume=True)
        assert result.status == "complete"
        ours, theirs = read_take(tmp_path / name), read_take(whole)
        shared = np.isin(theirs.frame_indices, ours.frame_indices)
        assert ours.n_frames == (6 if name == "all" else 5)
        np.testing.assert_allclose(ours.boxes[0], theirs.boxes[0, shared], atol=3)


def test_a_pushed_photo_is_exactly_one_frame(tmp_path: Path, frames: list[Frame]):
    result = run(Path("Render"), OPTIONS, tmp_path / "one", source=pushed(frames[:1], "image"))
    take = read_take(tmp_path / "one")
    assert result.frames == 1 and take.frame_indices.tolist() == [0] and take.header.source_kind == "image"
    with pytest.raises(HmdiffError) as caught:
        run(Path("Render"), OPTIONS, tmp_path / "two", source=pushed(frames[:2], "image"))
    assert caught.value.kind == "input.is_video"


def test_a_range_of_pushed_frames(frames: list[Frame]):
    assert [one.index for one in pushed(frames, frame_range=(32, 34))] == [32, 33]
    assert [one.index for one in pushed(frames).starting_at(34)] == [34, 35]
    assert pushed(frames, frame_range=(32, 34)).n_frames == 2 and pushed(frames).n_frames is None


def test_bodies_come_with_a_bounded_delay(tmp_path: Path, clip: Path):
    """The model looks at neighbours, so a frame waits for those after it, but no longer than that and a batch."""
    source = open_source(clip, (20, 80))
    read, told = [0], []

    def counted() -> Iterator[Given]:
        for frame in source:
            read[0] += 1
            yield Given(frame.index, frame.time, frame.image_rgb)

    info = source.info
    frames = PushedSource("Scene", counted(), info.width, info.height, info.fps)  # type: ignore[arg-type]
    waited: list[int] = []

    def on_frame(index: int, time: float, rows: object) -> None:
        told.append(index)
        waited.append(read[0] - len(told))

    result = run(Path("Scene"), OPTIONS, tmp_path / "take", source=frames, on_frame=on_frame)
    assert result.frames == 60 and told == list(range(20, 80))
    reach = load_model().model.temporal
    assert reach is not None
    assert max(waited) <= BATCH_FRAMES + int(np.ceil((reach.config.reach + 0.5) / 30 * info.fps))
