"""Damaged messages in bulk: 100,000 through the codec, 10,000 through a living server. Nothing breaks or grows."""

from __future__ import annotations

import random
import resource
import time

import numpy as np
from hmdiff_wire.codec import decode, encode
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import (
    Attach,
    Cancel,
    Chunk,
    Decode,
    Error,
    Fetch,
    Hello,
    JobDone,
    Message,
    Ping,
    Pong,
    PushEnd,
    PushFrame,
    Submit,
    Upload,
)
from hmdiff_wire.packing import from_packet, to_packet

FROM_CLIENTS: tuple[Message, ...] = (
    Hello("x", {"a": [1, 2.5, None]}), Submit("j1", "animate", "/clips/a.mp4", {"steps": 4}, "/t", ("/o.npz",)),
    Submit("j2", "pose", "frame", {}, "", (), False, "frames", {"width": 640, "height": 360, "fps": 30}),
    Cancel("j1"), Attach("j1", 3), Upload("j1", "a.mp4", 1000, "ab" * 32), PushEnd("j1"), Decode("j1", 0, 0, 5),
    Fetch("j1", "manifest.json", 5), Ping(7), Chunk("j1", 0, {"data": np.arange(200, dtype=np.uint8)}),
    PushFrame("j1", 0, 0.5, {"image": np.zeros((6, 8, 3), np.uint8)}),
)  # fmt: skip
BITS = (b"-1", b"1e999", b"null", b"[]", b"{}", b'""', b"9" * 40, b"true", b"[" * 200, b"\\ud800", b"\0", b"2147483648")


def damaged(parts: list[bytes], dice: random.Random) -> list[bytes]:
    """Digits, letters, bits of JSON or whole parts changed, lost or added, once to four times."""
    parts = list(parts)
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randrange(len(parts)) if parts else 0
        what = dice.random()
        if what < 0.06:
            parts.insert(at, dice.randbytes(dice.randrange(80)))
        elif what < 0.12 and parts:
            del parts[at]
        elif parts:
            part = bytearray(parts[at])
            where = dice.randrange(len(part) + 1)
            if what < 0.6:
                part[where : where + 1] = dice.choice(b"0123456789abcxyz-_ ").to_bytes()
            elif what < 0.8:
                part[where : where + dice.randrange(5)] = dice.choice(BITS)
            else:
                part[where : where + dice.randrange(5)] = dice.randbytes(dice.randrange(4))
            parts[at] = bytes(part)
    return parts


def test_a_hundred_thousand_through_the_codec():
    dice = random.Random(1)
    seeds = [[bytes(part) for part in encode(to_packet(message, "token"))] for message in FROM_CLIENTS]
    read = refused = 0
    peak = 0
    for turn in range(100_000):
        parts = damaged(dice.choice(seeds), dice)
        try:
            from_packet(decode(parts))
            read += 1
        except HmdiffError as error:
            assert error.kind.startswith("protocol.")
            refused += 1
        if turn == 20_000:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024
    assert read > 5_000 and refused > 50_000, (read, refused)
    assert grown < 20, f"{grown:.0f} MB more"


def test_ten_thousand_through_a_living_server(fake, connect):
    dice = random.Random(2)
    client, other = connect(fake), connect(fake)
    token = client.token
    good = Submit("real", "animate", str(fake.clip), {"fake": {"frames": 2}})
    seeds = [[bytes(part) for part in encode(to_packet(message, token))] for message in (*FROM_CLIENTS, good)]
    before, began = 0.0, time.monotonic()
    errors = 0
    for turn in range(10_000):
        parts = damaged(dice.choice(seeds), dice) or [b""]
        client.socket.send_multipart(parts)
        while client.socket.poll(0):
            errors += isinstance(from_packet(decode(client.socket.recv_multipart())), Error)
        if turn == 2_000:
            before = fake.rss_mb()
    assert pong(other).nonce == 0
    client.send(Ping(5))
    while not isinstance(message := client.receive(), Pong) or message.nonce != 5:
        errors += isinstance(message, Error)
    assert errors > 3_000
    assert time.monotonic() - began < 60
    assert fake.rss_mb() - before < 30, f"{before:.0f} MB before, {fake.rss_mb():.0f} MB after"
    # Some were good enough to begin a job that now waits for its frames.
    while (now := pong(other)).running or now.queued:
        if now.running:
            other.send(Cancel(now.running))
        time.sleep(0.05)
    job = other.submit(fake={"frames": 3})
    assert other.until(JobDone)[0].job == job


def pong(client) -> Pong:
    client.send(Ping())
    return client.until(Pong)[0]
