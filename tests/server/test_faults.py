"""What can go wrong between a client and the backend, over real sockets: the backend answers on, and stays small."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket as tcp
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zmq
from hmdiff_wire.codec import encode
from hmdiff_wire.messages import (
    Cancel,
    Cancelled,
    Chunk,
    Error,
    FrameResult,
    Hello,
    JobDone,
    JobFailed,
    Ping,
    Pong,
    PushFrame,
    Submit,
    Upload,
    Uploaded,
)
from hmdiff_wire.packing import to_packet
from hmdiff_wire.take import read_take

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"


def raw(backend) -> tcp.socket:
    return tcp.create_connection(("127.0.0.1", backend.ready["port"]), timeout=10)


def shaken(backend) -> tcp.socket:
    """A TCP connection after ZeroMQ's handshake (ZMTP 3.1, NULL), ready for frames written by hand."""
    connection = raw(backend)
    connection.sendall(GREETING)
    got = b""
    while len(got) < 64:
        got += connection.recv(64)
    connection.sendall(b"\x04" + bytes([len(READY)]) + READY)
    while b"READY" not in got:
        got += connection.recv(256)
    return connection


def frame(data: bytes, more: bool, claim: int | None = None) -> bytes:
    return bytes([2 | more]) + struct.pack(">Q", len(data) if claim is None else claim) + data


def answers(client) -> None:
    client.send(Ping(77))
    while not (isinstance(message := client.receive(), Pong) and message.nonce == 77):
        pass


def test_half_messages_that_stop_in_the_middle(fake, connect):
    client = connect(fake)
    good = [bytes(part) for part in encode(to_packet(Ping(1), client.token))]
    before = fake.rss_mb()
    kept = []
    for _ in range(30):
        half = shaken(fake)
        half.sendall(frame(good[0], more=True))
        kept.append(half)
        half = shaken(fake)
        half.sendall(frame(good[0], more=False)[:-7])
        kept.append(half)
        half = shaken(fake)
        half.sendall(frame(b"x" * 1000, more=False, claim=30_000_000))
        kept.append(half)
    answers(client)
    for half in kept:
        half.close()
    whole = shaken(fake)
    whole.sendall(frame(good[0], more=False))
    assert b"pong" in whole.recv(1000), "so written, a whole one is understood"
    whole.close()
    answers(client)
    assert fake.rss_mb() - before < 60


def test_garbage_on_the_port(fake, connect):
    client = connect(fake)
    for junk in (b"GET / HTTP/1.1\r\n\r\n", bytes(5000), os.urandom(20_000), GREETING + os.urandom(5000), b"\xff" * 64):
        connection = raw(fake)
        connection.sendall(junk)
        connection.close()
    open_ones = [raw(fake) for _ in range(200)]
    answers(client)
    for connection in open_ones:
        connection.close()


def test_ten_gigabytes_are_claimed_and_not_believed(fake, connect):
    client, before = connect(fake), fake.rss_mb()
    header = {"type": "push", "version": [1, 1], "job": "x", "token": client.token, "fields": {"index": 0, "time": 0}}
    header["arrays"] = [{"name": "image", "dtype": "|u1", "shape": [100_000, 100_000]}]
    client.socket.send_multipart([json.dumps(header).encode(), b"1234"])
    error, _ = client.until(Error)
    assert error.error["kind"] == "protocol.too_large"
    connection = shaken(fake)
    connection.sendall(frame(b"x" * 1000, more=False, claim=10_000_000_000))
    connection.settimeout(10)
    assert connection.recv(10) == b"", "hung up on"
    connection.close()
    answers(client)
    assert fake.rss_mb() - before < 20


def test_a_flood_without_the_token_is_not_kept(fake, connect):
    client, stranger = connect(fake), connect(fake)
    stranger.token, before, highest = "guessed", fake.rss_mb(), 0.0
    part = PushFrame("x", 0, 0.0, {"image": np.zeros((2160, 3840, 3), np.uint8)})
    stranger.socket.setsockopt(zmq.SNDHWM, 2)
    for _ in range(60):
        stranger.send(part)
        highest = max(highest, fake.rss_mb())
    answers(client)
    assert highest - before < 450, "of 1.5 GB only what is on its way"
    end = time.monotonic() + 20
    while fake.rss_mb() - before > 80 and time.monotonic() < end:
        answers(client)
    assert fake.rss_mb() - before < 80


