"""``small_backend.py MODE serve ARGUMENTS``: as much of a backend as the tests of process and connection need.

MODE: ``good`` answers Hello, Ping and Shutdown; ``deaf`` answers nothing, ignores SIGTERM and Shutdown; ``old`` is of
another protocol version; ``broken`` ends with a message; ``slow`` never gets ready; ``garbage`` answers with noise.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

import zmq
from hmdiff_wire.codec import decode, encode
from hmdiff_wire.messages import Heartbeat, Hello, Message, Ping, Pong, Shutdown, Welcome
from hmdiff_wire.packing import from_packet, to_packet
from hmdiff_wire.version import PROTOCOL_VERSION


def main(mode: str, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", action="append")
    parser.add_argument("--parent-pid", type=int)
    parser.add_argument("--ready-file", type=Path)
    args = parser.parse_args(arguments)
    print("arguments", json.dumps(arguments), "cwd", os.getcwd(), "path", os.environ.get("PYTHONPATH"), flush=True)
    if mode == "broken":
        print("something is wrong with größe", file=sys.stderr)
        return 3
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    socket = zmq.Context.instance().socket(zmq.ROUTER)
    socket.setsockopt(zmq.LINGER, 200)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    version = [PROTOCOL_VERSION[0] + 1, 0] if mode == "old" else list(PROTOCOL_VERSION)
    ready = {"ready": True, "port": port, "token": "secret", "protocol": version, "pid": os.getpid()}
    print(json.dumps(ready), flush=True)
    if mode != "slow" and args.ready_file:
        beside = args.ready_file.with_suffix(".tmp")
        beside.write_text(json.dumps(ready), encoding="utf-8")
        os.replace(beside, args.ready_file)
    try:
        return serve(socket, mode, args.parent_pid)
    finally:
        if args.ready_file:
            args.ready_file.unlink(missing_ok=True)


def serve(socket: zmq.Socket[bytes], mode: str, parent: int | None) -> int:
    said, clients = 0.0, set()
    while parent is None or os.getppid() == parent:
        if mode == "good" and time.monotonic() - said > 1.0:
            said = time.monotonic()
            for identity in clients:
                socket.send_multipart([identity, *encode(to_packet(Heartbeat({}, 0)))])
        if not socket.poll(50):
            continue
        identity, *parts = socket.recv_multipart()
        packet = decode(parts)
        message: Message = from_packet(packet)
        if mode == "deaf" or packet.token != "secret":
            continue
        if mode == "garbage":
            for noise in ([b"\xff\x00"], [b"{}"], [b"[1]", b"2"], [b"x"] * 500):
                socket.send_multipart([identity, *noise])
        if isinstance(message, Shutdown):
            return 0
        if isinstance(message, Hello):
            clients.add(identity)
            socket.send_multipart([identity, *encode(to_packet(Welcome("small", {})))])
        if isinstance(message, Ping):
            socket.send_multipart([identity, *encode(to_packet(Pong(message.nonce, "idle", 0)))])
    return 0


if __name__ == "__main__":
    at = sys.argv.index("serve")
    sys.exit(main(sys.argv[1], sys.argv[at + 1 :]))
