"""Meshes and files of a take, on request."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hmdiff_wire.messages import Decode, Error, Fetch, JobDone, Meshes, Piece, Ping, Pong, Submit
from hmdiff_wire.take import read_take


@pytest.fixture(scope="module")
def walked(fake) -> Path:
    """The take of a job "walked" of two people, frames 5 to 34."""
    client = fake.connect()
    client.submit("walked", fake={"people": 2}, frame_range=[5, 35])
    done, _ = client.until(JobDone)
    client.close()
    take = Path(done.take)
    (take / "link.npz").symlink_to("/etc/passwd")
    (take / "door").symlink_to(fake.root)
    (take / "chunks" / "out.npy").symlink_to(fake.clip)
    (take / "chunks" / "000009.tmp").mkdir()
    (take / "empty.txt").write_bytes(b"")
    return take


def meshes(client, asked: Decode) -> tuple[list[Meshes], dict[str, np.ndarray]]:
    client.send(asked)
    parts = [client.receive()]
    while isinstance(parts[-1], Meshes) and not parts[-1].last:
        parts.append(client.receive())
    assert all(isinstance(one, Meshes) for one in parts), parts[-1]
    names = ("position", "index", "time", "vertices")
    return parts, {name: np.concatenate([one.arrays[name] for one in parts]) for name in names}


@pytest.mark.parametrize("hypothesis", [-1, 0, 2])
def test_meshes_are_those_of_the_take(hypothesis, fake, connect, walked):
    client, take = connect(fake), read_take(walked)
    parts, found = meshes(client, Decode("walked", 1, 3, 20, hypothesis))
    expected = take.decode(1, slice(3, 20), None if hypothesis < 0 else hypothesis)
    np.testing.assert_array_equal(found["vertices"], expected)
    assert found["position"].tolist() == list(range(3, 20)) and found["index"].tolist() == list(range(8, 25))
    np.testing.assert_array_equal(found["time"], take.times[3:20])
    assert {(one.job, one.track_id, one.hypothesis) for one in parts} == {("walked", 1, hypothesis)}
    np.testing.assert_array_equal(parts[0].arrays["faces"], take.body.faces)
    assert len(parts) > 3 and all("faces" not in one.arrays for one in parts[1:])
    assert all(one.arrays["vertices"].nbytes <= 512 * 1024 for one in parts)


def test_ranges_of_a_take_by_its_path_and_what_is_refused(fake, connect, walked, tmp_path):
    client = connect(fake)
    _, found = meshes(client, Decode("any-id", 0, 28, 10**9, take=str(walked)))
    assert found["position"].tolist() == [28, 29], "up to the end of the take"
    parts, found = meshes(client, Decode("walked", 0, 500, 600))
    assert len(parts) == 1 and parts[0].last and len(found["vertices"]) == 0
    for wrong, kind in (
        (Decode("walked", 7, 0, 1), "take.no_person"),
        (Decode("walked", 0, 0, 1, 3), "take.no_hypothesis"),
        (Decode("walked", 0, -4, 1), "take.no_frames"),
        (Decode("walked", 0, 9, 1), "take.no_frames"),
        (Decode("never", 0, 0, 1), "job.unknown"),
        (Decode("x", 0, 0, 1, take=str(tmp_path)), "input.outside_roots"),
        (Decode("x", 0, 0, 1, take="walk.take"), "input.relative"),
        (Decode("x", 0, 0, 1, take=str(fake.root / "none.take")), "take.not_found"),
    ):
        assert client.refused(wrong) == kind, wrong


def test_a_growing_take_can_be_asked_too(fake, connect):
    client, other = connect(fake), connect(fake)
    job = client.submit(fake={"frames": 120, "delay": 0.01})
    while True:
        other.send(Decode(job, 0, 0, 4))
        answer = other.receive()
        if isinstance(answer, Meshes):
            break
        assert isinstance(answer, Error) and answer.error["kind"].startswith("take."), answer
        time.sleep(0.05)
    assert answer.arrays["vertices"].shape[1:] == (13718, 3)
    client.until(JobDone)


def fetch(client, asked: Fetch) -> bytes:
    data = b""
    while True:
        client.send(Fetch(asked.job, asked.name, asked.offset + len(data), asked.take))
        piece = client.receive()
        assert isinstance(piece, Piece), piece
        assert (piece.name, piece.offset) == (asked.name, asked.offset + len(data))
        data += piece.arrays["data"].tobytes()
        if asked.offset + len(data) >= piece.size:
            return data


def test_a_whole_take_can_be_copied_file_by_file(fake, connect, walked, tmp_path):
    client = connect(fake)
    listed = json.loads(fetch(client, Fetch("walked")))
    assert "manifest.json" in listed and "chunks/000000/rows.npy" in listed
    assert not any(name.startswith(("link", "door", "chunks/out")) or "tmp" in name for name in listed)
    for name, size in listed.items():
        data = fetch(client, Fetch("walked", name))
        assert len(data) == size and data == (walked / name).read_bytes()
        target = tmp_path / "copy" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    np.testing.assert_array_equal(read_take(tmp_path / "copy").pose, read_take(walked).pose)
    assert fetch(client, Fetch("walked", "body.npz", 1_000_000)) == (walked / "body.npz").read_bytes()[1_000_000:]
    assert fetch(client, Fetch("x", "manifest.json", 10**12, str(walked))) == b""


def test_nothing_outside_the_take_can_be_fetched(fake, connect, walked):
    client = connect(fake)
    (fake.root / "secret.txt").write_text("not the take's")
    for name in (
        "../secret.txt", "chunks/../../secret.txt", str(fake.root / "secret.txt"), "/etc/passwd", "door/secret.txt",
        "chunks/out.npy", "chunks", ".", "..", "chunks//000000/rows.npy", "./manifest.json", "manifest.json/",
        "..\\secret.txt", "C:\\x", "a\0b", "x" * 5000, "manifest.json:stream", "chunks/000000/rows.npy/..",
    ):  # fmt: skip
        assert client.refused(Fetch("walked", name)) == "take.no_file", name
    for wrong, kind in (
        (Fetch("never"), "job.unknown"),
        (Fetch("x", "", 0, "/etc"), "input.outside_roots"),
        (Fetch("x", "secret.txt", 0, str(fake.root)), "take.not_found"),
        (Fetch("x", "passwd", 0, str(walked / "link.npz")), "input.outside_roots"),
    ):
        assert client.refused(wrong) == kind, wrong
    client.send(Submit("who2", "people", str(fake.clip)))
    client.until(JobDone)
    assert client.refused(Fetch("who2")) == "take.missing"


def test_one_who_asks_for_much_delays_nobody(fake, connect, walked):
    greedy, other = connect(fake), connect(fake)
    for _ in range(10):
        greedy.send(Decode("walked", 0, 0, 30))
    waited = []
    for _ in range(20):
        began = time.monotonic()
        assert isinstance(other.ask(Ping()), Pong)
        waited.append(time.monotonic() - began)
    began = time.monotonic()
    other.send(Decode("walked", 1, 0, 1))
    assert isinstance(other.receive(), Meshes)
    alone = time.monotonic() - began
    got = 0
    while got < 10:
        message = greedy.receive()
        assert isinstance(message, Meshes)
        got += message.last
    whole = time.monotonic() - began
    assert alone < whole / 2, f"a short question took {alone:.2f} s, the long ones {whole:.2f} s"
    for _ in range(100):
        greedy.send(Decode("walked", 0, 0, 30))
    kinds = {"Meshes": 0, "Error": 0}
    while kinds["Error"] + kinds["Meshes"] == 0 or greedy.socket.poll(400):
        message = greedy.receive()
        kinds[type(message).__name__] += 1
        if isinstance(message, Error):
            assert message.error["kind"] == "server.busy"
    assert kinds["Error"] > 50 and kinds["Meshes"] > 30
