"""The socket: what goes out, and whatever may come in."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmdiff_blender_core.client import Client
from hmdiff_wire.codec import Packet, decode, encode
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Error, FrameResult, Hello, Message, Submit, Welcome
from hmdiff_wire.packing import from_packet, to_packet

zmq = pytest.importorskip("zmq")


class Peer:
    """The other side: a ROUTER that says what it is told to."""

    def __init__(self, configure: Any = lambda socket: None) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        configure(self.socket)
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.ready: dict[str, Any] = {"port": self.port, "token": "secret"}
        self.identity = b""

    def hear(self, seconds: float = 10.0) -> Packet:
        assert self.socket.poll(int(seconds * 1000)), "nothing came"
        self.identity, *parts = self.socket.recv_multipart()
        return decode(parts)

    def say(self, *parts: bytes) -> None:
        self.socket.send_multipart([self.identity, *parts])

    def close(self) -> None:
        self.socket.close()
        self.context.term()


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.close()


@pytest.fixture
def client(peer: Peer) -> Iterator[Client]:
    made = Client(peer.ready)
    made.send(Hello("test"))
    assert peer.hear().token == "secret"
    yield made
    made.close(0)


def receive(client: Client, count: int = 1, seconds: float = 10.0) -> list[Message]:
    found: list[Message] = []
    stop = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < stop:
        found += client.poll()
    return found


def test_there_and_back(peer: Peer, client: Client) -> None:
    submit = Submit("one", "animate", "/clips/Größe.mp4", {"preset": "preview"})
    assert client.send(submit)
    packet = peer.hear()
    assert packet.token == "secret" and from_packet(packet) == submit
    frame = FrameResult("one", 3, 0.1, {"pose": np.arange(72, dtype=np.float32)})
    peer.say(*map(bytes, encode(to_packet(frame))))
    (found,) = receive(client)
    assert isinstance(found, FrameResult) and np.array_equal(found.arrays["pose"], frame.arrays["pose"])
    assert client.poll() == []


def test_a_poll_is_bounded(peer: Peer, client: Client) -> None:
    parts = [bytes(part) for part in encode(to_packet(Welcome("hmdiff", {})))]
    for _ in range(200):
        peer.say(*parts)
    assert len(receive(client)) >= 1
    time.sleep(0.2)
    assert len(client.poll(most=10, seconds=5.0)) == 10
    began = time.perf_counter()
    assert len(client.poll(most=1000, seconds=0.0)) == 1
    assert time.perf_counter() - began < 0.05


def test_garbage_comes_as_errors(peer: Peer, client: Client) -> None:
    generator = np.random.default_rng(7)
    good = [bytes(part) for part in encode(to_packet(Welcome("hmdiff", {"device": "cpu"})))]
    noise: list[list[bytes]] = [[b""], [b"{}"], [b"\xff\xfe"], [b"[" * 3000], [b"x"] * 300, [good[0], b"more"]]
    for _ in range(300):
        mutated = bytearray(good[0])
        for at in generator.integers(0, len(mutated), 3):
            mutated[at] = generator.integers(0, 256)
        noise.append([bytes(mutated)])
    found: list[Message] = []
    for parts in noise:
        peer.say(*parts)
        found += client.poll()
    found += receive(client, len(noise) - len(found))
    assert len(found) == len(noise)
    errors = [one for one in found if isinstance(one, Error)]
    assert len(errors) > 250 and all(one.error["message"] and one.job == "" for one in errors)
    peer.say(*good)
    assert isinstance(receive(client)[0], Welcome)


def test_another_version_says_so(peer: Peer, client: Client) -> None:
    peer.say(*map(bytes, encode(Packet("welcome", version=(9, 0)))))
    (found,) = receive(client)
    assert isinstance(found, Error) and found.error["kind"] == "protocol.version"


def test_what_cannot_travel_is_said(client: Client) -> None:
    with pytest.raises(HmdiffError) as caught:
        client.send(Submit("one", "animate", "x" * 100_000))
    assert caught.value.kind == "protocol.too_large"
    with pytest.raises(HmdiffError):
        client.send(Submit("one", "animate", "x", {"smooth": float("nan")}))


def test_nobody_there_neither_blocks_nor_breaks() -> None:
    client = Client({"port": 9, "token": "t"})
    began = time.perf_counter()
    assert client.send(Hello("test")) and client.poll() == []
    client.close(100)
    assert time.perf_counter() - began < 1.0
    client.close()
    assert client.poll() == [] and not client.send(Hello("test"))


def test_a_full_queue_is_no_wait() -> None:
    client = Client({"port": 9, "token": "t"})
    began = time.perf_counter()
    answers = [client.send(Hello("test")) for _ in range(3000)]
    assert time.perf_counter() - began < 5.0 and answers[0] and not answers[-1]
    client.close(0)


def test_what_was_just_sent_still_leaves(peer: Peer) -> None:
    client = Client(peer.ready)
    client.send(Hello("last words"))
    client.close(2000)
    assert from_packet(peer.hear()) == Hello("last words")


def test_a_slow_reader_holds_little(peer: Peer, client: Client) -> None:
    """Unread frames stay in bounded queues on both sides: the sender notices."""
    parts = [bytes(part) for part in encode(to_packet(FrameResult("one", 1, 0.0, {"a": np.zeros(12_500, "<f4")})))]
    sent = 0
    peer.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    peer.socket.setsockopt(zmq.SNDTIMEO, 300)
    with pytest.raises(zmq.Again):
        while sent < 50_000:
            peer.say(*parts)
            sent += 1
    assert sent < 10_000


@pytest.mark.parametrize("ready", [{}, {"port": "x"}, {"port": 1, "address": "no such//host"}])
def test_an_address_that_is_none(ready: dict[str, Any]) -> None:
    with pytest.raises(HmdiffError) as caught:
        Client(ready)
    assert caught.value.kind == "client.connect"


def certificate(path: Path, public: bytes, secret: bytes) -> Path:
    text = f'# comment\nmetadata\ncurve\n    public-key = "{public.decode()}"\n    secret-key = "{secret.decode()}"\n'
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.skipif(not zmq.has("curve"), reason="this pyzmq was built without CURVE")
def test_an_encrypted_connection(tmp_path: Path) -> None:
    public, secret = zmq.curve_keypair()
    key = certificate(tmp_path / "client.key_secret", *zmq.curve_keypair())

    def encrypted(socket: Any) -> None:
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)

    peer = Peer(encrypted)
    try:
        ready = {**peer.ready, "public_key": public.decode(), "client_key": str(key), "address": "0.0.0.0"}
        client = Client(ready)
        client.send(Hello("secret"))
        assert from_packet(peer.hear()) == Hello("secret")
        client.close(0)
        plain = Client(peer.ready)
        plain.send(Hello("plain"))
        assert not peer.socket.poll(300)
        plain.close(0)
        for wrong in ("", str(tmp_path / "none"), os.fspath(tmp_path)):
            with pytest.raises(HmdiffError) as caught:
                Client({**ready, "client_key": wrong})
            assert caught.value.kind == "client.keys"
    finally:
        peer.close()
