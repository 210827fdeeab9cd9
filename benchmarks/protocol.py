"""Frames and bytes per second of the protocol alone over loopback, beside plain ZeroMQ with the same bytes.

    python benchmarks/protocol.py [--seconds 3] [--json FILE]

``rows``: FrameResults of one person with 25 hypotheses; ``mesh``: 6,890 vertices a frame; ``push``: 1280 x 720 RGB
frames from the client. HMDiff's way is worker process -> server process -> client (or back), with every header and
field checked on each side; the baseline is one ROUTER process and one DEALER that hand each other the same parts
unread. Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from hmdiff.server.contract import JobHooks, JobOutcome, JobRequest
from hmdiff_wire.codec import decode, encode
from hmdiff_wire.messages import Credit, FrameResult, JobDone, Message, PushEnd, PushFrame, Submit
from hmdiff_wire.packing import from_packet, to_packet

REPO = Path(__file__).parents[1]
WIDTH, HEIGHT, CREDIT = 1280, 720, 8
MEASURED = ("rows", "mesh", "push")


def arrays_of(kind: str) -> dict[str, np.ndarray]:
    if kind == "mesh":
        return {"vertices": np.zeros((1, 6890, 3), np.float32)}
    if kind == "push":
        return {"image": np.zeros((HEIGHT, WIDTH, 3), np.uint8)}
    shapes = {
        "box": (4,), "betas": (10,), "pose": (72,), "transl": (3,), "joints": (24, 3), "joints_2d": (24, 2),
        "landmarks_2d": (33, 3), "hypotheses_pose": (25, 72), "hypotheses_transl": (25, 3),
        "hypotheses_joints": (25, 24, 3), "hypotheses_score": (25,), "vertex_std": (0,),
    }  # fmt: skip
    rows = {name: np.zeros((1, *shape), np.float32) for name, shape in shapes.items()}
    return {"track_id": np.zeros(1, np.int32), "status": np.ones(1, np.uint8), **rows}


def work(request: JobRequest, hooks: JobHooks) -> JobOutcome:
    """The worker's job: send frames for so long, or count those that are pushed."""
    count = 0
    if request.frames is not None:
        for _ in request.frames:
            count += 1
        return JobOutcome(count, ())
    arrays = arrays_of(request.options["measure"])
    end = time.monotonic() + request.options["seconds"]
    while time.monotonic() < end:
        hooks.on_frame(count, float(count), arrays)
        count += 1
    return JobOutcome(count, ())


class Backend:
    """`hmdiff serve` whose worker does ``work``."""

    def __init__(self, root: Path) -> None:
        paths = os.pathsep.join(map(str, (REPO / "backend", REPO / "shared", REPO / "benchmarks")))
        command = [sys.executable, "-m", "hmdiff.cli", "serve", "--root", str(root), "--jobs", "protocol:work"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths})
        assert self.process.stdout
        self.ready = json.loads(self.process.stdout.readline())
        self.source = root / "clip.mp4"
        self.source.touch()
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(f"tcp://127.0.0.1:{self.ready['port']}")
        self.jobs = 0

    def send(self, message: Message) -> None:
        self.socket.send_multipart(encode(to_packet(message, self.ready["token"])), copy=False)

    def receive(self) -> Message:
        return from_packet(decode(self.socket.recv_multipart()))

    def measure(self, kind: str, seconds: float) -> float:
        """Frames per second."""
        self.jobs += 1
        return (self._push if kind == "push" else self._stream)(f"{kind}-{self.jobs}", kind, seconds)

    def _stream(self, job: str, kind: str, seconds: float) -> float:
        self.send(Submit(job, "animate", str(self.source), {"measure": kind, "seconds": seconds}))
        count, began = 0, 0.0
        while not isinstance(message := self.receive(), JobDone):
            if isinstance(message, FrameResult):
                began = began or time.perf_counter()
                count += 1
        assert message.frames == count and not message.frames_dropped
        return (count - 1) / (time.perf_counter() - began)

    def _push(self, job: str, kind: str, seconds: float) -> float:
        stream = {"width": WIDTH, "height": HEIGHT, "fps": 30}
        self.send(Submit(job, "animate", "screen", input="frames", stream=stream))
        arrays, credit, pushed, began, ended = arrays_of(kind), 0, 0, 0.0, False
        while not isinstance(message := self.receive(), JobDone):
            credit += message.frames if isinstance(message, Credit) else 0
            while credit and not ended:
                began = began or time.perf_counter()
                ended = time.perf_counter() - began > seconds
                self.send(PushEnd(job) if ended else PushFrame(job, pushed, float(pushed), arrays))
                pushed, credit = pushed + (not ended), credit - 1
        assert message.frames == pushed
        return pushed / (time.perf_counter() - began)

    def close(self) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait(20)


def plain_router(pipe: Any, parts: list[bytes], seconds: float, pushed: bool) -> None:
    """The baseline's other process: sends the parts for so long, or takes them and gives credit."""
    socket = zmq.Context.instance().socket(zmq.ROUTER)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # wait where the queue is full; without it a ROUTER drops
    pipe.send(socket.bind_to_random_port("tcp://127.0.0.1"))
    identity, *_ = socket.recv_multipart()
    if pushed:
        socket.send_multipart([identity, bytes([CREDIT])])
        while len(socket.recv_multipart()) > 2:
            socket.send_multipart([identity, b"\x01"])
    else:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            socket.send_multipart([identity, *parts])
        socket.send_multipart([identity, b"end"])
    socket.close()


def plain(kind: str, seconds: float) -> float:
    """Frames per second of the baseline."""
    message = FrameResult("job", 0, 0.0, arrays_of(kind))
    parts = [bytes(part) for part in encode(to_packet(message))]
    mine, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=plain_router, args=(theirs, parts, seconds, kind == "push")
    )
    process.start()
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.connect(f"tcp://127.0.0.1:{mine.recv()}")
    socket.send(b"hello")
    count, credit, began = 0, 0, 0.0
    if kind == "push":
        while not began or time.perf_counter() - began < seconds:
            credit += socket.recv()[0]
            began = began or time.perf_counter()
            while credit:
                socket.send_multipart(parts, copy=False)
                count, credit = count + 1, credit - 1
        socket.send(b"end")
    else:
        while len(socket.recv_multipart()) > 1:
            began = began or time.perf_counter()
            count += 1
    rate = count / (time.perf_counter() - began)
    process.join(20)
    socket.close()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    args = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, {args.seconds:g} s each")
    print(f"{'':6s}{'KB a frame':>12s}{'HMDiff':>20s}{'plain ZeroMQ':>22s}{'ratio':>8s}")
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        backend = Backend(Path(folder))
        for kind in MEASURED:
            nbytes = sum(array.nbytes for array in arrays_of(kind).values())
            backend.measure(kind, 0.3)
            ours, base = backend.measure(kind, args.seconds), plain(kind, args.seconds)
            figures[kind] = {"bytes": nbytes, "frames_per_s": ours, "plain_frames_per_s": base}
            shown = (f"{rate:9.0f}/s {rate * nbytes / 1e6:6.0f} MB/s" for rate in (ours, base))
            print(f"{kind:6s}{nbytes / 1000:12.1f}{next(shown):>20s}{next(shown):>22s}{ours / base:8.2f}")
        backend.close()
    if args.json:
        about = {"platform": platform.platform(), "cores": os.cpu_count(), "seconds": args.seconds}
        args.json.write_text(json.dumps({**about, "figures": figures}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
