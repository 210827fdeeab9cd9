"""Footage as the user points at it, frame ranges, places for takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hmdiff_blender_core.source import (
    MOVIE_SUFFIXES,
    PHOTO_SUFFIXES,
    Footage,
    frame_range,
    resolve,
    take_folder,
)
from hmdiff_wire.errors import HmdiffError


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder / names[0]


def kind_of(*arguments: object) -> str:
    with pytest.raises(HmdiffError) as caught:
        resolve(*arguments)  # type: ignore[arg-type]
    assert caught.value.message.endswith(".") and caught.value.fix.endswith(".")
    return caught.value.kind


def test_one_file(tmp_path: Path) -> None:
    photo, movie = touch(tmp_path, "Grüße 1.JPG"), touch(tmp_path, "walk.MP4")
    assert resolve("FILE", str(photo)) == Footage(str(photo), "pose", "Grüße 1", 1)
    assert resolve("FILE", str(movie)) == Footage(str(movie), "animate", "walk", None)
    assert resolve("SEQUENCE", str(movie)).job_kind == "animate"


def test_a_numbered_picture(tmp_path: Path) -> None:
    names = [f"shot2_{index:04d}.png" for index in range(7, 12)]
    first = touch(tmp_path, *names, "shot2_0001.jpg", "other_0001.png", "shot2_.png", ".shot2_0099.png")
    found = resolve("SEQUENCE", str(first))
    assert found == Footage(str(tmp_path / "shot2_%04d.png"), "animate", "shot2", 5)
    assert resolve("FILE", str(first)).job_kind == "pose"


def test_numbers_without_zeros_and_text_behind_them(tmp_path: Path) -> None:
    first = touch(tmp_path, "8 left.png", "9 left.png", "10 left.png", "10 right.png")
    found = resolve("SEQUENCE", str(first))
    assert (Path(found.path).name, found.count, found.name) == ("%d left.png", 3, tmp_path.name)


def test_the_backend_reads_the_same_pictures(tmp_path: Path) -> None:
    sequence = pytest.importorskip("hmdiff.video.sequence")
    assert PHOTO_SUFFIXES == sequence.PHOTO_SUFFIXES
    first = touch(tmp_path, *(f"a{index:03d}b.png" for index in range(4)), "a1000b.png", "aXb.png", "b.jpg", "n.txt")
    for path in (str(first), str(tmp_path)):
        found = resolve("SEQUENCE", path)
        assert len(sequence.sequence_files(Path(found.path))) == found.count


def test_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "frames", "a.png", "b.png", "notes.txt", ".hidden.png")
    for kind in ("FILE", "SEQUENCE"):
        assert resolve(kind, str(tmp_path / "frames")) == Footage(str(tmp_path / "frames"), "animate", "frames", 2)


def test_a_sign_that_means_a_number(tmp_path: Path) -> None:
    first = touch(tmp_path / "alone", "take#2_01.png", "take#2_02.png")
    assert resolve("SEQUENCE", str(first)) == Footage(str(tmp_path / "alone"), "animate", "take#2", 2)
    first = touch(tmp_path / "mixed", "take#2_01.png", "take#3_01.png")
    assert kind_of("SEQUENCE", str(first)) == "input.odd_name"


def test_what_cannot_be_used(tmp_path: Path) -> None:
    assert kind_of("FILE", "  ") == "input.none"
    assert kind_of("FILE", str(tmp_path / "gone.mp4")) == "input.not_found"
    assert kind_of("SEQUENCE", str(touch(tmp_path, "photo.png"))) == "input.no_number"
    (tmp_path / "empty").mkdir()
    assert kind_of("SEQUENCE", str(tmp_path / "empty")) == "input.empty"
    with pytest.raises(HmdiffError) as caught:
        resolve("FILE", str(touch(tmp_path, "notes.docx")))
    assert caught.value.kind == "input.unknown_type"
    assert all(suffix[1:] in caught.value.fix for suffix in PHOTO_SUFFIXES | MOVIE_SUFFIXES)


def test_frame_ranges() -> None:
    assert frame_range(1, 300, 300) == (0, 300)
    assert frame_range(10, 10) == (9, 10)
    assert frame_range(5, 0) == (4, None)
    assert frame_range(5, 999, 300) == (4, 300)
    for first, last, count in ((0, 5, None), (9, 8, None), (301, 400, 300)):
        with pytest.raises(HmdiffError) as caught:
            frame_range(first, last, count)
        assert caught.value.kind == "input.range" and str(first) in caught.value.message


def test_where_a_take_goes(tmp_path: Path) -> None:
    footage = Footage(str(tmp_path / "my walk (1).mp4"), "animate", "my walk (1)", None)
    beside = take_folder(None, None, footage)
    assert beside == tmp_path / "my_walk_1.take"
    beside.mkdir()
    assert take_folder(None, None, footage) == tmp_path / "my_walk_1-2.take"
    (tmp_path / "scene").mkdir()
    of_blend = take_folder(tmp_path / "scene" / "dance.blend", None, footage)
    assert of_blend == tmp_path / "scene" / "dance.hmdiff" / "my_walk_1.take"
    assert take_folder(tmp_path / "dance.blend", tmp_path / "new" / "deep", footage).parent == tmp_path / "new" / "deep"
    folder = Footage(str(tmp_path / "frames"), "animate", "...", 2)
    assert take_folder(None, "", folder) == tmp_path / "take.take"


def test_where_a_take_cannot_go(tmp_path: Path) -> None:
    blocked = touch(tmp_path, "a file")
    footage = Footage(str(tmp_path / "walk.mp4"), "animate", "walk", None)
    with pytest.raises(HmdiffError) as caught:
        take_folder(None, blocked, footage)
    assert caught.value.kind == "take.not_writable"
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(HmdiffError):
            take_folder(None, tmp_path / "locked" / "below", footage)
