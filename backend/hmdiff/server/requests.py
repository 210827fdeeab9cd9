"""What each message of a client sets in motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import (
    Accepted,
    Attach,
    Attached,
    Cancel,
    Chunk,
    Credit,
    Decode,
    Error,
    Fetch,
    Hello,
    Message,
    Ping,
    Pong,
    PushEnd,
    PushFrame,
    Shutdown,
    Submit,
    Upload,
    Welcome,
    WorkerState,
)
from hmdiff_wire.packing import error_data

from .. import __version__
from . import access
from .background import Background, Task
from .capabilities import capabilities
from .delivery import Delivery
from .failures import unknown_job
from .feed import Intake
from .heartbeat import Listeners
from .job_queue import Job, JobQueue
from .settings import Settings
from .sockets import Clients
from .submission import checked
from .takes import Takes, piece
from .uploads import Uploads

Handler = Callable[[bytes, Message], None]


class Requests:
    def __init__(
        self, settings: Settings, clients: Clients, jobs: JobQueue, background: Background, uploads: Uploads,
        listeners: Listeners, stop: Callable[[], None],
    ) -> None:  # fmt: skip
        self._settings, self._clients, self._jobs = settings, clients, jobs
        self._background, self._uploads, self._listeners = background, uploads, listeners
        self._takes = Takes()
        self._stop = stop
        self.handlers: dict[type, Handler] = {
            Hello: self._hello, Submit: self._submit, Cancel: self._cancel, Attach: self._attach, Upload: self._upload,
            Chunk: self._chunk, PushFrame: self._push, PushEnd: self._push_end, Decode: self._decode,
            Fetch: self._fetch, Shutdown: self._shutdown, Ping: self._ping,
        }  # fmt: skip

    def pump(self) -> bool:
        """Send frames, progress and endings as far as their owners take them; True where there is more to send."""
        more = False
        for job in self._jobs.jobs():
            more |= job.delivery.pump(self._clients, partial(self._read_stored, job))
        return more

    def beat(self) -> None:
        gone = self._listeners.beat(self._clients, self._jobs.heartbeat())
        for job in self._jobs.jobs():
            if job.delivery.owner in gone:
                job.delivery.leave()
        self._jobs.cancel_the_abandoned()

    def _hello(self, identity: bytes, message: Message) -> None:
        self._listeners.add(identity)
        able = capabilities(self._settings.devices, self._settings.roots, self._settings.curve is not None)
        self._clients.send(identity, Welcome(f"hmdiff {__version__}", able))

    def _ping(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, Ping)
        now, order = self._jobs.heartbeat(), ("idle", "busy", "starting", "none")
        states: list[WorkerState] = [worker.state for worker in self._jobs.workers]
        state = min(states, key=order.index)
        running = now.running[0] if now.running else ""
        self._clients.offer(identity, Pong(message.nonce, state, now.queued, running))

    def _shutdown(self, identity: bytes, message: Message) -> None:
        self._stop()

    # Jobs

    def _submit(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, Submit)
        if self._jobs.stopping:
            raise HmdiffError("server.stopping", "The backend is ending.", "Start it again and send the job again.")
        submit = checked(message, self._settings.roots, self._uploads.path_of, self._jobs.is_writing)
        intake = Intake(submit.stream) if submit.input == "frames" else None
        job = Job(submit, Delivery(identity), intake)
        position = self._jobs.add(job)
        if submit.input == "upload":
            self._uploads.claim(job.name)
        if intake:
            self._listeners.add(identity)  # so that it is noticed when nobody pushes any more
        self._clients.send(identity, Accepted(job.name, position, submit.take))
        self._jobs.go_on()

    def _cancel(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, Cancel)
        if not self._jobs.cancel(message):
            raise unknown_job(message.job)

    def _attach(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, Attach)
        job = self._known(message.job)
        now = job.progress
        attached = Attached(job.name, job.state, job.submit.take)
        if now:
            attached = replace(attached, stage=now.stage, done=now.done, total=now.total, eta=now.eta)
        if job.intake:
            attached = replace(attached, pushed=job.intake.index)
            self._listeners.add(identity)
        self._clients.send(identity, attached)
        job.delivery.attach(identity, message.after)
        if job.intake and job.intake.credit and job.state == "running" and not job.intake.ended:
            self._clients.send(identity, Credit(job.name, job.intake.credit))

    def _read_stored(self, job: Job, delivery: Delivery, first: int, last: int) -> None:
        visit = delivery.visit
        if not job.submit.take or first > last:
            delivery.stored_ended(visit, last)
            return
        refined = job.submit.kind == "refine"
        steps = self._takes.frames(Path(job.submit.take), job.name, first, last, refined)
        deliver = partial(delivery.stored, self._clients, visit)
        lane = ("frames", job.name, visit)
        self._background.add(Task(lane, steps, deliver, lambda error: delivery.stored_ended(visit, last)))

    def _known(self, name: str) -> Job:
        job = self._jobs.find(name)
        if job is None:
            raise unknown_job(name)
        return job

    # Frames from the client

    def _push(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, PushFrame)
        job = self._taking_frames(message.job)
        if job and job.intake and job.worker:
            job.intake.admit(message)
            job.worker.send(message)

    def _push_end(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, PushEnd)
        job = self._taking_frames(message.job)
        if job and job.intake and job.worker and not job.intake.ended:
            job.intake.ended = True
            job.worker.send(message)

    def _taking_frames(self, name: str) -> Job | None:
        """None for a job that has ended: frames that were on their way are nobody's mistake."""
        job = self._known(name)
        if job.intake is None:
            raise HmdiffError(
                "protocol.unexpected", f"The job {name} takes no frames.", 'Submit it with the input "frames".'
            )
        if job.state == "queued":
            raise HmdiffError(
                "protocol.credit", f"The job {name} has not begun.", "Push frames when Credit messages allow it."
            )
        return job if job.state == "running" else None

    # Work of the background

    def _upload(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, Upload)
        self._do(identity, message.job, self._uploads.begin(message), lane=("upload", identity, message.job))

    def _chunk(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, Chunk)
        self._do(identity, message.job, self._uploads.write(message), lane=("upload", identity, message.job))

    def _decode(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, Decode)
        self._do(identity, message.job, self._takes.meshes(self._take_of(message), message))

    def _fetch(self, identity: bytes, message: Message) -> None:
        assert isinstance(message, Fetch)
        self._do(identity, message.job, piece(self._take_of(message), message))

    def _take_of(self, message: Decode | Fetch) -> Path:
        if message.take:
            return access.allowed(message.take, self._settings.roots)
        take = self._known(message.job).submit.take
        if not take:
            raise HmdiffError("take.missing", f"The job {message.job} writes no take.", "Ask for that of another job.")
        return access.allowed(take, self._settings.roots)

    def _do(self, identity: bytes, job: str, steps: Iterator[Message], lane: object = None) -> None:
        def ended(error: HmdiffError | None) -> None:
            if error:
                self._clients.send(identity, Error(error_data(error), job))

        self._background.add(Task(lane or identity, steps, partial(self._clients.offer, identity), ended))
