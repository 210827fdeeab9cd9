"""Files that come in chunks: checksum, window, going on after a broken connection, and what is refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hmdiff_wire.messages import Chunk, Error, JobDone, Submit, Upload, Uploaded
from hmdiff_wire.take import read_take

STEP = 512 * 1024


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def chunk(job: str, data: bytes, offset: int, step: int = STEP) -> Chunk:
    return Chunk(job, offset, {"data": np.frombuffer(data[offset : offset + step], np.uint8)})


def send_file(client, job: str, data: bytes, upto: int | None = None) -> Uploaded:
    """As a client does it: never more than the window beyond what has arrived."""
    said, _ = client.until(Uploaded)
    offset, end = said.received, len(data) if upto is None else upto
    while said.received < end:
        while offset < min(end, said.received + said.window):
            client.send(chunk(job, data, offset, min(STEP, end - offset)))
            offset += min(STEP, end - offset)
        answer = client.receive()
        assert isinstance(answer, Uploaded), answer
        said = answer
    return said


def test_a_file_arrives_and_a_job_uses_it(fake, connect):
    client, data = connect(fake), os.urandom(7_300_001)
    client.send(Upload("up1", "C:\\clips\\my walk.mp4", len(data), sha(data)))
    said = send_file(client, "up1", data)
    assert (said.received, said.complete) == (len(data), True) and said.window >= STEP
    client.send(Submit("up1", "animate", "my walk.mp4", input="upload"))
    done, _ = client.until(JobDone)
    take = read_take(Path(done.take))
    assert Path(done.take) == fake.root / "my_walk-up1.take"
    stored = Path(take.header.source_path)
    assert stored.name == "my_walk.mp4" and stored.read_bytes() == data and not stored.is_relative_to(fake.root)

    other = connect(fake)
    other.send(Upload("up2", "my walk.mp4", len(data), sha(data)))
    assert other.receive() == Uploaded("up2", len(data), said.window, True), "what is there need not be sent again"


def test_it_goes_on_after_a_broken_connection(fake, connect):
    data = os.urandom(5_000_000)
    first, second = connect(fake), connect(fake)
    first.send(Upload("broken", "a.mp4", len(data), sha(data)))
    send_file(first, "broken", data, upto=2_000_000)
    first.close()
    second.send(Upload("broken", "a.mp4", len(data), sha(data)))
    said = second.receive()
    assert isinstance(said, Uploaded) and said.received == 2_000_000 and not said.complete
    second.send(chunk("broken", data, 0))
    assert second.receive() == said, "a chunk of elsewhere changes nothing and says where to go on"
    second.send(Upload("broken", "a.mp4", len(data), sha(data)))
    assert send_file(second, "broken", data).complete


def test_a_wrong_checksum_is_said_and_the_file_goes(fake, connect, tmp_path, start):
    backend = start("--uploads", str(tmp_path / "up"), jobs="")
    client, data = connect(backend), os.urandom(1_000_000)
    client.send(Upload("bad", "a.mp4", len(data), sha(data + b"x")))
    client.until(Uploaded)
    client.send(chunk("bad", data, 0))
    client.until(Uploaded)
    assert list((tmp_path / "up").rglob("a.mp4"))
    assert client.refused(chunk("bad", data, STEP)) == "upload.checksum"
    assert not list((tmp_path / "up").rglob("a.mp4"))
    client.send(Upload("bad", "a.mp4", len(data), sha(data)))
    assert send_file(client, "bad", data).complete
    code, log = backend.end()
    assert (code, log) == (0, "") and not list((tmp_path / "up").iterdir()), "nothing stays when the server has ended"


def test_what_is_refused(fake, connect):
    client, data = connect(fake), b"0123456789"
    good = sha(data)
    for wrong, kind in (
        (Upload("w", "a.mp4", 2**50, good), "upload.too_large"),
        (Upload("w", "a.mp4", 0, good), "upload.bad"),
        (Upload("w", "a.mp4", -5, good), "upload.bad"),
        (Upload("w", "a.mp4", 10, "abc"), "upload.bad"),
        (Upload("w", "..", 10, good), "upload.bad"),
        (chunk("never", data, 0), "upload.unknown"),
        (Submit("never", "animate", "a.mp4", input="upload"), "upload.unknown"),
    ):
        assert client.refused(wrong) == kind, wrong
    client.send(Upload("w", "a.mp4", 10, good))
    client.until(Uploaded)
    for arrays in ({}, {"data": np.zeros(3, "<f4")}, {"data": np.zeros((2, 2), "u1")}, {"data": np.zeros(0, "u1")},
                   {"data": np.zeros(STEP + 1, "u1")}):  # fmt: skip
        assert client.refused(Chunk("w", 0, arrays)) == "protocol.malformed"
    assert client.refused(Submit("w", "animate", "a.mp4", input="upload")) == "upload.incomplete"
    assert client.refused(Chunk("w", 0, {"data": np.zeros(11, "u1")})) == "protocol.malformed", "more than it said"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.mp4", "/etc/x.mp4", "a\0b.mp4", "..\\x.mp4", "ü$(rm).mp4", "-rf.mp4"]
)
def test_a_name_leads_nowhere(name, start, connect, tmp_path):
    backend = start("--uploads", str(tmp_path / "up"), jobs="")
    client = connect(backend)
    client.send(Upload("n", name, 1, sha(b"x")))
    client.until(Uploaded)
    client.send(chunk("n", b"x", 0))
    client.until(Uploaded)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"x")
    assert file.parent.parent.parent == tmp_path / "up" and file.suffix == ".mp4"


def test_a_client_that_ignores_the_window_is_told(fake, connect):
    client, data = connect(fake), os.urandom(400)
    client.send(Upload("flood", "f.mp4", 10**6, sha(data)))
    for _ in range(3000):
        client.send(Chunk("flood", 10**7, {"data": np.zeros(200_000, "u1")}))
    kinds = set()
    while client.socket.poll(500):
        message = client.receive()
        if isinstance(message, Error):
            kinds.add(message.error["kind"])
    assert kinds <= {"server.busy"} and fake.rss_mb() < 300
