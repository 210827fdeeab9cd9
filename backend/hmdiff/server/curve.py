"""CURVE keys in a folder, and the gate that lets in only clients whose key lies there.

    DIR/server.key         the server's public key, for the clients
    DIR/server.key_secret  stays with the server
    DIR/clients/NAME.key   public keys of those who may connect; remove one to shut its client out
    DIR/NAME.key_secret    to be carried to that client, and removed here

The files are ZeroMQ certificates, as ``zmq.auth.load_certificate`` reads them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import zmq
from hmdiff_wire.errors import HmdiffError

DOMAIN = b"hmdiff"
_FIX = "Make the keys with `hmdiff keys DIR`."


def make_keys(folder: Path, clients: Sequence[str]) -> list[Path]:
    """Make what is missing; keys that are there stay. -> the files written.

    Errors: ``usage`` for a client's name, ``keys.exists`` for a client that has a key, ``keys.not_writable``.
    """
    for name in clients:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name) or name == "server":
            raise HmdiffError("usage", f"{name[:80]!r} cannot be a client's name.", "Use letters, digits, - and _.")
        if (folder / "clients" / f"{name}.key").exists():
            raise HmdiffError(
                "keys.exists", f"There is a key for {name} already.",
                f"Choose another name, or remove {folder / 'clients' / f'{name}.key'} first.",
            )  # fmt: skip
    written: list[Path] = []
    try:
        (folder / "clients").mkdir(parents=True, exist_ok=True)
        os.chmod(folder, 0o700)
        if not (folder / "server.key_secret").exists():
            written += _pair(folder / "server.key", folder / "server.key_secret")
        for name in clients:
            written += _pair(folder / "clients" / f"{name}.key", folder / f"{name}.key_secret")
    except OSError as error:
        raise HmdiffError(
            "keys.not_writable", f"The folder {folder} cannot be written.", "Choose another folder.", repr(error)
        ) from error
    return written


def _pair(public_file: Path, secret_file: Path) -> list[Path]:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    text = f'metadata\ncurve\n    public-key = "{public}"\n'
    _write(secret_file, text + f'    secret-key = "{secret}"\n', 0o600)
    _write(public_file, text, 0o644)
    return [public_file, secret_file]


def _write(path: Path, text: str, mode: int) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
        file.write(text)


def load_key(path: Path) -> tuple[bytes, bytes | None]:
    """A key file -> public, secret (None in a public file). Errors: ``keys.missing``, ``keys.damaged``."""
    from zmq.auth import load_certificate

    try:
        public, secret = load_certificate(path)
    except OSError as error:
        raise HmdiffError("keys.missing", f"There is no key {path}.", _FIX, repr(error)) from error
    except ValueError as error:
        raise HmdiffError("keys.damaged", f"{path} holds no key.", _FIX, repr(error)) from error
    return public, secret


class Gate:
    """Answers libzmq's questions about who knocks (ZAP, RFC 27); to be made before the socket binds."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> None:
        """Errors: ``keys.missing``, ``keys.damaged``."""
        self.public, self._secret = load_key(folder / "server.key_secret")
        if self._secret is None:
            raise HmdiffError("keys.damaged", f"{folder / 'server.key_secret'} holds no secret key.", _FIX)
        self._clients = folder / "clients"
        self.socket = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind("inproc://zeromq.zap.01")

    def guard(self, socket: zmq.Socket[bytes]) -> None:
        assert self._secret is not None
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)

    def answer(self) -> None:
        while self.socket.poll(0):
            parts = self.socket.recv_multipart()
            if b"" not in parts:
                continue
            at = parts.index(b"")
            route, asked = parts[: at + 1], parts[at + 1 :]
            good = len(asked) == 7 and asked[0] == b"1.0" and asked[5] == b"CURVE" and self._knows(asked[6])
            verdict = [b"200", b"OK", b"client", b""] if good else [b"400", b"no such key", b"", b""]
            with suppress(zmq.ZMQError):
                self.socket.send_multipart([*route, b"1.0", asked[1] if len(asked) > 1 else b"", *verdict])

    def _knows(self, key: bytes) -> bool:
        """The folder is read each time, so that adding and removing a key needs no restart."""
        from zmq.utils import z85

        wanted = z85.encode(key)
        for path in self._clients.glob("*.key"):
            with suppress(HmdiffError):
                if load_key(path)[0] == wanted:
                    return True
        return False

    def close(self) -> None:
        self.socket.close(0)
