"""ROUTER sockets on this machine: bounded receiving, and sending that never blocks."""

from __future__ import annotations

from collections import deque

import zmq
from hmdiff_wire.codec import LIMITS, encode
from hmdiff_wire.messages import Message, to_packet

HOST = "127.0.0.1"
WAITING_MESSAGES = 1000


def bind_router(context: zmq.Context[zmq.Socket[bytes]], port: int, largest_part: int) -> tuple[zmq.Socket[bytes], int]:
    """-> socket, port (a free one for 0). A larger part ends its sender's connection before it is stored.

    Raises zmq.ZMQError when the port is taken.
    """
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.MAXMSGSIZE, largest_part)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.SNDHWM, 256)
    socket.setsockopt(zmq.LINGER, 1000)
    try:
        socket.bind(f"tcp://{HOST}:{port or '*'}")
    except zmq.ZMQError:
        socket.close()
        raise
    return socket, int(socket.getsockopt_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1])


def receive(socket: zmq.Socket[bytes]) -> list[memoryview] | None:
    """One message's parts, sender's identity first, or None when there is none. Of an absurd number of parts only so
    many are kept that the decoder refuses the message.
    """
    parts: list[memoryview] = []
    while True:
        try:
            frame = socket.recv(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        if len(parts) < LIMITS.arrays + 3:
            parts.append(frame.buffer)
        if not frame.more:
            return parts


class Clients:
    """Sends to identities. What must arrive waits here when a client does not read; the rest is dropped."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._waiting: deque[tuple[bytes, list[bytes | memoryview]]] = deque(maxlen=WAITING_MESSAGES)

    def send(self, identity: bytes, message: Message, keep: bool = True) -> bool:
        """False when the client does not read: the message waits (keep) or is dropped. True also when it has gone."""
        parts = encode(to_packet(message))
        behind = keep and any(waiting == identity for waiting, _ in self._waiting)
        if not behind and self._try(identity, parts) is not None:
            return True
        if keep:
            self._waiting.append((identity, parts))
        return False

    def flush(self) -> None:
        for _ in range(len(self._waiting)):
            identity, parts = self._waiting.popleft()
            if self._try(identity, parts) is None:
                self._waiting.append((identity, parts))

    def _try(self, identity: bytes, parts: list[bytes | memoryview]) -> bool | None:
        """True: sent; False: nobody there any more; None: the client's queue is full."""
        try:
            self._socket.send_multipart([identity, *parts], zmq.NOBLOCK)
        except zmq.Again:
            return None
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return False
            raise
        return True
