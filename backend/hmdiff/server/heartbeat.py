"""A sign of life each second to everybody who said hello."""

from __future__ import annotations

import time

from hmdiff_wire.messages import Heartbeat

from .sockets import Clients

SECONDS = 1.0


class Listeners:
    def __init__(self) -> None:
        self._identities: set[bytes] = set()
        self._next = time.monotonic() + SECONDS

    def add(self, identity: bytes) -> None:
        self._identities.add(identity)

    def due(self) -> bool:
        return time.monotonic() >= self._next

    def beat(self, clients: Clients, message: Heartbeat) -> set[bytes]:
        """One that does not read misses it. -> those who have gone, forgotten from now on."""
        self._next = time.monotonic() + SECONDS
        gone = {identity for identity in self._identities if clients.offer(identity, message) == "gone"}
        self._identities -= gone
        return gone
