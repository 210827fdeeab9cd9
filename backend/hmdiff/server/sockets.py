"""ROUTER sockets: bounded receiving, and sending that never blocks."""

from __future__ import annotations

from collections import deque
from typing import Literal

import zmq
from hmdiff_wire.codec import LIMITS, encode
from hmdiff_wire.messages import Message
from hmdiff_wire.packing import to_packet

HOST = "127.0.0.1"
WAITING_MESSAGES = 200
OUT_MESSAGES = 64
"""Of each connection, to be read by its client: times the largest usual message (half a megabyte), what a client that
never reads costs."""
IN_MESSAGES = 12
"""Of each connection, read by libzmq before we have looked for a token in them: more than the credit of pushed frames
and the window of an upload, and no more, since a part may have 32 MB."""

Sent = Literal["sent", "full", "gone"]


def new_router(context: zmq.Context[zmq.Socket[bytes]], largest_part: int) -> zmq.Socket[bytes]:
    """A larger part ends its sender's connection before it is stored."""
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.MAXMSGSIZE, largest_part)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.SNDHWM, OUT_MESSAGES)
    socket.setsockopt(zmq.RCVHWM, IN_MESSAGES)
    socket.setsockopt(zmq.LINGER, 1000)
    return socket


def bind(socket: zmq.Socket[bytes], address: str, port: int) -> int:
    """-> the port, a free one for 0. Closes the socket and raises zmq.ZMQError when it is taken."""
    try:
        if ":" in address:
            socket.setsockopt(zmq.IPV6, 1)
            address = f"[{address}]"
        socket.bind(f"tcp://{address}:{port or '*'}")
    except zmq.ZMQError:
        socket.close(0)
        raise
    return int(socket.getsockopt_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1])


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
    """Sends to identities. What must arrive waits here, in order, when a client does not read."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._waiting: dict[bytes, deque[list[bytes | memoryview]]] = {}
        self.sent, self.refused = 0, 0

    def offer(self, identity: bytes, message: Message) -> Sent:
        """Now or not at all; ``full``: the client does not read."""
        if identity in self._waiting:
            self.refused += 1
            return "full"
        return self._try(identity, encode(to_packet(message)))

    def send(self, identity: bytes, message: Message) -> None:
        """Now or as soon as the client reads; the oldest waiting ones go when there are too many."""
        parts = encode(to_packet(message))
        if identity in self._waiting or self._try(identity, parts) == "full":
            self._waiting.setdefault(identity, deque(maxlen=WAITING_MESSAGES)).append(parts)

    def flush(self) -> None:
        for identity, waiting in list(self._waiting.items()):
            while waiting and self._try(identity, waiting[0]) != "full":
                waiting.popleft()
            if not waiting:
                del self._waiting[identity]

    def _try(self, identity: bytes, parts: list[bytes | memoryview]) -> Sent:
        try:
            self._socket.send_multipart([identity, *parts], zmq.NOBLOCK)
        except zmq.Again:
            self.refused += 1
            return "full"
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return "gone"
            raise
        self.sent += 1
        return "sent"
