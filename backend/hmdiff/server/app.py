"""The server: clients on one side, workers on the other. Everything but disk and decoding runs in one thread."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import zmq
from hmdiff_wire.codec import decode
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Error, Message
from hmdiff_wire.packing import error_data, from_packet

from .background import Background
from .capabilities import CLIENT_LIMITS, LARGEST_PART
from .curve import Gate
from .failures import as_error
from .heartbeat import Listeners
from .job_queue import JobQueue
from .orphan import Parent
from .requests import Requests
from .settings import Settings, check_address
from .sockets import Clients, bind, new_router, receive
from .uploads import Uploads
from .worker_process import WorkerProcess

LONGEST_TICK_MS, SHORTEST_TICK_MS = 100, 2
LISTEN_SECONDS = 0.01
STOP_SECONDS = 10.0
HANDSHAKE_MS, ALIVE_MS, DEAD_MS = 10_000, 5_000, 20_000


class Server:
    """``serve`` runs until ``stop`` (from a signal handler, say) or until the parent has gone."""

    def __init__(self, settings: Settings) -> None:
        """Errors: ``server.port`` when the port is taken, ``server.open``, those of the keys."""
        address = check_address(settings.address, settings.curve is not None)
        self.settings = settings
        self.token = secrets.token_urlsafe(24)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._gate: Gate | None = None
        try:
            self._gate = Gate(self._context, settings.curve) if settings.curve else None
            self._socket = self._new_socket(self._gate)
            self.port = bind(self._socket, address, settings.port)
        except zmq.ZMQError as error:
            self._context.destroy(0)
            raise HmdiffError(
                "server.port", f"Port {settings.port or ''} of {address} cannot be used.".replace("  ", " "),
                "Another backend may be running; choose another --port, or leave it out for a free one.", repr(error),
            ) from error  # fmt: skip
        except HmdiffError:
            self._context.destroy(0)
            raise
        self.public_key = self._gate.public.decode() if self._gate else ""
        self._parent = Parent(settings.parent_pid) if settings.parent_pid else None
        self._stop_by: float | None = None
        self._cancelled = False
        self._tick_ms = LONGEST_TICK_MS

        self._clients = Clients(self._socket)
        self._background = Background(self._context)
        self._uploads = Uploads(settings.uploads)
        gentle = settings.parent_pid is not None  # that program has a window which must not stutter
        workers = [WorkerProcess(self._context, settings.jobs, device, gentle) for device in settings.devices]
        self._jobs = JobQueue(self._clients, workers, on_ended=lambda job: self._uploads.release(job.name))
        self._listeners = Listeners()
        self._requests = Requests(
            settings, self._clients, self._jobs, self._background, self._uploads, self._listeners, self.stop
        )

    def stop(self) -> None:
        """Finish orderly: running jobs are cancelled and their takes closed. A second call does not wait for that."""
        self._stop_by = time.monotonic() + STOP_SECONDS if self._stop_by is None else 0.0
        self._jobs.stopping = True

    def serve(self) -> None:
        poller = zmq.Poller()
        ours = [self._socket, self._background.socket, *(worker.socket for worker in self._jobs.workers)]
        for socket in ours + ([self._gate.socket] if self._gate else []):
            poller.register(socket, zmq.POLLIN)
        self._jobs.start_workers()
        try:
            while not self._finished():
                poller.poll(self._tick_ms)
                self._tick()
            self._jobs.fail_running(_stopping())
            while self._requests.pump():
                pass
        finally:
            self._close()

    def _tick(self) -> None:
        sent, refused = self._clients.sent, self._clients.refused
        if self._gate:
            self._gate.answer()
        self._jobs.listen()
        self._listen_to_clients()
        self._background.hand_over()
        more = self._requests.pump()
        self._clients.flush()
        if self._listeners.due():
            self._requests.beat()
        if self._parent and self._parent.gone() and self._stop_by is None:
            self.stop()
        if self._jobs.stopping and not self._cancelled:
            self._cancelled = True
            self._jobs.cancel_everything(_stopping())
        # While somebody's queue is full, look again soon; less and less often where nobody reads.
        if more:
            self._tick_ms = 0
        elif self._clients.refused == refused:
            self._tick_ms = LONGEST_TICK_MS
        elif self._clients.sent > sent:
            self._tick_ms = SHORTEST_TICK_MS
        else:
            self._tick_ms = min(max(2 * self._tick_ms, SHORTEST_TICK_MS), LONGEST_TICK_MS)

    def _finished(self) -> bool:
        over = self._stop_by is not None and time.monotonic() > self._stop_by
        return over or (self._cancelled and not self._jobs.running())

    def _listen_to_clients(self) -> None:
        end = time.monotonic() + LISTEN_SECONDS
        while time.monotonic() < end:
            parts = receive(self._socket)
            if parts is None:
                return
            self._answer(bytes(parts[0]), parts[1:])

    def _answer(self, identity: bytes, parts: list[memoryview]) -> None:
        job = ""
        try:
            packet = decode(parts, CLIENT_LIMITS)
            job = packet.job
            if not secrets.compare_digest(packet.token.encode("utf-8", "replace"), self.token.encode()):
                raise HmdiffError(
                    "protocol.token", "The backend does not know this client.",
                    "Connect with the token of the line the backend printed when it started.",
                )  # fmt: skip
            handler: Callable[[bytes, Message], None] | None
            message = from_packet(packet)
            handler = self._requests.handlers.get(type(message))
            if handler is None:
                raise HmdiffError(
                    "protocol.unexpected", f"The message {packet.type!r} is the backend's to send.",
                    "docs/protocol.md says what a client sends.",
                )  # fmt: skip
            handler(identity, message)
        except Exception as error:
            self._clients.offer(identity, Error(error_data(as_error(error)), job))

    def _new_socket(self, gate: Gate | None) -> zmq.Socket[bytes]:
        socket = new_router(self._context, LARGEST_PART)
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        if gate:
            # Another computer can vanish without a word; its place is given up then.
            gate.guard(socket)
            socket.setsockopt(zmq.HEARTBEAT_IVL, ALIVE_MS)
            socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, DEAD_MS)
        return socket

    def _close(self) -> None:
        for worker in self._jobs.workers:
            worker.ask_to_end()
        for worker in self._jobs.workers:
            worker.close(grace_s=3.0)
        finished = self._background.close()
        self._uploads.close()
        self._socket.close()
        if self._gate:
            self._gate.close()
        if finished:
            self._context.term()


def _stopping() -> HmdiffError:
    return HmdiffError("server.stopping", "The backend is ending.", "Start it again and send the job again.")
