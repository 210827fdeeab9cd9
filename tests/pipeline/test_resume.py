"""A run that was killed, cancelled or left without room goes on and ends as if nothing had happened."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmdiff.video.animate import run
from hmdiff.video.options import RunOptions
from hmdiff_wire import take_format, take_writer
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take, read_manifest, read_take

ROOT = Path(__file__).resolve().parents[2]
SPAN = (20, 60)
OPTIONS = RunOptions(hypotheses=2, steps=1, frame_range=SPAN)
WORDS = ("--range", "20:60", "--hypotheses", "2", "--steps", "1")
JOINTS_M, PIXELS = 2e-4, 0.02
"""Only the sums of the networks differ, where a frame was computed in another batch: measured 4e-5 m and 0.003 px."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """The run nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "take"
    run(clip, OPTIONS, folder)
    return folder


def assert_same(folder: Path, other: Path) -> None:
    for raw in (True, False):
        mine, theirs = read_take(folder, raw), read_take(other, raw)
        assert mine.run_status == theirs.run_status == "complete"
        for name in ("frame_indices", "times", "track_ids", "status", "valid", "smoothed", "boxes", "landmarks_2d"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)
        for name, limit in (("joints", JOINTS_M), ("hypotheses_joints", JOINTS_M), ("joints_2d", PIXELS)):
            np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=0, atol=limit, err_msg=name)
        assert mine.header.up == pytest.approx(theirs.header.up, abs=1e-3)


def after(count: int) -> Callable[[], bool]:
    """should_stop that says yes from its count-th answer on."""
    asked = [0]

    def ask() -> bool:
        asked[0] += 1
        return asked[0] >= count

    return ask


def animate(clip: Path, take: Path, *words: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT / "backend"), str(ROOT / "shared")])
    command = [sys.executable, "-m", "hmdiff.cli", "animate", str(clip), "--take", str(take), "--json", *words]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def frames_on_disk(take: Path) -> int:
    return read_manifest(take).n_frames if (take / "manifest.json").is_file() else 0


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_command_goes_on_with_resume_alone(tmp_path: Path, clip: Path, whole: Path):
    take, chance = tmp_path / "t.take", random.Random()
    child = animate(clip, take, *WORDS)
    end = time.monotonic() + 120
    while frames_on_disk(take) == 0 and child.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(chance.uniform(0, 1.0))
    child.send_signal(signal.SIGKILL)
    child.communicate()
    child = animate(clip, take, "--resume")
    time.sleep(chance.uniform(0.5, 6.0))  # anywhere from the imports to the end
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert frames_on_disk(take) >= 32
    child = animate(clip, take, "--resume")
    out, log = child.communicate(timeout=200)
    assert child.returncode == 0, log
    report = json.loads(out)
    assert (report["frames"], report["frames_with_people"]) == (40, 40)
    assert_same(take, whole)


def test_cancelled_anywhere_and_resumed_it_is_the_same_take(tmp_path: Path, clip: Path, whole: Path):
    chance, folder = random.Random(), tmp_path / "take"
    heard: list[int] = []

    def on_frame(index: int, time: float, rows: object) -> None:
        heard.append(index)

    result = run(clip, OPTIONS, folder, should_stop=after(chance.randint(2, 25)))
    while result.status == "cancelled":
        first = read_take(folder, raw=True)
        assert first.run_status == "cancelled" and first.n_frames == result.frames and first.valid.all()
        before = result.frames
        heard.clear()
        stop = after(chance.randint(10, 30))
        result = run(clip, RunOptions(), folder, resume=True, should_stop=stop, on_frame=on_frame)
        assert heard == list(range(SPAN[0] + before, SPAN[0] + result.frames)), "only new frames are told"
    assert (result.frames, result.seen_frames, result.people) == (40, 40, (0,))
    assert_same(folder, whole)


def test_without_the_trackers_notes_the_people_are_found_again(tmp_path: Path, clip: Path, whole: Path):
    folder = tmp_path / "take"
    run(clip, OPTIONS, folder, should_stop=after(20))
    for state in (folder / "chunks").glob("*/state.json"):
        state.write_text('{"kind": "detector", "largest": null, "follower": {"tracks": [{}]}}', encoding="utf-8")
    stages: list[str] = []
    run(clip, RunOptions(), folder, lambda stage, done, total: stages.append(stage), resume=True)
    assert stages[0] == "people"
    assert_same(folder, whole)


