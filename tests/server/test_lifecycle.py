"""How it starts, shows that it lives, shares its workers and ends."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest
from hmdiff import cli
from hmdiff_wire.messages import (
    Cancel,
    Cancelled,
    FrameResult,
    Heartbeat,
    Hello,
    JobDone,
    JobFailed,
    Ping,
    Pong,
    Shutdown,
    Submit,
    Welcome,
)
from hmdiff_wire.take import read_take


def test_the_heart_beats_each_second_for_those_who_said_hello(fake, connect):
    client, silent, gone = connect(fake), connect(fake), connect(fake)
    for one in (client, gone):
        one.send(Hello("x"))
        assert isinstance(one.receive(), Welcome)
    gone.close()
    silent.send(Ping())
    silent.receive()
    times = []
    for _ in range(2):
        beat, _ = client.until(Heartbeat)
        times.append(time.monotonic())
    assert beat.queued == 0 and set(beat.workers) == {"auto"} and beat.workers["auto"] in ("starting", "idle")
    assert 0.7 < times[-1] - times[0] < 10
    job = client.submit(fake={"frames": 3000, "delay": 0.01})
    while not (beat := client.until(Heartbeat)[0]).running:
        pass
    assert beat.running == (job,) and beat.workers == {"auto": "busy"}
    client.send(Cancel(job))
    client.until(Cancelled)
    assert not silent.socket.poll(100)


def test_each_device_has_a_worker_and_they_share_the_queue(start, connect):
    backend = start("--device", "cpu", "--device", "cuda:1", "--delay", "0.01", "--frames", "150", jobs="")
    client = connect(backend)
    client.send(Hello("x"))
    welcome, _ = client.until(Welcome)
    assert welcome.capabilities["devices"] == ["cpu", "cuda:1"]
    while client.until(Heartbeat)[0].workers != {"cpu": "idle", "cuda:1": "idle"}:
        pass
    jobs = [client.submit() for _ in range(4)]
    client.submit("dies", fake={"die_at": 3})
    ended, both = set(), []
    deadline = time.monotonic() + 120
    while len(ended) < 5 and time.monotonic() < deadline:
        message = client.receive()
        if isinstance(message, JobDone | JobFailed):
            ended.add((message.job, type(message).__name__))
        elif isinstance(message, Heartbeat) and len(message.running) == 2:
            both.append(message)
    # Whichever pair it was: a busy machine may have ended some before the first beat.
    assert both and both[0].workers == {"cpu": "busy", "cuda:1": "busy"} and both[0].queued <= 3
    assert ended == {*((job, "JobDone") for job in jobs), ("dies", "JobFailed")}
    assert cli.main(["serve", "--root", str(backend.root), "--device", "cpu", "--device", "cpu"]) == 2
    assert cli.main(["serve", "--root", str(backend.root), "--device", "abacus"]) == 2


def test_what_it_can_do(fake, connect):
    client = connect(fake)
    client.send(Hello("x"))
    able = client.until(Welcome)[0].capabilities
    assert able["kinds"] == ["pose", "animate", "people", "refine"] and able["inputs"] == ["path", "upload", "frames"]
    assert able["presets"] == ["default", "preview", "quality", "thorough", "paper"] and able["curve"] is False
    assert able["roots"] == [str(fake.root)] and able["devices"] == ["auto"]
    from hmdiff.video.outputs import FROM_CLIP, FROM_PHOTO

    assert set(able["outputs"]) == {*FROM_CLIP, *FROM_PHOTO}
    assert able["limits"]["chunk_bytes"] == 512 * 1024 and able["limits"]["array_bytes"] >= 3840 * 2160 * 3
    assert able["limits"]["queue"] == 100 and able["limits"]["credit"] == 8


def test_a_shutdown_message_ends_it_as_sigterm_does(start, connect, tmp_path):
    ready = tmp_path / "run" / "ready.json"
    ready.parent.mkdir()
    backend = start("--ready-file", str(ready), "--delay", "0.02", "--frames", "1000", jobs="")
    assert json.loads(ready.read_text()) == backend.ready and stat.S_IMODE(ready.stat().st_mode) == 0o600
    assert backend.ready["public_key"] == "" and backend.ready["address"] == "127.0.0.1"
    client, other = connect(backend), connect(backend)
    job, waiting = client.submit(), client.submit()
    client.until(FrameResult)
    other.token = "guessed"
    assert other.refused(Shutdown()) == "protocol.token"
    other.token = client.token
    other.send(Shutdown())
    assert client.until(JobFailed)[0].job == waiting
    cancelled, _ = client.until(Cancelled)
    assert cancelled.job == job and read_take(backend.root / f"clip-{job}.take").run_status == "cancelled"
    _, log = backend.process.communicate(timeout=60)
    assert (backend.process.returncode, log) == (0, "") and list(ready.parent.iterdir()) == []


def test_nothing_new_is_taken_while_it_ends(start, connect):
    backend = start("--delay", "0.1", "--frames", "1000", jobs="")
    client = connect(backend)
    client.submit()
    client.until(FrameResult)
    client.send(Shutdown())
    assert client.refused(Submit("late", "animate", str(backend.clip))) == "server.stopping"
    client.send(Shutdown())
    assert backend.process.wait(20) == 0, "a second one does not wait for the job"


def test_a_ready_file_that_cannot_be_written_and_one_that_became_anothers(start, capsys, tmp_path):
    assert cli.main(["serve", "--root", str(tmp_path), "--ready-file", str(tmp_path / "no" / "ready.json")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "--ready-file" in err
    ready = tmp_path / "ready.json"
    first = start("--ready-file", str(ready), jobs="")
    second = start("--ready-file", str(ready), jobs="")
    assert json.loads(ready.read_text())["pid"] == second.ready["pid"]
    assert first.end()[0] == 0 and ready.exists(), "not the first one's to remove"
    assert second.end()[0] == 0 and not ready.exists()


@pytest.mark.skipif(os.name == "nt", reason="the loopback of IPv6 is tried where it surely is")
def test_it_can_listen_on_ipv6(start, tmp_path):
    table = Path("/proc/net/if_inet6")
    if not table.exists() or " lo" not in table.read_text():
        pytest.skip("this machine has no IPv6")
    import zmq
    from hmdiff_wire.codec import decode, encode
    from hmdiff_wire.packing import from_packet, to_packet

    backend = start("--address", "::1", jobs="")
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IPV6, 1)
    socket.connect(f"tcp://[::1]:{backend.ready['port']}")
    socket.send_multipart(encode(to_packet(Ping(4), backend.ready["token"])))
    assert socket.poll(10_000) and isinstance(from_packet(decode(socket.recv_multipart())), Pong)
    socket.close()