def test_a_killed_worker_fails_its_job_only(fake, connect):
    client, other = connect(fake), connect(fake)
    client.submit("killed", fake={"frames": 500, "delay": 0.02})
    client.until(FrameResult)
    worker = next(
        int(line.split()[0])
        for line in subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True).stdout.splitlines()[
            1:
        ]
        if line.split()[1] == str(fake.process.pid)
    )
    other.submit("after")
    os.kill(int(worker), signal.SIGKILL)
    failed, _ = client.until(JobFailed)
    assert failed.error["kind"] == "worker.died" and failed.error["fix"]
    assert other.until(JobDone)[0].job == "after"


def test_a_killed_server_is_silence_and_a_new_one_resumes_the_take(start, connect, wait_until):
    backend = start("--frames", "90", "--delay", "0.01", jobs="")
    client = connect(backend)
    client.send(Hello("x"))
    job = client.submit()
    while client.until(FrameResult)[0].index < 40:
        pass
    backend.process.kill()
    backend.process.wait()
    while client.socket.poll(1500):
        client.receive()
    client.send(Ping())
    assert not client.socket.poll(500), "silence"
    take = backend.root / f"clip-{job}.take"
    assert read_take(take).run_status == "running" and read_take(take).n_frames >= 32
    after = connect(start("--frames", "90", jobs=""))
    after.send(Submit("rest", "animate", str(backend.clip), {}, str(take), resume=True))
    done, before = after.until(JobDone)
    assert {one.index for one in before if isinstance(one, FrameResult)} >= set(range(64, 90))
    assert read_take(Path(done.take)).frame_indices.tolist() == list(range(90))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB, the body of a take being half of it."""
    folder = tmp_path / "small"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small disk needs root on Linux")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_a_sentence_and_with_room_the_take_goes_on(small_disk, start, connect):
    backend = start("--root", str(small_disk), "--uploads", str(small_disk), "--frames", "200", jobs="")
    client, take = connect(backend), small_disk / "full.take"
    client.send(Submit("full", "animate", str(backend.clip), {}, str(take)))
    failed, _ = client.until(JobFailed)
    assert failed.error["kind"] == "disk.full" and failed.error["fix"], failed.error
    assert failed.take == str(take) and read_take(take).run_status == "running"
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    client.send(Submit("room", "animate", str(backend.clip), {}, str(take), resume=True))
    client.until(JobDone)
    assert read_take(take).n_frames == 200


def test_an_upload_onto_a_full_disk(small_disk, start, connect):
    client = connect(start("--uploads", str(small_disk), jobs=""))
    assert client.refused(Upload("big", "a.mp4", 20_000_000, "0" * 64)) == "disk.full", "said before a byte is sent"
    client.send(Upload("late", "a.mp4", 1_500_000, "1" * 64))
    client.until(Uploaded)
    (small_disk / "somebody else's").write_bytes(b"x" * 2_500_000)
    kinds = []
    for at in range(0, 1_500_000, 500_000):
        client.send(Chunk("late", at, {"data": np.ones(500_000, np.uint8)}))
        message = client.receive() if not kinds else None
        if isinstance(message, Error):
            kinds.append(message.error["kind"])
    assert kinds == ["disk.full"] and not list(small_disk.rglob("a.mp4"))
    answers(client)


def test_two_clients_at_once_with_all_they_can_do(fake, connect):
    clients = [connect(fake) for _ in range(2)]
    for turn, client in enumerate(clients):
        client.send(Hello(f"client {turn}"))
        for _ in range(3):
            client.submit(fake={"frames": 30, "people": 2})
    for client in clients:
        for _ in range(3):
            done, before = client.until(JobDone)
            mine = [one.index for one in before if isinstance(one, FrameResult)]
            assert mine == list(range(30)) and done.frames_dropped == 0


def test_a_handler_that_breaks_does_not_break_the_server(fake, connect):
    client = connect(fake)
    client.submit("odd", fake={"no_such_knob": 1})
    failed, _ = client.until(JobFailed)
    assert failed.error["kind"] == "internal"
    client.send(Submit("odder", "animate", str(fake.clip), {"fake": 5}))
    assert client.until(JobFailed)[0].job == "odder"
    client.send(Cancel("odder"))
    assert isinstance(client.receive(), Error | Cancelled)
    answers(client)
