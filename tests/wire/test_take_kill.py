"""Kills, growing takes, damage: what a folder goes through outside a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hmdiff_wire import take_format
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import TakeWriter, read_manifest, read_take
from take_maker import header, person

SHARED = Path(take_format.__file__).parents[1]
WRITER = """
import sys, itertools
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from hmdiff_wire.take import TakeWriter
from take_maker import header, person
writer = TakeWriter.create(Path(sys.argv[3]), header(), Path(sys.argv[4]), chunk_frames=4)
for frame in itertools.count():
    writer.write_frame(frame, frame / 25, 300.0, [person(frame, 0), person(frame, 1)])
"""


def make(folder: Path, body_file: Path, n_frames: int = 10, chunk_frames: int = 4) -> None:
    writer = TakeWriter.create(folder, header(), body_file, chunk_frames=chunk_frames)
    for frame in range(n_frames):
        writer.write_frame(frame, frame / 25, 300.0, [person(frame, 0)])
    writer.finish()


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_run_is_followed_resumed_and_ends_whole(tmp_path, body_file):
    folder = tmp_path / "ein Täke"
    paths = [str(SHARED), str(Path(__file__).parent), str(folder), str(body_file)]
    child = subprocess.Popen([sys.executable, "-c", WRITER, *paths])
    try:
        lengths = []
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and (not lengths or lengths[-1] < 40):
            if (folder / "manifest.json").exists():
                growing = read_take(folder)
                assert growing.run_status == "running" and growing.valid.all()
                if growing.n_frames:
                    np.testing.assert_array_equal(growing.pose[0, -1], np.float32(person(growing.n_frames - 1, 0).pose))
                lengths.append(growing.n_frames)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert lengths[-1] >= 40 and lengths == sorted(lengths) and len(set(lengths)) > 1
    (folder / "chunks" / "999999.tmp").mkdir()

    on_disk = read_take(folder).n_frames
    writer = TakeWriter.resume(folder, chunk_frames=4)
    assert on_disk - 4 <= writer.next_frame <= on_disk
    assert not list((folder / "chunks").glob("*.tmp"))
    for frame in range(writer.next_frame, on_disk + 6):
        writer.write_frame(frame, frame / 25, 300.0, [person(frame, 0), person(frame, 1)])
    writer.finish()
    take = read_take(folder)
    assert take.frame_indices.tolist() == list(range(on_disk + 6)) and take.run_status == "complete"
    for frame in (0, on_disk - 1, on_disk + 5):
        np.testing.assert_array_equal(take.hypotheses_pose[1, frame], np.float32(person(frame, 1).hypotheses_pose))


def test_resume_drops_a_damaged_last_chunk_and_what_the_manifest_does_not_name(tmp_path, body_file):
    make(tmp_path / "t", body_file)
    chunks = tmp_path / "t" / "chunks"
    last = chunks / "000002" / "rows.npy"
    last.write_bytes(last.read_bytes()[:-7])
    (chunks / "000003").mkdir()
    writer = TakeWriter.resume(tmp_path / "t")
    assert writer.next_frame == 8 and writer.status == "running"
    assert sorted(entry.name for entry in chunks.iterdir()) == ["000000", "000001"]
    writer.write_frame(8, 8 / 25, 300.0, [person(8, 0)])
    writer.finish()
    assert read_take(tmp_path / "t").valid.all() and read_take(tmp_path / "t").n_frames == 9


def test_resume_of_a_complete_take_can_set_tracks_again(tmp_path, body_file):
    make(tmp_path / "t", body_file)
    writer = TakeWriter.resume(tmp_path / "t")
    assert (writer.status, writer.next_frame) == ("complete", 10)
    writer.set_track(
        0,
        np.ones(10),
        np.arange(10),
        np.zeros((10, 72)),
        np.ones((10, 3)),
        np.zeros((10, 24, 3)),
        np.zeros((10, 24, 2)),
    )
    assert read_take(tmp_path / "t").smoothed.all() and read_take(tmp_path / "t").run_status == "complete"


def test_a_track_smoothed_beyond_what_reached_the_disk_is_cut(tmp_path, body_file):
    writer = TakeWriter.create(tmp_path / "t", header(), body_file, chunk_frames=4)
    for frame in range(6):
        writer.write_frame(frame, frame / 25, 300.0, [person(frame, 0)])
    writer.set_track(
        0, np.ones(10), np.arange(6), np.zeros((6, 72)), np.ones((6, 3)), np.zeros((6, 24, 3)), np.zeros((6, 24, 2))
    )
    take = read_take(tmp_path / "t")
    assert take.n_frames == 4 and take.smoothed.all() and take.decode(0).shape[0] == 4


def test_an_existing_take_is_not_lost_by_accident(tmp_path, body_file):
    make(tmp_path / "t", body_file)
    (tmp_path / "t" / "mine.txt").write_text("keep")
    with pytest.raises(HmdiffError) as error:
        TakeWriter.create(tmp_path / "t", header(), body_file)
    assert error.value.kind == "take.exists" and read_take(tmp_path / "t").n_frames == 10
    TakeWriter.create(tmp_path / "t", header(), body_file, overwrite=True).finish()
    assert read_take(tmp_path / "t").n_frames == 0 and (tmp_path / "t" / "mine.txt").exists()


def test_memory_is_bounded_by_frames_and_by_bytes(tmp_path, body_file, monkeypatch):
    writer = TakeWriter.create(tmp_path / "t", header(), body_file, chunk_frames=16)
    row_bytes, most = None, 0
    for frame in range(100):
        writer.write_frame(frame, frame / 25, 300.0, [person(frame, 0)])
        row_bytes = row_bytes or writer.buffered_bytes
        most = max(most, writer.buffered_bytes)
    assert 0 < most <= 16 * row_bytes
    writer.finish()
    monkeypatch.setattr("hmdiff_wire.take_writer.BUFFER_BYTES", 3 * row_bytes)
    crowd = TakeWriter.create(tmp_path / "u", header(), body_file, chunk_frames=16)
    for frame in range(10):
        crowd.write_frame(frame, frame / 25, 300.0, [person(frame, track) for track in range(2)])
        assert crowd.buffered_bytes <= 3 * row_bytes
    crowd.finish()
    assert len(list((tmp_path / "u" / "chunks").iterdir())) == 5 and read_take(tmp_path / "u").valid.all()


def change_manifest(folder: Path, **changes) -> None:
    data = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps({**data, **changes}), encoding="utf-8")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE = {
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "take.not_found"),
    "half a manifest": (lambda f: cut(f / "manifest.json"), "take.damaged"),
    "another program's": (lambda f: (f / "manifest.json").write_text('{"format": "other"}'), "take.foreign"),
    "a list": (lambda f: (f / "manifest.json").write_text("[]"), "take.foreign"),
    "not text": (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe\x00"), "take.damaged"),
    "newer": (lambda f: change_manifest(f, version=[2, 0]), "take.newer"),
    "no header": (lambda f: change_manifest(f, header={}), "take.damaged"),
    "escaping track": (lambda f: change_manifest(f, tracks={"0": "../../etc"}), "take.damaged"),
    "lost track": (lambda f: change_manifest(f, tracks={"0": "0_7"}), "take.damaged"),
    "chunk gone": (lambda f: (f / "chunks" / "000001" / "frames.npy").unlink(), "take.damaged"),
    "index cut": (lambda f: cut(f / "chunks" / "000001" / "index.npy"), "take.damaged"),
    "rows cut": (lambda f: cut(f / "chunks" / "000001" / "rows.npy"), "take.damaged"),
    "rows gone": (lambda f: (f / "chunks" / "000001" / "rows.npy").unlink(), "take.damaged"),
    "std cut": (lambda f: cut(f / "chunks" / "000001" / "vertex_std.npy"), "take.damaged"),
    "fewer rows": (lambda f: np.save(f / "chunks" / "000001" / "rows.npy", np.zeros((1, 308), "f4")), "take.damaged"),
    "narrow rows": (lambda f: np.save(f / "chunks" / "000001" / "rows.npy", np.zeros((4, 9), "f4")), "take.damaged"),
    "pickle": (
        lambda f: np.save(f / "chunks" / "000001" / "rows.npy", np.array([{}] * 4, object), allow_pickle=True),
        "take.damaged",
    ),
    "wrong place": (
        lambda f: np.save(f / "chunks" / "000001" / "index.npy", np.full((4, 4), 99, "i4")),
        "take.damaged",
    ),
    "body swapped": (lambda f: (f / "body.npz").write_bytes(b"PK"), "take.damaged"),
    "body gone": (lambda f: (f / "body.npz").unlink(), "body.not_found"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_sentence_with_a_fix(name, tmp_path, body_file):
    make(tmp_path / "t", body_file)
    act, kind = DAMAGE[name]
    act(tmp_path / "t")
    with pytest.raises(HmdiffError) as error:
        take = read_take(tmp_path / "t")
        _ = (take.pose, take.hypotheses_pose, np.asarray(take.vertex_std), take.body)
    assert error.value.kind == kind and error.value.message and error.value.fix


def test_a_file_or_nothing_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(HmdiffError) as error:
            read_manifest(path)
        assert error.value.kind == "take.not_found"


def test_a_newer_minor_version_with_unknown_fields_is_read(tmp_path, body_file):
    make(tmp_path / "t", body_file)
    data = json.loads((tmp_path / "t" / "manifest.json").read_text(encoding="utf-8"))
    change_manifest(tmp_path / "t", version=[1, 9], header={**data["header"], "weather": "rain"}, more=1)
    assert read_take(tmp_path / "t").valid.all()