def test_a_cancelled_finish_leaves_the_rows_and_can_be_resumed(tmp_path: Path, clip: Path, whole: Path):
    folder = tmp_path / "take"
    heard: list[tuple[int, int]] = []

    def on_progress(stage: str, done: int, total: int) -> None:
        if stage == "motion":
            heard.append((done, total))

    result = run(clip, OPTIONS, folder, on_progress, lambda: bool(heard))
    take = read_take(folder)
    assert result.status == take.run_status == "cancelled" and result.frames == 40
    assert take.valid.all() and not take.smoothed.any() and np.isfinite(take.joints).all()
    heard.clear()
    run(clip, RunOptions(), folder, on_progress, resume=True)
    assert heard[-1] == (40, 40) and heard == sorted(heard) and len(heard) > 2
    assert_same(folder, whole)


def test_a_complete_take_has_nothing_left_to_do(clip: Path, whole: Path):
    before = sorted((path, path.stat().st_mtime_ns) for path in whole.rglob("*.npy"))
    result = run(clip, RunOptions(), whole, resume=True)
    assert (result.status, result.frames, result.people) == ("complete", 40, (0,))
    assert "nothing left" in result.notes[0]
    assert sorted((path, path.stat().st_mtime_ns) for path in whole.rglob("*.npy")) == before


def error_of(call: Callable[[], Any]) -> HmdiffError:
    with pytest.raises(HmdiffError) as caught:
        call()
    assert caught.value.message and caught.value.fix
    return caught.value


def test_what_cannot_go_on_says_why_and_changes_nothing(tmp_path: Path, clip: Path):
    folder = tmp_path / "take"
    run(clip, OPTIONS, folder, should_stop=after(3))
    manifest = (folder / "manifest.json").read_bytes()

    def resumed(footage: Path = clip, **settings: Any) -> Callable[[], Any]:
        return lambda: run(footage, RunOptions(**settings), folder, resume=True)

    others: tuple[tuple[dict[str, Any], str], ...] = (
        ({"hypotheses": 3}, "hypotheses"), ({"seed": 5}, "seed"), ({"frame_range": (20, 61)}, "frame range"),
        ({"preset": "quality"}, "preset"), ({"smooth": 0.0}, "smooth"), ({"person": "largest"}, "person"),
    )  # fmt: skip
    for settings, named in others:
        error = error_of(resumed(**settings))
        assert error.kind == "take.settings_differ" and named in error.message
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(clip.read_bytes()[:-1] + b"?")
    assert error_of(resumed(changed)).kind == "take.other_footage"
    assert error_of(resumed(tmp_path / "gone.mp4")).kind == "input.not_found"
    assert error_of(lambda: run(clip, RunOptions(), tmp_path / "none", resume=True)).kind == "take.not_found"
    assert (folder / "manifest.json").read_bytes() == manifest
    moved = tmp_path / "moved.mp4"
    moved.write_bytes(clip.read_bytes())
    assert run(moved, OPTIONS, folder, resume=True, should_stop=after(2)).frames > 3, "a copy is the same footage"


def test_people_by_hand_are_not_asked_for_again(tmp_path: Path, clip: Path):
    box = tuple(float(value) for value in _first_box(clip))
    options = RunOptions(hypotheses=1, steps=1, frame_range=(20, 27), boxes=(box,), person="largest")  # type: ignore
    run(clip, options, tmp_path / "whole")
    run(clip, options, tmp_path / "parts", should_stop=after(4))
    run(clip, RunOptions(), tmp_path / "parts", resume=True)
    assert_same(tmp_path / "parts", tmp_path / "whole")


def _first_box(clip: Path) -> np.ndarray:
    from hmdiff.detect import Detector
    from hmdiff.video.source import open_source

    return Detector().photo(next(iter(open_source(clip, (20, 21)))).image_rgb)[0].box


