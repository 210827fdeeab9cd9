"""The worker seen from the server: start it, talk to it, notice its death, end it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import zmq
from hmdiff_wire.codec import LIMITS, decode, encode
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Hello, Message, WorkerState
from hmdiff_wire.packing import from_packet, to_packet

from .sockets import HOST, bind, new_router, receive

TOKEN_VARIABLE = "HMDIFF_WORKER_TOKEN"
LAST_WORDS_SECONDS = 0.2


class WorkerProcess:
    """One process at a time, ``state`` none, starting, idle or busy.

    It talks over a loopback socket with a token of its own generation, which only it is told, so that nothing of a
    dead one or of another program is believed. Its stdin is a pipe that closes with the server, however that ends.
    failed_at: when it last did not start, 0.0 for never. gentle: other programs go first.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], jobs: str, device: str, gentle: bool = False) -> None:
        self.device = device
        self.state: WorkerState = "none"
        self.failed_at = 0.0
        self.socket = new_router(context, LIMITS.array_bytes)
        self._port = bind(self.socket, HOST, 0)
        self._command = [sys.executable, "-m", "hmdiff.server.worker", "--jobs", jobs, "--device", device]
        if gentle:
            self._command.append("--gentle")
        self._process: subprocess.Popen[bytes] | None = None
        self._identity = b""
        self._token = ""
        self._ended_at = 0.0

    def start(self) -> None:
        """Raises OSError when the system gives no process."""
        self._token, self._identity = secrets.token_urlsafe(24), b""
        self._process = subprocess.Popen(
            [*self._command, "--port", str(self._port)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**os.environ, TOKEN_VARIABLE: self._token},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
        self.state = "starting"

    def send(self, message: Message) -> None:
        """To the worker that said hello; one that is just dying is noticed by ``exit_code``."""
        with suppress(zmq.ZMQError):
            self.socket.send_multipart([self._identity, *encode(to_packet(message))], zmq.NOBLOCK, copy=False)

    def messages(self, most: int = 50) -> Iterator[Message]:
        """What has arrived from the living worker. Messages that are not its own or not of the protocol are skipped."""
        for _ in range(most):
            parts = receive(self.socket)
            if parts is None:
                return
            identity = bytes(parts[0])
            try:
                packet = decode(parts[1:])
                message = from_packet(packet)
            except HmdiffError as error:
                print(f"hmdiff serve: the worker's port got: {error.detail or error}", file=sys.stderr, flush=True)
                continue
            if not self._identity and secrets.compare_digest(
                packet.token.encode("utf-8", "replace"), self._token.encode()
            ):
                self._identity = identity
            if identity == self._identity:
                if isinstance(message, Hello):
                    self.state, self.failed_at = "idle", 0.0
                yield message

    def exit_code(self) -> int | None:
        """None while it lives, or where there is none."""
        return self._process.poll() if self._process else None

    def last_words_said(self) -> int | None:
        """The exit code of one that ended a moment ago, so that what it still sent has arrived; else None."""
        code = self.exit_code()
        if code is None:
            return None
        self._ended_at = self._ended_at or time.monotonic()
        return code if time.monotonic() - self._ended_at > LAST_WORDS_SECONDS else None

    def forget(self) -> None:
        """After its death: back to none."""
        self._ended_at = 0.0
        self.ask_to_end()
        self._process, self._identity, self._token, self.state = None, b"", "", "none"

    def kill(self) -> None:
        """End it at once; returns when it has, so that nothing is sent to a dying one."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def ask_to_end(self) -> None:
        if self._process and self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()

    def close(self, grace_s: float) -> None:
        """Ask it to end by closing its stdin, then make it."""
        self.ask_to_end()
        if self._process:
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self.forget()
        self.socket.close()


def death(code: int | str, during_start: bool) -> HmdiffError:
    """How to tell a person that the worker ended by itself; code: its exit code, or why it could not begin."""
    name = _signal_name(code) if isinstance(code, int) else ""
    detail = f"worker ended: {code} {name}".rstrip()
    if during_start:
        return HmdiffError(
            "worker.not_started", "The part of the backend that computes does not start.",
            "`hmdiff doctor` says what is missing; the backend's log says more.", detail,
        )  # fmt: skip
    memory = " The computer may have run out of memory." if name == "SIGKILL" else ""
    return HmdiffError(
        "worker.died", f"The part of the backend that computes ended in the middle of this job.{memory}",
        "What was finished is kept. Send the job again, with a shorter range or fewer hypotheses if it happens again.",
        detail,
    )  # fmt: skip


def _signal_name(code: int) -> str:
    try:
        return signal.Signals(-code).name if code < 0 else ""
    except ValueError:
        return ""
