from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import zmq
from hmdiff_wire.codec import decode, encode
from hmdiff_wire.messages import Error, Message, Submit
from hmdiff_wire.packing import from_packet, to_packet

PATIENCE_S = 60
"""For a busy machine only; nothing waits this long when it works."""

M = TypeVar("M")


class Backend:
    """A real process: `hmdiff serve` with other work for its worker, or the fake where ``jobs`` is ""."""

    def __init__(self, repo: Path, root: Path, jobs: str = "tiny_jobs:work", *more: str) -> None:
        places = (repo / "backend", repo / "shared", Path(__file__).parent)
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
        program = ["hmdiff.cli", "serve", "--jobs", jobs] if jobs else ["hmdiff.server.fake"]
        command = [sys.executable, "-m", *program, "--root", str(root), *more]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.ready: dict[str, Any] = json.loads(line)
        self.root = root
        self.clip = root / "clip.mp4"
        self.clip.write_bytes(b"the tiny job does not look into it")

    def connect(self) -> Client:
        return Client(self)

    def rss_mb(self) -> float:
        """Memory of the server's process (not the worker's) as the system counts it now."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def end(self) -> tuple[int, str]:
        """SIGTERM -> exit code, log."""
        self.process.send_signal(signal.SIGTERM)
        _, log = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, log


class Client:
    """A DEALER that speaks the protocol."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.token = backend.ready["token"]
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(f"tcp://127.0.0.1:{backend.ready['port']}")

    def send(self, message: Message) -> None:
        self.socket.send_multipart(encode(to_packet(message, self.token)))

    def receive(self, seconds: float = PATIENCE_S) -> Message:
        assert self.socket.poll(int(seconds * 1000)), "the backend does not answer"
        return from_packet(decode(self.socket.recv_multipart()))

    def ask(self, message: Message) -> Message:
        self.send(message)
        return self.receive()

    def refused(self, message: Message) -> str:
        """The kind of the error it is answered with."""
        self.send(message)
        return self.until(Error)[0].error["kind"]

    def until(self, kind: type[M]) -> tuple[M, list[Message]]:
        """The next message of that kind, and what came before it; heartbeats alone do not keep it waiting for ever."""
        before: list[Message] = []
        deadline = time.monotonic() + 2 * PATIENCE_S
        while time.monotonic() < deadline:
            message = self.receive()
            if isinstance(message, kind):
                return message, before
            before.append(message)
        raise AssertionError(f"no {kind.__name__}, only {sorted({type(other).__name__ for other in before})}")

    def submit(self, job: str = "", **options: Any) -> str:
        job = job or uuid.uuid4().hex
        self.send(Submit(job, "animate", str(self.backend.clip), options))
        return job

    def close(self) -> None:
        self.socket.close()


@pytest.fixture(scope="module")
def backend(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    running = Backend(repo, tmp_path_factory.mktemp("footage"))
    yield running
    code, log = running.end()
    assert code == 0, log


@pytest.fixture(scope="module")
def fake(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    running = Backend(repo, tmp_path_factory.mktemp("footage"), "", "--frames", "40", "--hypotheses", "3")
    yield running
    code, log = running.end()
    assert code == 0, log


@pytest.fixture
def start(repo: Path, tmp_path: Path) -> Iterator[Callable[..., Backend]]:
    """Starts a backend of the test's own."""
    begun: list[Backend] = []

    def begin(*words: str, jobs: str = "tiny_jobs:work") -> Backend:
        begun.append(Backend(repo, tmp_path, jobs, *words))
        return begun[-1]

    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.fixture
def connect() -> Iterator[Callable[[Backend], Client]]:
    made: list[Client] = []

    def new(backend: Backend) -> Client:
        made.append(Client(backend))
        return made[-1]

    yield new
    for client in made:
        client.close()


@pytest.fixture
def client(backend: Backend, connect: Callable[[Backend], Client]) -> Client:
    return connect(backend)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.02)

    return wait
