"""The server: clients on one side, the worker on the other, a queue between them. Everything runs in one thread."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import zmq
from hmdiff_wire.codec import Limits, decode
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import (
    Accepted,
    Cancel,
    Cancelled,
    Error,
    FrameResult,
    Hello,
    JobDone,
    JobFailed,
    Message,
    Ping,
    Pong,
    Progress,
    Submit,
    Welcome,
    error_data,
    from_packet,
)

from .. import __version__
from . import access, options
from .orphan import Parent
from .sockets import Clients, bind_router, receive
from .worker_process import WorkerProcess, death, wait_for_last_words

REAL_JOBS = "hmdiff.server.jobs:run_job"
CLIENT_LIMITS = Limits(arrays=0, array_bytes=0)
LARGEST_PART = 1024**2
LONGEST_QUEUE = 100
TICK_MS = 100
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Settings:
    """roots: as ``access.check_roots`` gives them; port: 0 for a free one; parent_pid: end when that process does;
    jobs: ``module:function`` the worker runs.
    """

    roots: tuple[Path, ...]
    port: int = 0
    device: str = "auto"
    parent_pid: int | None = None
    jobs: str = REAL_JOBS


@dataclass
class Job:
    """A job in the queue or in work; submit: with its paths checked and its take chosen."""

    submit: Submit
    owner: bytes
    dropped: int = 0
    forced: bool = False


class Server:
    """``serve`` runs until ``stop`` (from a signal handler, say) or until the parent has gone."""

    def __init__(self, settings: Settings) -> None:
        """Errors: ``server.port`` when the port is taken."""
        self.settings = settings
        self.token = secrets.token_urlsafe(24)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._socket, self.port = bind_router(self._context, settings.port, LARGEST_PART)
        except zmq.ZMQError as error:
            self._context.term()
            raise HmdiffError(
                "server.port", f"Port {settings.port} cannot be used.",
                "Another backend may be running; choose another --port, or leave it out for a free one.", repr(error),
            ) from error  # fmt: skip
        self._clients = Clients(self._socket)
        self._worker = WorkerProcess(self._context, settings.jobs, settings.device)
        self._parent = Parent(settings.parent_pid) if settings.parent_pid else None
        self._queue: deque[Job] = deque()
        self._running: Job | None = None
        self._start_error: HmdiffError | None = None
        self._stop_by: float | None = None
        self._handlers: dict[type, Callable[[bytes, Message], None]] = {
            Hello: self._hello, Submit: self._submit, Cancel: self._cancel, Ping: self._ping,
        }  # fmt: skip

    def stop(self) -> None:
        """Finish orderly: the running job is cancelled and its take closed. A second call does not wait for that."""
        self._stop_by = time.monotonic() + STOP_SECONDS if self._stop_by is None else 0.0

    def serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._worker.socket, zmq.POLLIN)
        self._start_worker()
        announced_stop = False
        try:
            while not self._finished():
                poller.poll(TICK_MS)
                self._listen_to_worker()
                self._listen_to_clients()
                self._clients.flush()
                if self._parent and self._parent.gone() and self._stop_by is None:
                    self.stop()
                if self._stop_by is not None and not announced_stop:
                    announced_stop = True
                    self._cancel_everything()
            if self._running:
                self._fail(self._running, _stopping())
        finally:
            self._worker.close(grace_s=3.0)
            self._socket.close()
            self._context.term()

    def _finished(self) -> bool:
        return self._stop_by is not None and (self._running is None or time.monotonic() > self._stop_by)

    # Clients

    def _listen_to_clients(self, most: int = 100) -> None:
        for _ in range(most):
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
            message = from_packet(packet)
            handler = self._handlers.get(type(message))
            if handler is None:
                raise HmdiffError(
                    "protocol.unexpected", f"The message {packet.type!r} is the backend's to send.",
                    "docs/protocol.md says what a client sends.",
                )  # fmt: skip
            handler(identity, message)
        except HmdiffError as error:
            self._clients.send(identity, Error(error_data(error), job), keep=False)

    def _hello(self, identity: bytes, message: Message) -> None:
        capabilities = {
            "kinds": ["pose", "animate"], "presets": list(options.PRESETS), "inputs": ["path"], "outputs": [".npz"],
            "device": self.settings.device, "roots": [str(root) for root in self.settings.roots],
            "longest_queue": LONGEST_QUEUE,
        }  # fmt: skip
        self._clients.send(identity, Welcome(f"hmdiff {__version__}", capabilities))

    def _ping(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, Ping)
        running = self._running.submit.job if self._running else ""
        self._clients.send(identity, Pong(message.nonce, self._worker.state, len(self._queue), running), keep=False)

    def _submit(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, Submit)
        if self._stop_by is not None:
            raise _stopping()
        if self._find(message.job):
            raise HmdiffError("job.exists", f"The job {message.job} is already here.", "Give every job a new id.")
        if len(self._queue) >= LONGEST_QUEUE:
            raise HmdiffError("server.busy", f"{LONGEST_QUEUE} jobs are already waiting.", "Try again later.")
        job = Job(self._checked(message), identity)
        self._queue.append(job)
        position = len(self._queue) - 1 + (self._running is not None)
        self._clients.send(identity, Accepted(message.job, position, job.submit.take))
        self._go_on()

    def _checked(self, message: Submit) -> Submit:
        """Every path of the message held against the roots."""
        roots = self.settings.roots
        source = access.allowed(message.source, roots)
        take = access.allowed(message.take, roots) if message.take else access.default_take(source, message.job)
        named = {
            name: str(access.allowed(str(message.options[name]), roots))
            for name in options.PATHS
            if message.options.get(name) is not None
        }
        outputs = tuple(str(access.allowed(path, roots)) for path in message.outputs)
        return replace(
            message, source=str(source), take=str(take), outputs=outputs, options={**message.options, **named}
        )

    def _cancel(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, Cancel)
        job = self._find(message.job)
        if job is None:
            raise HmdiffError("job.unknown", f"There is no job {message.job}.", "It may have ended already.")
        if job is not self._running:
            self._queue.remove(job)
            self._clients.send(job.owner, Cancelled(message.job))
        elif message.force:
            job.forced = True
            self._worker.kill()
        else:
            self._worker.send(message)

    def _find(self, name: str) -> Job | None:
        here = [*self._queue, *([self._running] if self._running else [])]
        return next((job for job in here if job.submit.job == name), None)

    def _cancel_everything(self) -> None:
        while self._queue:
            self._fail(self._queue.popleft(), _stopping())
        if self._running:
            self._worker.send(Cancel(self._running.submit.job))

    # The worker

    def _start_worker(self) -> None:
        self._start_error = None
        try:
            self._worker.start()
        except OSError as error:
            while self._queue:
                self._fail(self._queue.popleft(), death(repr(error), during_start=True))

    def _go_on(self) -> None:
        """Start what can be started."""
        if self._running or not self._queue or self._stop_by is not None:
            return
        if self._worker.state == "none":
            self._start_worker()
        elif self._worker.state == "idle" and self._worker.exit_code() is None:
            self._running = self._queue.popleft()
            self._worker.state = "busy"
            self._clients.send(self._running.owner, Progress(self._running.submit.job, "starting", 0, 0), keep=False)
            self._worker.send(self._running.submit)

    def _listen_to_worker(self) -> None:
        for message in self._worker.messages():
            self._from_worker(message)
        code = self._worker.exit_code()
        if code is not None:
            for message in wait_for_last_words(self._worker):
                self._from_worker(message)
            self._bury(code)
        self._go_on()

    def _from_worker(self, message: Message) -> None:
        job = self._running
        if isinstance(message, Error):
            self._start_error = message.to_exception()
        elif isinstance(message, Progress | FrameResult | JobDone | JobFailed | Cancelled):
            if job is None or message.job != job.submit.job:
                return
            if isinstance(message, Progress):
                self._clients.send(job.owner, message, keep=False)
            elif isinstance(message, FrameResult):
                job.dropped += not self._clients.send(job.owner, message, keep=False)
            else:
                if isinstance(message, JobDone):
                    message = replace(message, frames_dropped=job.dropped)
                self._clients.send(job.owner, message)
                self._running, self._worker.state = None, "idle"

    def _bury(self, code: int) -> None:
        """The worker has ended by itself or by force: its job fails; one that never started fails the next in line."""
        starting = self._worker.state == "starting"
        self._worker.forget()
        error = self._start_error or death(code, starting)
        if self._running:
            job, self._running = self._running, None
            if job.forced:
                self._clients.send(job.owner, Cancelled(job.submit.job, access.kept_take(Path(job.submit.take))))
            else:
                self._fail(job, error)
        elif starting and self._queue:
            self._fail(self._queue.popleft(), error)

    def _fail(self, job: Job, error: HmdiffError) -> None:
        take = access.kept_take(Path(job.submit.take))
        self._clients.send(job.owner, JobFailed(job.submit.job, error_data(error), take))


def _stopping() -> HmdiffError:
    return HmdiffError("server.stopping", "The backend is ending.", "Start it again and send the job again.")
