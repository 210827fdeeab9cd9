"""The worker's socket to the server. Used from the main thread only."""

from __future__ import annotations

from collections import deque

import zmq
from hmdiff_wire.codec import decode, encode
from hmdiff_wire.messages import Cancel, Message, PushEnd, PushFrame, Submit
from hmdiff_wire.packing import from_packet, to_packet

from .sockets import HOST

OUT_MESSAGES = 64


class Link:
    """What arrives is sorted: jobs, frames of the job in work (as many as it gave credit for), and who is cancelled."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 2000)
        self._socket.setsockopt(zmq.SNDHWM, OUT_MESSAGES)
        self._socket.connect(f"tcp://{HOST}:{port}")
        self._token = token
        self._jobs: deque[Submit] = deque()
        self._pushed: deque[PushFrame | PushEnd] = deque()
        self._cancelled = ""

    def send(self, message: Message) -> None:
        self._socket.send_multipart(encode(to_packet(message, self._token)))

    def next_job(self) -> Submit:
        self._pushed.clear()
        while not self._jobs:
            self._take_in(wait=True)
        return self._jobs.popleft()

    def has_job(self) -> bool:
        while self._take_in(wait=False):
            pass
        return bool(self._jobs)

    def next_pushed(self, job: str) -> PushFrame | None:
        """Waits for the job's next frame; None after the last one, or when the job is cancelled."""
        while not self.is_cancelled(job):
            while self._pushed:
                message = self._pushed.popleft()
                if message.job == job:
                    return message if isinstance(message, PushFrame) else None
            self._take_in(wait=True)
        return None

    def is_cancelled(self, job: str) -> bool:
        while self._take_in(wait=False):
            pass
        return self._cancelled == job

    def close(self) -> None:
        self._socket.close()
        zmq.Context.instance().term()

    def _take_in(self, wait: bool) -> bool:
        """One message; False when there was none."""
        try:
            message = from_packet(decode(self._socket.recv_multipart(0 if wait else zmq.NOBLOCK)))
        except zmq.Again:
            return False
        if isinstance(message, Submit):
            self._jobs.append(message)
        elif isinstance(message, PushFrame | PushEnd):
            self._pushed.append(message)
        elif isinstance(message, Cancel):
            self._cancelled = message.job
        return True
