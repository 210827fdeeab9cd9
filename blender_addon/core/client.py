"""The socket to the backend: one DEALER, used from one thread, never waiting."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hmdiff_wire.codec import LIMITS, decode, encode
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Error, Message
from hmdiff_wire.packing import error_data, from_packet, to_packet

RECEIVE_QUEUE = 256
"""Messages that wait unread on this side; beyond them the backend drops frames, which its take has anyway."""

EVERYWHERE = ("0.0.0.0", "*", "::")
"""A backend that listens on all addresses is reached here."""


def preload() -> None:
    """Import pyzmq now (30 ms, once), where a click has just been answered; Client says it if that is impossible."""
    try:
        import zmq  # noqa: F401
    except ImportError:
        return


class Client:
    """ready: a READY line with ``port`` and ``token``, ``address`` where it is not this machine; for an encrypted one
    ``public_key`` (the backend's) and ``client_key``: the path of this client's secret key file, see ``hmdiff keys``.
    """

    def __init__(self, ready: Mapping[str, Any]) -> None:
        """Errors: ``client.no_zmq``, ``client.keys``, ``client.connect``; the connection itself is made later."""
        try:
            import zmq
        except ImportError as error:
            raise HmdiffError(
                "client.no_zmq", "The add-on's package pyzmq is missing.",
                "Install the extension again, from the zip made for your system.", repr(error),
            ) from error  # fmt: skip
        self._zmq = zmq
        self._token = str(ready.get("token", ""))
        self._context: Any = zmq.Context()
        self._socket: Any = self._context.socket(zmq.DEALER)
        try:
            self._set_up(ready)
        except HmdiffError:
            self.close(0)
            raise
        except (zmq.ZMQError, KeyError, TypeError, ValueError) as error:
            self.close(0)
            raise HmdiffError(
                "client.connect", "The address of the backend cannot be used.", "Stop the backend and start it again.",
                repr(error),
            ) from error  # fmt: skip

    def _set_up(self, ready: Mapping[str, Any]) -> None:
        zmq, socket = self._zmq, self._socket
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, RECEIVE_QUEUE)
        socket.setsockopt(zmq.MAXMSGSIZE, LIMITS.array_bytes)
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        if ready.get("public_key"):
            public, secret = _key_pair(str(ready.get("client_key", "")))
            socket.setsockopt(zmq.CURVE_SERVERKEY, str(ready["public_key"]).encode("ascii", "replace"))
            socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
            socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        address = str(ready.get("address") or "127.0.0.1")
        socket.connect(f"tcp://{'127.0.0.1' if address in EVERYWHERE else address}:{int(ready['port'])}")

    def send(self, message: Message) -> bool:
        """False when the backend has long not read and no more fits. Errors: those of ``codec.encode``."""
        parts = encode(to_packet(message, self._token))
        if self._socket.closed:
            return False
        try:
            self._socket.send_multipart(parts, self._zmq.NOBLOCK)
        except self._zmq.ZMQError:
            return False
        return True

    def poll(self, most: int = 64, seconds: float = 0.004) -> list[Message]:
        """What has come, oldest first; stops after ``most`` messages or ``seconds``. What is not a message of the
        protocol comes as ``Error`` without a job.
        """
        found: list[Message] = []
        until = time.monotonic() + seconds
        while len(found) < most:
            parts = self._receive()
            if parts is None:
                break
            found.append(_message(parts))
            if time.monotonic() >= until:
                break
        return found

    def _receive(self) -> list[memoryview] | None:
        """One message's parts; of an absurd number only so many that the decoder refuses it."""
        parts: list[memoryview] = []
        while not self._socket.closed:
            try:
                frame = self._socket.recv(self._zmq.NOBLOCK, copy=False)
            except self._zmq.ZMQError:
                return None
            if len(parts) < LIMITS.arrays + 2:
                parts.append(frame.buffer)
            if not frame.more:
                return parts
        return None

    def close(self, linger_ms: int = 200) -> None:
        """Waits at most ``linger_ms`` for what was sent to leave; to a living backend that takes a millisecond."""
        if not self._socket.closed:
            self._socket.close(linger_ms)
            self._context.term()


def _message(parts: list[memoryview]) -> Message:
    try:
        return from_packet(decode(parts))
    except HmdiffError as error:
        return Error(error_data(error))


def _key_pair(path: str) -> tuple[bytes, bytes]:
    """public, secret of a ZeroMQ certificate file. Errors: ``client.keys``."""
    keys: dict[str, bytes] = {}
    try:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            name, mark, value = line.partition("=")
            if mark and name.strip() in ("public-key", "secret-key"):
                keys[name.strip()] = value.strip().strip('"').encode("ascii")
        return keys["public-key"], keys["secret-key"]
    except (OSError, ValueError, KeyError) as error:
        raise HmdiffError(
            "client.keys", f"There is no client's key pair in {path}." if path else "This backend asks for a key.",
            "Make the keys with `hmdiff keys` and name the client's secret key file.", repr(error),
        ) from error  # fmt: skip