def test_a_full_disk_is_a_sentence_and_the_take_goes_on_once_there_is_room(
    tmp_path: Path, clip: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, save = tmp_path / "take", take_format.save_array

    def full(path: Path, array: Any) -> None:
        if "000001" in str(path) and path.name == "rows.npy":
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(path, array)

    with monkeypatch.context() as patched:
        patched.setattr(take_writer, "save_array", full)
        error = error_of(lambda: run(clip, OPTIONS, folder))
    assert error.kind == "disk.full"
    assert read_take(folder).n_frames == 32 and not list((folder / "chunks").glob("*.tmp"))
    run(clip, RunOptions(), folder, resume=True)
    assert_same(folder, whole)


@pytest.fixture
def small_disk(tmp_path: Path, whole: Path) -> Iterator[Path]:
    """A real file system with room for the first of two chunks."""
    place = tmp_path / "small"
    place.mkdir()
    parts = [whole / "body.npz", *(whole / "chunks" / "000000").iterdir()]
    size = sum(part.stat().st_size + 4096 for part in parts) + 100_000
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if os.name == "nt" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small file system can only be mounted by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_disk_that_is_really_full(small_disk: Path, clip: Path, whole: Path):
    folder = small_disk / "take"
    assert error_of(lambda: run(clip, OPTIONS, folder)).kind == "disk.full"
    kept = read_take(folder, raw=True)
    assert kept.valid.all() and np.isfinite(kept.joints).all() and kept.n_frames == 32
    assert error_of(lambda: run(clip, RunOptions(), folder, resume=True)).kind == "disk.full"
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    run(clip, RunOptions(), folder, resume=True)
    assert_same(folder, whole)


def test_tracks_and_held_frames_go_on(tmp_path: Path, clip: Path):
    """Two people in outside keypoints, one of whom is not seen for a while around the cut."""
    rows = []
    for index in range(12):
        for person, (left, height) in enumerate(((150, 300), (420, 200))):
            if person == 1 and 4 <= index < 8:
                continue
            rows.append(_upright(index, left + 3 * index, height))
    (tmp_path / "two.json").write_text(json.dumps(rows), encoding="utf-8")
    options = RunOptions(hypotheses=1, steps=1, frame_range=(0, 12), keypoints=tmp_path / "two.json")
    run(clip, options, tmp_path / "whole")
    run(clip, options, tmp_path / "parts", should_stop=after(6))
    run(clip, RunOptions(), tmp_path / "parts", resume=True)
    take: Take = read_take(tmp_path / "parts", raw=True)
    assert take.track_ids.tolist() == [0, 1]
    assert (take.status[1] == take_format.HELD).tolist() == [4 <= index < 8 for index in range(12)]
    assert_same(tmp_path / "parts", tmp_path / "whole")


def _upright(frame: int, left: float, height: float) -> dict[str, Any]:
    """COCO keypoints of somebody who stands, ``height`` px tall."""
    x = [0, -2, 2, -4, 4, -9, 9, -11, 11, -12, 12, -6, 6, -6, 6, -6, 6]
    y = [8, 6, 6, 7, 7, 18, 18, 34, 34, 48, 48, 50, 50, 72, 72, 94, 94]
    points = [[left + dx * height / 100, 40 + dy * height / 100, 0.9] for dx, dy in zip(x, y, strict=True)]
    return {"image_id": frame, "category_id": 1, "keypoints": [float(v) for p in points for v in p], "score": 1.0}


def test_only_the_largest_person(tmp_path: Path, clip: Path):
    rows = [
        _upright(index, left, height) for index in range(3) for left, height in ((420, 200), (150, 300), (560, 120))
    ]
    (tmp_path / "three.json").write_text(json.dumps(rows), encoding="utf-8")
    options = RunOptions(hypotheses=1, steps=1, frame_range=(0, 3), keypoints=tmp_path / "three.json", person="largest")
    result = run(clip, options, tmp_path / "take")
    take = read_take(tmp_path / "take")
    assert result.people == (1,) and take.n_people == 1 and take.valid.all()
    assert (take.boxes[0, :, 3] - take.boxes[0, :, 1] > 250).all()
