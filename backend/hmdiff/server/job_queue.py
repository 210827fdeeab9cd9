"""Jobs that wait, run and have ended, and the workers that do them, one for each device."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import (
    Cancel,
    Cancelled,
    Credit,
    Error,
    FrameResult,
    Heartbeat,
    JobDone,
    JobFailed,
    JobState,
    Message,
    Progress,
    Submit,
)
from hmdiff_wire.packing import error_data

from .access import kept_take
from .delivery import NOBODY, Delivery
from .feed import Intake
from .sockets import Clients
from .worker_process import WorkerProcess, death

LONGEST_QUEUE = 100
REMEMBERED = 100
REMEMBERED_BYTES = 64 * 1024**2
RETRY_SECONDS = 60.0
ALONE_SECONDS = 60.0


@dataclass(eq=False)
class Job:
    """submit: with its paths checked and its take chosen; intake: of a job whose frames are pushed."""

    submit: Submit
    delivery: Delivery
    intake: Intake | None = None
    state: JobState = "queued"
    worker: WorkerProcess | None = None
    progress: Progress | None = None
    forced: bool = False
    stopping: bool = False
    alone_since: float | None = None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.submit.job


class JobQueue:
    def __init__(self, clients: Clients, workers: list[WorkerProcess], on_ended: Callable[[Job], None]) -> None:
        self.workers = workers
        self.stopping = False
        self._clients, self._on_ended = clients, on_ended
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._ended: OrderedDict[str, Job] = OrderedDict()
        self._start_errors: dict[str, HmdiffError] = {}

    # What the server asks

    def find(self, name: str) -> Job | None:
        here = (*self._waiting, *self._running)
        return next((job for job in here if job.name == name), self._ended.get(name))

    def jobs(self) -> list[Job]:
        return [*self._waiting, *self._running, *self._ended.values()]

    def running(self) -> list[Job]:
        return self._running

    def add(self, job: Job) -> int:
        """-> how many are before it. Errors: ``job.exists``, ``server.busy``, ``take.busy``."""
        if self.find(job.name):
            raise HmdiffError("job.exists", f"The job {job.name} is already here.", "Give every job a new id.")
        if len(self._waiting) >= LONGEST_QUEUE:
            raise HmdiffError("server.busy", f"{LONGEST_QUEUE} jobs are already waiting.", "Try again later.")
        # One that was told to stop is as good as gone: what resumes it waits for its last batch.
        if any(not (one.stopping and job.submit.resume) for one in self._writing(job.submit.take)):
            take = job.submit.take
            raise HmdiffError("take.busy", f"Another job is writing {take}.", "Choose another folder, or wait for it.")
        self._waiting.append(job)
        return len(self._waiting) - 1 + len(self._running)

    def _writing(self, take: str) -> list[Job]:
        return [one for one in (*self._waiting, *self._running) if take and one.submit.take == take]

    def is_writing(self, take: Path) -> bool:
        return bool(self._writing(str(take)))

    def cancel(self, message: Cancel) -> bool:
        """False where there is no such job, or it has ended."""
        job = self.find(message.job)
        if job in self._waiting:
            self._waiting.remove(job)
            self._end(job, "cancelled", Cancelled(job.name))
        elif job in self._running and job.worker:
            job.stopping = True
            if message.force:
                job.forced = True
                job.worker.kill()
            else:
                job.worker.send(message)
        else:
            return False
        return True

    def cancel_everything(self, why: HmdiffError) -> None:
        while self._waiting:
            self._fail(self._waiting.popleft(), why)
        for job in self._running:
            self.cancel(Cancel(job.name))

    def fail_running(self, why: HmdiffError) -> None:
        for job in list(self._running):
            self._fail(job, why)

    def heartbeat(self) -> Heartbeat:
        states = {worker.device: worker.state for worker in self.workers}
        return Heartbeat(states, len(self._waiting), tuple(job.name for job in self._running))

    def cancel_the_abandoned(self) -> None:
        """A job whose frames nobody pushes any more would hold its worker for ever."""
        for job in self._running:
            if not job.intake or job.intake.ended or job.delivery.owner != NOBODY:
                job.alone_since = None
            elif job.alone_since is None:
                job.alone_since = time.monotonic()
            elif time.monotonic() - job.alone_since > ALONE_SECONDS:
                self.cancel(Cancel(job.name))

    # The workers

    def listen(self) -> None:
        for worker in self.workers:
            for message in worker.messages():
                self._from_worker(worker, message)
            code = worker.last_words_said()
            if code is not None:
                self._bury(worker, code)
        self.go_on()

    def start_workers(self) -> None:
        for worker in self.workers:
            self._start(worker)

    def go_on(self) -> None:
        """Start what can be started."""
        if self.stopping:
            return
        for worker in self.workers:
            if not self._waiting:
                return
            job = next((one for one in self._waiting if one not in self._blocked()), None)
            if job and worker.state == "idle" and worker.exit_code() is None:
                self._waiting.remove(job)
                self._begin(job, worker)
        alive = any(worker.state != "none" for worker in self.workers)
        for worker in self.workers:
            rested = not worker.failed_at or time.monotonic() - worker.failed_at > RETRY_SECONDS
            if self._waiting and worker.state == "none" and (rested or not alive):
                self._start(worker)

    def _blocked(self) -> list[Job]:
        """Waiting jobs that go on with a take another job has not let go of."""
        taken = {job.submit.take for job in self._running} - {""}
        return [job for job in self._waiting if job.submit.take in taken]

    def _start(self, worker: WorkerProcess) -> None:
        self._start_errors.pop(worker.device, None)
        try:
            worker.start()
        except OSError as error:
            self._not_started(worker, death(repr(error), during_start=True))

    def _begin(self, job: Job, worker: WorkerProcess) -> None:
        job.state, job.worker, worker.state = "running", worker, "busy"
        self._running.append(job)
        self._say(job, Progress(job.name, "starting", 0, 0))
        worker.send(job.submit)
        if job.intake:
            self.give_credit(job, job.intake.begin_with)

    def give_credit(self, job: Job, frames: int) -> None:
        if job.intake and not job.intake.ended:
            job.intake.grant(frames)
            self._clients.send(job.delivery.owner, Credit(job.name, frames))

    def _from_worker(self, worker: WorkerProcess, message: Message) -> None:
        if isinstance(message, Error):
            self._start_errors[worker.device] = message.to_exception()
            return
        job = next((one for one in self._running if one.worker is worker), None)
        if job is None or getattr(message, "job", "") != job.name:
            return
        if isinstance(message, Progress):
            self._say(job, message)
        elif isinstance(message, FrameResult):
            job.delivery.add(message)
        elif isinstance(message, Credit):
            self.give_credit(job, message.frames)
        elif isinstance(message, JobDone | JobFailed | Cancelled):
            worker.state = "idle"
            states: dict[type, JobState] = {JobDone: "done", JobFailed: "failed", Cancelled: "cancelled"}
            self._end(job, states[type(message)], message)

    def _say(self, job: Job, progress: Progress) -> None:
        job.progress = progress
        job.delivery.say(progress)

    def _bury(self, worker: WorkerProcess, code: int) -> None:
        """The worker has ended by itself or by force: its job fails; one that never started fails the next in line."""
        starting = worker.state == "starting"
        worker.forget()
        error = self._start_errors.pop(worker.device, None) or death(code, starting)
        job = next((one for one in self._running if one.worker is worker), None)
        if job and job.forced:
            self._end(job, "cancelled", Cancelled(job.name, kept_take(job.submit.take)))
        elif job:
            self._fail(job, error)
        elif starting:
            self._not_started(worker, error)

    def _not_started(self, worker: WorkerProcess, error: HmdiffError) -> None:
        """Where no other worker could do it, the next job hears why."""
        worker.failed_at = time.monotonic()
        if self._waiting and all(one.state == "none" for one in self.workers):
            self._fail(self._waiting.popleft(), error)

    def _fail(self, job: Job, error: HmdiffError) -> None:
        self._end(job, "failed", JobFailed(job.name, error_data(error), kept_take(job.submit.take)))

    def _end(self, job: Job, state: JobState, message: Message) -> None:
        if job in self._running:
            self._running.remove(job)
        job.state, job.worker = state, None
        job.delivery.end(message)
        self._ended[job.name] = job
        if len(self._ended) > REMEMBERED:
            # a drag ends ten jobs a second: they are forgotten before what was finished and is still shown
            drags = (name for name, one in self._ended.items() if one.submit.kind == "refine" and not one.submit.take)
            del self._ended[next(drags, next(iter(self._ended)))]
        kept = sum(one.delivery.recent_bytes for one in self._ended.values())
        for one in self._ended.values():
            while kept > REMEMBERED_BYTES and one is not job and (before := one.delivery.recent_bytes):
                one.delivery.forget_oldest()
                kept += one.delivery.recent_bytes - before
        self._on_ended(job)
